"""What servers of one's own were found to do."""

from alembic import op

from cupel.runlog.tables import metadata

revision = "0009"
down_revision = "0008"

TABLES = ("endpoints",)


def upgrade() -> None:
    """Make the table, where it is not there yet."""
    metadata.create_all(op.get_bind(), tables=[metadata.tables[name] for name in TABLES], checkfirst=True)


def downgrade() -> None:
    """Drop it."""
    metadata.drop_all(op.get_bind(), tables=[metadata.tables[name] for name in TABLES])
