"""Where a document goes after each node, as tables: no graph is needed to see it."""

import pytest

from nodes.judge import route_after_judge
from nodes.prepare import route_after_prepare
from nodes.refine import route_after_refine
from nodes.route import route_after_route
from nodes.verify import route_after_verify
from tests.unit.cascade.factory import attempt, failed, state, verdict

STRONG = attempt(number=2, tier="strong")


@pytest.mark.parametrize(
    ("document", "settings", "expected"),
    [
        pytest.param(state(), {}, "ready", id="usable"),
        pytest.param(state(), {"prerouter": "router.json"}, "to be routed", id="usable, with a pre-router"),
        pytest.param(state(problem="empty"), {"prerouter": "router.json"}, "unusable", id="unusable"),
    ],
)
async def test_after_prepare(under, document, settings, expected):
    """What cannot be used ends here; a pre-router sees every other document first."""
    assert await route_after_prepare(document, under(**settings)) == expected


@pytest.mark.parametrize(
    ("tier", "expected"), [("strong", "strong first"), ("cheap", "cheap first"), (None, "cheap first")]
)
async def test_after_route(tier, expected):
    """The pre-router's choice; without one the cheap model is tried first."""
    document = state(first_tier=tier) if tier else state()

    assert await route_after_route(document) == expected


@pytest.mark.parametrize(
    ("latest", "settings", "expected"),
    [
        pytest.param({"in_doubt": True}, {}, "in doubt", id="a doubtful cheap record"),
        pytest.param({"in_doubt": True, "tier": "strong"}, {}, "to be judged", id="a doubtful strong record"),
        pytest.param({}, {}, "to be judged", id="an uncalibrated acceptance"),
        pytest.param({"calibrated": True}, {"audit_share": 0.0}, "confident", id="a calibrated acceptance"),
        pytest.param(
            {"in_doubt": True, "tier": "strong"}, {"judge": "never"}, "confident", id="never judged"
        ),
    ],
)
async def test_after_verify(under, latest, settings, expected):
    """Doubt on the cheap tier goes to the strong model, the rest to the judge or straight to the end."""
    assert await route_after_verify(state(attempt(**latest)), under(**settings)) == expected


@pytest.mark.parametrize(
    ("attempts", "said", "settings", "expected"),
    [
        pytest.param([attempt()], verdict("accepted"), {}, "accepted", id="accepted"),
        pytest.param([attempt()], verdict(), {}, "rejected", id="rejected, rounds left"),
        pytest.param([attempt()], verdict(), {"max_refinements": 0}, "rounds spent", id="the cheap tier's rounds are spent"),
        pytest.param([attempt()], verdict("unknown"), {}, "for a person", id="nobody could tell"),
        pytest.param([STRONG], verdict(attempt=2), {"max_refinements": 0}, "for a person", id="the strong tier's are spent too"),
        pytest.param([attempt()], verdict(advisory=True), {}, "accepted", id="an adviser rejects"),
        pytest.param(
            [attempt()], verdict(advisory=True, code_findings=[failed("quote")]), {}, "rejected", id="code rejects under an adviser"
        ),
        pytest.param([attempt()], verdict("unknown", advisory=True), {}, "for a person", id="an adviser cannot tell"),
        pytest.param(
            [attempt(calls=[{"key": "k", "cost_usd": 1.0}])], verdict(), {"max_usd_per_document": 1.0}, "for a person", id="the budget is spent"
        ),
    ],
)  # fmt: skip
async def test_after_judge(under, attempts, said, settings, expected):
    """Accepted ends; rejected is refined while that helps, then escalated, then shown to a person."""
    document = state(*attempts, verdicts=(said,))

    assert await route_after_judge(document, under(**settings)) == expected


@pytest.mark.parametrize("tier", ["cheap", "strong"])
async def test_after_refine(tier):
    """The tier whose record was rejected tries again."""
    assert await route_after_refine(state(addenda=[{"tier": "cheap"}, {"tier": tier}])) == tier
