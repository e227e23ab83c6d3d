"""The first tables: runs, documents, prompt versions, responses, outcomes and what hangs on them."""

from alembic import op

from cupel.runlog.tables import metadata

revision = "0001"
down_revision = None

TABLES = (
    "runs", "documents", "prompt_versions", "responses", "reservations", "outcomes", "run_rows",
    "attempts", "verdicts", "failures",
)  # fmt: skip


def upgrade() -> None:
    """Make the tables that are not there yet."""
    metadata.create_all(op.get_bind(), tables=[metadata.tables[name] for name in TABLES], checkfirst=True)


def downgrade() -> None:
    """Drop them all."""
    metadata.drop_all(op.get_bind(), tables=[metadata.tables[name] for name in TABLES])
