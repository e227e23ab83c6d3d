"""An outcome says which version of the project's code made it; a run's name no longer hangs on that."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column where the first migration, which makes the newest tables, has not."""
    if "code" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("outcomes")}:
        op.add_column("outcomes", sa.Column("code", sa.String(32)))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("outcomes", "code")
