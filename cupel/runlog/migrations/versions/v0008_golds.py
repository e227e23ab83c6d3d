"""A run keeps the gold its records were held against."""

from alembic import op

from cupel.runlog import tables

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the table where the first migration, which makes the newest ones, has not."""
    tables.golds.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop it, and the failures found by it."""
    op.execute(tables.failures.delete().where(tables.failures.c.cause == "gold"))
    tables.golds.drop(op.get_bind())
