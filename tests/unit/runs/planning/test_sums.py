"""The plan of several tasks: what each will take, added up."""

from dataclasses import replace

from cupel.runs.planning.estimates import Estimate
from cupel.runs.planning.plan import CheapOnly, Plan, TierPlan
from cupel.runs.planning.sums import add_plans


def estimate(value):
    """An interval around a value."""
    return Estimate(value, value / 2, value * 2)


def tier(role="cheap", model="m", cost=1.0):
    """A tier that takes a hundred calls."""
    usd = None if cost is None else estimate(cost)
    return TierPlan(
        tier=role, model=model, steps_per_document=estimate(1), calls=estimate(100), input_tokens=estimate(1000),
        output_tokens=estimate(10), cost_usd=usd, seconds=estimate(5), seen=3,
    )  # fmt: skip


def plan(task, *tiers, **more):
    """A plan of a hundred documents."""
    every = tiers or (tier(),)
    return Plan(
        task=task, input_name="in.jsonl", documents=100, sampled=50, unusable=1, repeats=2, windows=estimate(99),
        document_tokens=estimate(500), tiers=every, calls=estimate(100), input_tokens=estimate(1000),
        output_tokens=estimate(10), cost_usd=estimate(1.0), cheap_only=CheapOnly(estimate(100), estimate(1.0)),
        unpriced=(), seconds=estimate(5), concurrency=8, shares={"judged": estimate(0.1)}, history=3, answered=4,
        assumptions=("so it is",), seed=7, **more,
    )  # fmt: skip


def test_a_plan_of_one_task_stays_as_it_is():
    """Nothing of it is lost."""
    assert add_plans([only := plan("a")]) is only


def test_what_tasks_take_adds_up_and_their_documents_do_not():
    """Intervals end by end; each assumption says whose it is."""
    whole = add_plans([plan("a"), plan("b", tier(), tier("strong", "big"))])

    assert (whole.task, whole.documents, whole.windows) == ("a,b", 100, estimate(99))
    assert (whole.calls, whole.cost_usd) == (Estimate(200, 100, 400), Estimate(2.0, 1.0, 4.0))
    assert [(each.tier, each.model, each.calls.expected) for each in whole.tiers] == [
        ("cheap", "m", 200), ("strong", "big", 100),
    ]  # fmt: skip
    assert whole.assumptions == ("a: so it is", "b: so it is")


def test_what_one_task_does_not_know_is_not_known_of_all():
    """A sum with a gap in it is not told as a sum."""
    unknown = replace(plan("b", tier(cost=None)), seconds=None, unpriced=("m",))
    whole = add_plans([plan("a"), unknown])

    assert (whole.seconds, whole.tiers[0].cost_usd, whole.unpriced) == (None, None, ("m",))
    assert whole.tiers[0].seconds == Estimate(10, 5, 20)
