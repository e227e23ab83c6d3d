"""Whatever happens to the pages of a run log, every answer on a page that is whole is saved."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from cupel.errors import InputError
from cupel.runlog.pages import leaf_rows
from cupel.runlog.repair import check_run_log, repair_run_log
from cupel.runlog.store import RunLog, StoredResponse

PAGE = 4096
MANY = 120


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a run log with answers of all lengths, some over many pages."""
    path = tmp_path_factory.mktemp("whole") / "runlog.sqlite"
    log = RunLog(f"sqlite:///{path}")

    async def fill():
        for number in range(MANY):
            text = f'{{"n": {number}}}' + "é" * (number * 97 % 9_000)
            stored = StoredResponse(
                key=f"{number:064x}", kind="extract", model="openai:m", text=text, tokens=(("a", -0.5, []),)
            )
            await log.save_response(stored)

    asyncio.run(fill())
    log.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    return path.read_bytes()


def keys_of(path):
    """The answers in a run log, with their texts."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return dict(connection.execute("SELECT key, text FROM responses").fetchall())


def test_a_sound_run_log_is_left_as_it_is(whole, tmp_path):
    """There is nothing to say of it, and nothing is written."""
    path = tmp_path / "runlog.sqlite"
    path.write_bytes(whole)
    found, done = check_run_log(path), repair_run_log(path)

    assert found.is_sound, found.damages
    assert done.aside is None
    assert found.rows["responses"] == MANY
    assert path.read_bytes() == whole
    assert [each.name for each in tmp_path.iterdir()] == ["runlog.sqlite"]


def test_pages_say_what_sqlite_says(whole, tmp_path):
    """The reader of pages finds the very rows, those that go on over other pages included."""
    path = tmp_path / "runlog.sqlite"
    path.write_bytes(whole)
    on_pages = {row[0].decode(): row[6].decode() for row in leaf_rows(whole) if len(row) > 10}

    assert on_pages == keys_of(path)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zeroed=st.lists(st.integers(0, 10**6), max_size=3, unique=True),
    overwritten=st.lists(st.integers(0, 10**9), max_size=2),
    cut=st.none() | st.integers(0, 10**9),
)
def test_every_answer_on_a_whole_page_is_saved(whole, tmp_path_factory, zeroed, overwritten, cut):
    """Zeroed pages, overwritten bytes, a cut end: what lies elsewhere is there afterwards, word for word."""
    broken = bytearray(whole)
    for page in {number % (len(whole) // PAGE) for number in zeroed}:
        broken[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)
    for at in (number % (len(whole) - 15) for number in overwritten):
        broken[at : at + 16] = b"\xff" * 16
    if cut is not None:
        del broken[PAGE + cut % (len(whole) - PAGE) :]
    path = tmp_path_factory.mktemp("broken") / "runlog.sqlite"
    path.write_bytes(bytes(broken))
    sound = {row[0]: row[6] for row in leaf_rows(whole) if len(row) > 10}
    readable = {
        row[0]: row[6] for row in leaf_rows(bytes(broken)) if len(row) > 10 and sound.get(row[0]) == row[6]
    }

    found = repair_run_log(path).found

    kept = keys_of(path)
    missing = [key for key in readable if key.decode() not in kept]
    assert not [key for key in missing if key.decode() not in "".join(found.damages)], found.damages
    assert all(
        sound[key.encode()].decode() == text
        for key, text in kept.items()
        if "é" in text and key.encode() in readable
    )


def test_a_run_log_that_is_not_there_is_said(tmp_path):
    """Nothing is made."""
    with pytest.raises(InputError, match="there is no run log"):
        repair_run_log(tmp_path / "runlog.sqlite")
    assert list(tmp_path.iterdir()) == []
