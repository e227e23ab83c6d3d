"""Caps on spending: never exceeded, exact, and kept across a kill."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, strategies as st

from cupel.errors import BudgetExceededError, SettingError
from cupel.limits.budget import Budget


async def test_a_call_that_might_exceed_the_cap_is_not_made():
    """The highest cost counts before the call, not after."""
    budget = Budget(1.0)
    (await budget.reserve(0.6)).settle(0.5)

    with pytest.raises(BudgetExceededError, match=r"\$0.500000 of \$1.000000 is spent .* \$0.510000"):
        await budget.reserve(0.51)


@pytest.mark.parametrize("usd", [0.1, 0.017, 0.067, 7.7e-06])
async def test_exactly_the_cap_may_be_spent(usd):
    """Ten times ten cents is a dollar, whatever floats say."""
    budget = Budget(10 * usd)
    for _ in range(10):
        (await budget.reserve(usd)).settle(usd)

    with pytest.raises(BudgetExceededError):
        await budget.reserve(1e-9)


async def test_a_call_waits_while_reservations_may_still_free_room():
    """Reservations are worst cases; what they leave goes to those who wait, in order."""
    budget, order = Budget(1.0), []
    first = await budget.reserve(0.9)

    async def later(name, usd):
        await budget.reserve(usd)
        order.append(name)

    tasks = [asyncio.create_task(later("second", 0.5)), asyncio.create_task(later("third", 0.1))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert order == []

    first.settle(0.2)
    await asyncio.gather(*tasks)

    assert order == ["second", "third"]


async def test_a_call_that_waits_is_refused_once_no_room_can_come():
    """What was freed is not enough, and nothing else is under way."""
    budget = Budget(1.0)
    first = await budget.reserve(0.9)
    waiting = asyncio.create_task(budget.reserve(0.5))
    await asyncio.sleep(0)
    first.settle(0.8)

    with pytest.raises(BudgetExceededError):
        await waiting


async def test_a_released_reservation_costs_nothing():
    """A reservation is released for a call that was never billed."""
    budget = Budget(1.0)
    (await budget.reserve(1.0)).settle(0.0)

    await budget.reserve(1.0)


async def test_a_reservation_ends_once():
    """Settling twice would count twice."""
    reservation = await Budget(1.0).reserve(0.1)
    reservation.settle(0.1)

    with pytest.raises(ValueError, match="before"):
        reservation.settle(0.1)


async def test_what_was_under_way_at_a_kill_counts_as_spent():
    """The provider may have billed it; the run log's sum of both restores the budget."""
    budget = Budget(1.0, spent_usd=0.4 + 0.5)

    (await budget.reserve(0.1)).settle(0.0)
    with pytest.raises(BudgetExceededError):
        await budget.reserve(0.11)


async def test_a_cost_above_its_reservation_is_recorded_as_it_is():
    """The truth counts, and the next calls find less room."""
    budget = Budget(1.0)
    (await budget.reserve(0.1)).settle(0.95)

    with pytest.raises(BudgetExceededError):
        await budget.reserve(0.1)


async def test_a_cancelled_wait_holds_nothing():
    """A call that is cancelled holds nothing, neither while it waits nor when its turn came at the same moment."""
    budget = Budget(1.0)
    first = await budget.reserve(1.0)
    waiting = asyncio.create_task(budget.reserve(1.0))
    await asyncio.sleep(0)
    first.settle(0.0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    await budget.reserve(1.0)


@pytest.mark.parametrize("cap", [-1.0, float("nan"), float("inf")])
def test_absurd_caps_are_refused(cap):
    """The message says what would be valid."""
    with pytest.raises(SettingError, match="from 0 up"):
        Budget(cap)


async def test_a_cap_of_nothing_lets_free_calls_through():
    """A local model costs nothing."""
    budget = Budget(0.0)
    (await budget.reserve(0.0)).settle(0.0)

    with pytest.raises(BudgetExceededError):
        await budget.reserve(0.000001)


@given(
    cap=st.floats(0.0, 2.0),
    calls=st.lists(st.tuples(st.floats(0.0, 0.5), st.floats(0.0, 1.0)), max_size=40),
    seed=st.integers(0, 1_000),
)
def test_no_order_of_calls_exceeds_the_cap(cap, calls, seed):
    """Many at once, each costing at most what it reserved, ending in any order; none waits for ever."""
    order = random.Random(seed)

    async def main():
        budget, under_way, spent, most = Budget(cap), 0.0, 0.0, 0.0

        async def call(usd, share):
            nonlocal under_way, spent, most
            try:
                reservation = await budget.reserve(usd)
            except BudgetExceededError:
                return
            under_way += usd
            most = max(most, spent + under_way)
            for _ in range(order.randrange(4)):
                await asyncio.sleep(0)
            reservation.settle(usd * share)
            under_way -= usd
            spent += usd * share

        await asyncio.wait_for(asyncio.gather(*(call(*c) for c in calls)), timeout=10)
        return most

    assert asyncio.run(main()) <= cap + 1e-9
