"""The day's allowances of a server's callers: one count for all processes, never exceeded."""

from __future__ import annotations

import asyncio
import itertools
import os
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given, settings, strategies as st
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import OperationalError

from cupel.engine.allowance import AllowanceBudget, Cap, take_documents
from cupel.errors import BudgetExceededError
from cupel.runlog import tables
from cupel.runlog.store import RunLog, StoredResponse


def caps(usd=1.0, documents=10, *, all_usd=5.0, all_documents=50):
    """A key's caps and those of all."""
    return (
        Cap(name="d k", what="this key", usd=usd, documents=documents),
        Cap(name="d *", what="all keys together", usd=all_usd, documents=all_documents),
    )


SERVER = os.environ.get("CUPEL_TEST_DATABASE_URL", "postgresql+psycopg://127.0.0.1:5432/test")


@pytest.fixture(params=["SQLite", "PostgreSQL"])
async def logs(request, tmp_path):
    """Two processes' run logs on one database, where nothing was done today and nobody else is at work."""
    own = f"allowance_{uuid4().hex[:12]}"
    url = f"sqlite:///{tmp_path / 'runlog.sqlite'}"
    if request.param == "PostgreSQL":
        url = f"{SERVER}{'&' if '?' in SERVER else '?'}options=-csearch_path%3D{own}"
        try:
            await asyncio.to_thread(execute, f"CREATE SCHEMA {own}")
        except OperationalError as error:
            pytest.skip(f"no PostgreSQL at {SERVER}: {str(error).splitlines()[0]}")
    opened = [await asyncio.to_thread(RunLog, url, wait_s=2.0) for _ in range(2)]
    yield opened
    for log in opened:
        await asyncio.to_thread(log.close)
    if request.param == "PostgreSQL":
        await asyncio.to_thread(execute, f"DROP SCHEMA {own} CASCADE")


def execute(statement):
    """A statement at the server of the tests."""
    engine = create_engine(SERVER, connect_args={"connect_timeout": 5})
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


async def state(log, name):
    """Documents, spent and held of one allowance."""
    query = select(tables.allowances).where(tables.allowances.c.name == name)
    row = (await log.transact(lambda connection: connection.execute(query).all()))[0]
    return row.documents, row.spent_pico / 1e12, row.held_pico / 1e12


async def test_of_a_hundred_documents_at_once_as_many_are_taken_as_the_cap_says(logs):
    """Through two processes; those that are refused are counted nowhere."""
    answers = await asyncio.gather(*(take_documents(logs[n % 2], caps(), 1) for n in range(100)))

    assert answers.count(None) == 10
    assert {told for told in answers if told} == {
        "this key may send 10 documents a day, and 10 were taken today"
    }
    assert [(await state(logs[0], name))[0] for name in ("d k", "d *")] == [10, 10]


async def test_calls_at_once_never_come_to_more_than_a_cap(logs):
    """Thirty calls of at most 10 cents under a dollar; each that is answered costs 7."""
    budgets = [AllowanceBudget(log, caps(), patience_s=3.0) for log in logs]

    async def call(number):
        budget, token = budgets[number % 2], f"t{number}"
        try:
            await budget.reserve(token, 0.1)
        except BudgetExceededError as error:
            return str(error)
        _, spent, held = await state(logs[0], "d k")
        assert spent + held <= 1.0 + 1e-9
        await budget.settle(
            token, 0.1, StoredResponse(key=token, kind="extract", model="m", text="", cost_usd=0.07)
        )
        return None

    answers = await asyncio.gather(*(call(number) for number in range(30)))

    paid = answers.count(None)
    assert 13 <= paid <= 14
    assert all("this key may spend $1 today" in told for told in answers if told)
    assert await state(logs[0], "d k") == pytest.approx((0, paid * 0.07, 0.0))


async def test_what_was_lost_stays_held_and_what_was_free_comes_back(logs):
    """A call nobody heard of counts as spent for the rest of the day."""
    budget = AllowanceBudget(logs[0], caps(usd=0.2), patience_s=0.0)
    await budget.reserve("lost", 0.1)
    await budget.reserve("free", 0.1)
    with pytest.raises(BudgetExceededError, match="held for calls under way"):
        await budget.reserve("third", 0.1)
    await budget.release("free", 0.1)

    await budget.reserve("third", 0.1)
    assert (await state(logs[0], "d *"))[2] == pytest.approx(0.2)


async def test_a_cap_of_nothing_leaves_what_is_free(logs):
    """Documents are taken, and the first call that costs is not made."""
    none = caps(usd=0.0, all_usd=0.0)

    assert await take_documents(logs[0], none, 1) is None
    with pytest.raises(BudgetExceededError, match=r"may spend \$0 today"):
        await AllowanceBudget(logs[0], none, patience_s=0.0).reserve("t", 0.01)


ASKED = st.lists(st.tuples(st.integers(0, 5), st.floats(0, 0.4)), min_size=1, max_size=8)


def test_a_refusal_by_one_cap_takes_nothing_from_another(tmp_path):
    """Whatever is asked in whatever order: both count the same, and neither more than its cap."""
    log, days = RunLog(f"sqlite:///{tmp_path / 'runlog.sqlite'}"), itertools.count()

    @settings(max_examples=25, deadline=None)
    @given(asked=ASKED, documents=st.integers(0, 9), all_documents=st.integers(0, 9))
    def check(asked, documents, all_documents):
        asyncio.run(take_all(log, f"day {next(days)}", asked, documents, all_documents))

    check()
    log.close()


async def take_all(log, day, asked, documents, all_documents):
    """What both allowances of a day come to."""
    given_caps = caps(documents=documents, all_usd=0.8, all_documents=all_documents)
    own = [replace(cap, name=f"{day}{cap.name}") for cap in given_caps]
    taken = [(count, usd) for count, usd in asked if await take_documents(log, own, count, usd=usd) is None]
    expected = (sum(count for count, _ in taken), sum(usd for _, usd in taken), 0.0)

    assert await state(log, own[0].name) == pytest.approx(expected)
    assert await state(log, own[1].name) == pytest.approx(expected)
    assert expected[0] <= min(documents, all_documents)
    assert expected[1] <= 0.8 + 1e-9
