"""Keys of a server's callers."""

from __future__ import annotations

import sqlite3

import pytest

from cupel.errors import UsageError
from cupel.runlog.store import RunLog
from cupel.serve.keys import caps_of, create_key, digest_of, find_key, has_keys, list_keys, revoke_key
from cupel.serve.policy import Policy


async def test_a_key_is_known_by_its_hash_and_nothing_else(run_log, tmp_path):
    """The run log's file does not hold it, nor half of it."""
    key, secret = await create_key(run_log, "ada")
    found = await find_key(run_log, secret)

    assert found == key
    assert await find_key(run_log, secret + "x") is None
    with sqlite3.connect(tmp_path / "runlog.sqlite") as connection:
        rows = connection.execute("SELECT * FROM serve_keys").fetchall()
    connection.close()
    assert secret[6:20] not in str(rows)
    assert digest_of(secret) in str(rows)


async def test_a_revoked_key_stays_known_as_one_and_keeps_others_out(run_log):
    """The last key that goes does not open the door again."""
    assert not await has_keys(run_log)
    key, secret = await create_key(run_log, "ada")
    await revoke_key(run_log, key.id)

    found = await find_key(run_log, secret)
    assert found is not None
    assert found.revoked_at is not None
    assert await has_keys(run_log)
    with pytest.raises(UsageError, match="there is, or was, a key named 'ada'"):
        await create_key(run_log, "ada")
    with pytest.raises(UsageError, match="there is no key 'bob'; there are ada"):
        await revoke_key(run_log, "bob")


async def test_a_key_revoked_by_one_process_is_revoked_for_all(run_log, tmp_path):
    """Two run logs on one database see the same."""
    _, secret = await create_key(run_log, "ada")
    other = RunLog(f"sqlite:///{tmp_path / 'runlog.sqlite'}")
    await revoke_key(other, "ada")
    other.close()

    assert (await find_key(run_log, secret)).revoked_at is not None


@pytest.mark.parametrize("name", ["", "a b", "x" * 81, "a\n", "ä/ö"])
async def test_a_name_is_one(run_log, name):
    """Nothing that would spoil a list or a log."""
    with pytest.raises(UsageError, match="is no name of a key"):
        await create_key(run_log, name)


async def test_keys_are_listed_with_what_was_done_today(run_log):
    """The oldest first; of a key that did nothing, nothing."""
    from cupel.engine import take_documents

    key, _ = await create_key(run_log, "ada")
    await create_key(run_log, "prom", "metrics")
    policy = Policy.model_validate(
        {"caps": {"usd_per_key": 1, "usd_per_day": 1, "documents_per_key": 9, "documents_per_day": 9}}
    )
    await take_documents(run_log, caps_of(key.id, policy), 3, usd=0.25)

    shown = [(use.key.name, use.key.kind, use.documents, use.spent_usd) for use in await list_keys(run_log)]

    assert shown == [("ada", "caller", 3, 0.25), ("prom", "metrics", 0, 0.0)]
