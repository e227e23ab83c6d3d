"""What a provider bills is what is booked, in every dialect, and a cap holds but for what is in flight."""

from __future__ import annotations

import asyncio

import pytest

from cupel.engine import Asking, Run, Runtime
from cupel.engine.requests import Request
from cupel.errors import BudgetExceededError
from cupel.limits import Budget
from cupel.models.settings import CallSettings
from tests.integration.bills import DIALECTS, MODEL, OUT, PRICES, Biller, thinking

CALLS, AT_ONCE, REPLY_TOKENS = 24, 4, 100
THOUGHTS = 900
"""Far beyond the output limit: what is set aside at first is a tenth of what is billed."""

SOME_CAPS = (0.03, 0.2)
CAPS = tuple(round(0.0005 * 1.9**step, 4) for step in range(10))
"""From less than one call may cost to more than all of them are billed."""


async def spend(project, monkeypatch, dialect, cap):
    """Calls under a cap, several at once; the provider's bill, what the run log has booked, and who was turned away."""
    biller = Biller(dialect, thinking(seed=7, most_thoughts=THOUGHTS))
    with biller.provider() as provider:
        for name, value in (provider.environment() | PRICES).items():
            monkeypatch.setenv(name, value)
        runtime = Runtime(project)
        run = Run(run_id="spends", budget=Budget(cap), stops=True)
        gate = asyncio.Semaphore(AT_ONCE)

        async def call(number):
            async with gate:
                await runtime.calls.complete(request(number, run))

        done = await asyncio.gather(*map(call, range(CALLS)), return_exceptions=True)
        booked = await runtime.run_log.spent_usd("spends")
        await runtime.aclose()
    turned_away = [error for error in done if error is not None]
    assert all(isinstance(error, BudgetExceededError) for error in turned_away)
    return biller.bill, booked, len(turned_away), run


def request(number, run):
    """A short question with a short reply allowed."""
    return Request(
        kind="extract", model=MODEL, messages=[{"role": "user", "content": f"Question {number}?"}], schema=None,
        schema_name="r", doc_id=f"d{number}", text="", settings=CallSettings(max_output_tokens=REPLY_TOKENS),
        asking=Asking(run=run),
    )  # fmt: skip


async def check_bill(project, monkeypatch, dialect, cap):
    """Booked is billed; the cap is passed by no more than the first calls in flight are billed beyond their reservation."""
    bill, booked, turned_away, run = await spend(project, monkeypatch, dialect, cap)

    reserved = REPLY_TOKENS * OUT / 1e6
    beyond = AT_ONCE * max(0.0, max(bill, default=0.0) - reserved)
    assert booked == pytest.approx(sum(bill), abs=1e-12)
    assert run.tally.total_usd == pytest.approx(sum(bill), abs=1e-12)
    assert sum(bill) <= cap + beyond
    assert len(bill) + turned_away == CALLS
    return bill, turned_away


@pytest.mark.parametrize("cap", SOME_CAPS)
@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_booked_is_billed_and_the_cap_holds_but_for_what_is_in_flight(
    project, monkeypatch, dialect, cap
):
    """Thoughts beyond the output limit are paid for once by surprise; then as much is set aside."""
    bill, turned_away = await check_bill(project, monkeypatch, dialect, cap)

    assert bool(turned_away) == (cap == min(SOME_CAPS))
    assert bill


@pytest.mark.soak
@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_bills_in_five_dialects_under_ten_caps_each(project, monkeypatch, dialect, cap):
    """From a cap that allows no call to one that allows all of them."""
    await check_bill(project, monkeypatch, dialect, cap)


async def test_calls_that_wait_for_room_set_aside_what_was_learnt_meanwhile(project, monkeypatch):
    """A reservation made before anybody knew how much is billed does not let a waiting call through."""
    monkeypatch.setattr("tests.integration.test_bills.AT_ONCE", CALLS)
    reserved = REPLY_TOKENS * OUT / 1e6
    bill, _, turned_away, _ = await spend(project, monkeypatch, "openai", 3 * reserved)

    assert len(bill) <= 3
    assert turned_away == CALLS - len(bill)
