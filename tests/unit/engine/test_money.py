"""One cap for several processes on one run log: two open logs stand in for two processes."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from cupel.engine.money import SharedBudget
from cupel.errors import BudgetExceededError, SettingError
from cupel.runlog.store import RunLog, StoredResponse

CAP = 1.0


@pytest.fixture
def logs(tmp_path):
    """The same run log, opened twice."""
    opened = [RunLog(f"sqlite:///{tmp_path / 'runlog.sqlite'}") for _ in range(2)]
    yield opened
    for log in opened:
        log.close()


async def budgets(logs, **more):
    """The run's cap as each of them sees it."""
    made = [SharedBudget(log, "run", CAP, **more) for log in logs]
    for budget in made:
        await budget.open()
    return made


def answer(key, usd):
    """A response that cost so much."""
    return StoredResponse(key=key, kind="extract", model="m", text="{}", cost_usd=usd, run_id="run")


async def test_two_processes_together_never_pass_the_cap(logs):
    """Sixty calls that may cost 10 cents and cost 3: as many are made as fit, one by one, and no more."""
    one, other = await budgets(logs)
    numbers = itertools.count()

    async def call(budget):
        token = f"t{next(numbers)}"
        await budget.reserve(token, 0.1)
        await asyncio.sleep(0.01)
        await budget.settle(token, 0.1, answer(token, 0.03))

    done = await asyncio.gather(*(call(b) for b in [one, other] * 30), return_exceptions=True)

    refused = [error for error in done if error is not None]
    spent = await logs[0].spent_usd("run")
    assert all(isinstance(error, BudgetExceededError) for error in refused)
    assert 0.9 < spent <= CAP
    assert len(done) - len(refused) == round(spent / 0.03)


async def test_what_a_lost_process_had_reserved_stays_spent(logs):
    """A run that is taken up again counts it too; nobody waits for ever for what nobody will give back."""
    one, other = await budgets(logs, patience_s=0.1)
    await one.reserve("lost", 0.7)
    with pytest.raises(BudgetExceededError, match="nobody has heard of again"):
        await other.reserve("later", 0.5)
    [again] = await budgets(logs[1:], patience_s=0.1)
    await again.reserve("fits", 0.3)

    assert await logs[0].spent_usd("run") == pytest.approx(1.0)


async def test_what_was_surely_not_billed_is_given_back_to_whoever_waits(logs):
    """The other process's call goes on as soon as there is room."""
    one, other = await budgets(logs)
    await one.reserve("refused", 0.9)
    waiting = asyncio.create_task(other.reserve("waits", 0.5))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await one.release("refused", 0.9)
    await asyncio.wait_for(waiting, timeout=5)


async def test_a_call_that_can_never_fit_is_refused_at_once(logs):
    """The refusal shows the sums."""
    one, _ = await budgets(logs)
    with pytest.raises(BudgetExceededError, match=r"\$0\.000000 of \$1\.000000 is spent .* cost \$1\.500000"):
        await one.reserve("large", 1.5)


def test_a_cap_that_is_no_number_is_refused(logs):
    """A cap that is no number is refused here as everywhere."""
    with pytest.raises(SettingError, match="max_usd=-1"):
        SharedBudget(logs[0], "run", -1)
