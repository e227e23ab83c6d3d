"""Runs that only tried a prompt or model are told from those a person started."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column where the first migration, which makes the newest tables, has not."""
    if "kind" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("runs")}:
        op.add_column("runs", sa.Column("kind", sa.String(16), server_default="run"))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("runs", "kind")
