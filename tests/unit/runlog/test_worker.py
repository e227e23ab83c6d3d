"""What one call brings is no other call's trouble, and every text can be stored."""

from __future__ import annotations

import asyncio
import os
import uuid

import pytest
import sqlalchemy

from cupel.runlog.store import RunLog, StoredResponse

SERVER = os.environ.get("CUPEL_TEST_DATABASE_URL", "postgresql+psycopg://127.0.0.1:5432/test")


@pytest.fixture(params=["sqlite", "postgresql"])
def log(request, tmp_path):
    """A run log of each kind; PostgreSQL is skipped where none answers."""
    url = f"sqlite:///{tmp_path / 'runlog.sqlite'}"
    if request.param == "postgresql":
        url = SERVER
        engine = sqlalchemy.create_engine(url, connect_args={"connect_timeout": 2})
        try:
            engine.connect().close()
        except sqlalchemy.exc.SQLAlchemyError as error:
            pytest.skip(f"no PostgreSQL at {url}: {str(error).splitlines()[0]}")
        finally:
            engine.dispose()
    opened = RunLog(url)
    yield opened
    opened.close()


def response(text, **fields):
    """A reply under a key of its own."""
    return StoredResponse(key=f"test-{uuid.uuid4()}", kind="extract", model="openai:m", text=text, **fields)


@pytest.mark.parametrize("said", ["a\x00b", "half \ud83d of one", "\udc00", "whole 😀", "plain"])
async def test_whatever_is_said_can_be_stored_and_read_back(log, said):
    """A NUL on PostgreSQL once stopped a run for good, half an emoji once ended it with a traceback."""
    stored = response(said, doc_id=said)
    await log.save_response(stored)
    kept = await log.response(stored.key)

    assert len(kept.text) == len(said)
    assert (
        kept.text
        == kept.doc_id
        == "".join("�" if c == "\x00" or 0xD800 <= ord(c) < 0xE000 else c for c in said)
    )


async def test_what_cannot_be_written_fails_its_own_caller_alone(log):
    """The others of the same commit are written; before, seven neighbours failed with it."""
    good, bad = [response(f"good {n}") for n in range(7)], response("bad", cost_usd=object())
    done = await asyncio.gather(*map(log.save_response, [*good[:3], bad, *good[3:]]), return_exceptions=True)
    kept = [await log.response(each.key) for each in good]

    assert [isinstance(one, Exception) for one in done] == [False] * 3 + [True] + [False] * 4
    assert [one.text for one in kept] == [each.text for each in good]
    assert await log.response(bad.key) is None
