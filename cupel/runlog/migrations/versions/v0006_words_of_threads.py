"""What the state of a thread refers to by key, in place of holding it; replies keep their tokens' texts."""

from alembic import op

from cupel.runlog.tables import metadata

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table where the first migration, which makes the newest tables, has not."""
    metadata.create_all(op.get_bind(), tables=[metadata.tables["words"]], checkfirst=True)


def downgrade() -> None:
    """Drop it."""
    metadata.drop_all(op.get_bind(), tables=[metadata.tables["words"]])
