"""A run log of an earlier Cupel is brought up to date when opened, with all that is in it."""

from __future__ import annotations

import sqlite3

from cupel.runlog.database import HEAD
from cupel.runlog.store import RunLog, StoredResponse


async def test_a_log_from_before_batches_gets_their_tables_and_keeps_its_answers(tmp_path):
    """What came after 0001 is dropped and the revision set back, as 0001 left it."""
    url = f"sqlite:///{tmp_path / 'runlog.sqlite'}"
    first = RunLog(url)
    await first.save_response(StoredResponse(key="k", kind="extract", model="openai:m", text="{}"))
    first.close()
    with sqlite3.connect(tmp_path / "runlog.sqlite") as connection:
        for table in (
            "batch_jobs",
            "batch_requests",
            "leases",
            "purses",
            "ledger",
            "seen_documents",
            "golds",
        ):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE runs DROP COLUMN kind")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()

    again = RunLog(url)
    kept = await again.response("k")
    assert again.runs() == []
    again.close()
    with sqlite3.connect(tmp_path / "runlog.sqlite") as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    connection.close()

    assert kept is not None
    assert {("batch_jobs",), ("leases",), ("purses",), ("ledger",), ("seen_documents",), ("golds",)} <= set(
        found
    )
    assert revision == (HEAD,)
