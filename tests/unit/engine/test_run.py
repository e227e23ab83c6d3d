"""A document's place among those at work, and what a stop makes of those that wait."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings, strategies as st

from cupel.engine.run import Seat


async def test_who_gets_up_lets_another_work_and_comes_back_when_there_is_a_place():
    """Two documents, one place: the first one waits for its provider, the second one works meanwhile."""
    room, seen = asyncio.Semaphore(1), []

    async def first():
        async with Seat(room) as seat:
            seen.append("first sits")
            async with seat.up():
                await asyncio.sleep(0.01)
                seen.append("the provider answers")
            seen.append("first sits again")

    async def second():
        async with Seat(room):
            seen.append("second sits")
            await asyncio.sleep(0.03)
            seen.append("second is done")

    await asyncio.gather(first(), second())

    assert seen == [
        "first sits", "second sits", "the provider answers", "second is done", "first sits again",
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    places=st.integers(1, 3),
    documents=st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=4), min_size=1, max_size=6
    ),
)
def test_whatever_waits_at_once_there_are_never_more_at_work_than_places_and_none_is_lost(places, documents):
    """Several calls of one document wait together, some of them end in an error."""

    async def one(room, calls, at_work):
        async def call(seat, ticks, fails):
            async with seat.up():
                for _ in range(ticks):
                    await asyncio.sleep(0)
                if fails:
                    raise ValueError("away for good")

        async with Seat(room) as seat:
            await asyncio.gather(*(call(seat, *each) for each in calls), return_exceptions=True)
            if not any(fails for _, fails in calls):
                at_work.add(seat)
                assert len(at_work) <= places
                await asyncio.sleep(0)
                at_work.discard(seat)

    async def main():
        room, at_work = asyncio.Semaphore(places), set()
        await asyncio.gather(*(one(room, calls, at_work) for calls in documents))
        for _ in range(places):
            await asyncio.wait_for(room.acquire(), 1)
        assert room.locked()

    asyncio.run(main())


async def test_an_error_while_it_is_up_gives_no_place_back_twice():
    """The place was given up before: what ends the wait ends the document."""
    room = asyncio.Semaphore(1)
    with pytest.raises(ValueError, match="away for good"):
        async with Seat(room) as seat, seat.up():
            raise ValueError("away for good")

    await asyncio.wait_for(room.acquire(), 1)
    assert room.locked()
