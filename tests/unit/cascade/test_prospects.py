"""Whether one more round is worth asking for, by what the run log has seen."""

import pytest

from cupel.cascade.prospects import tell_prospects
from cupel.cascade.routes import refining_ends
from cupel.runlog import count_refinements
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from tests.integration.cascade import ACCEPTS, LOOK_AT_THE_END, REJECTS, job, models, record
from tests.unit.cascade.factory import attempt, context, failed, state, verdict, work


def writes(messages, _schema):
    """A record; told something more, another one."""
    again = "mind also" in messages[-1]["content"]
    return {
        "matter": "homes" if again else "housing", "claims": [{"id": 1, "quote": "We must build more homes"}],
        "premises": [{"quote": "Rents rose by 40 % in ten years", "supports": 1}], "stance": "support",
    }  # fmt: skip


async def refine(project, count, *, mended):
    """Documents whose first record the judge rejects for what is missing; the second one it takes, or does not."""

    def judges(messages, _schema):
        return ACCEPTS if mended and '"homes"' in messages[-1]["content"] else REJECTS

    texts = [f"Case {n}. We must build more homes. Rents rose by 40 % in ten years." for n in range(count)]
    rows = [Row(position=n, values={}, text=text, doc_id=f"d{n}") for n, text in enumerate(texts)]
    with models(
        cheap=writes, strong=record("We must build more homes"), judge=judges, refiner=LOOK_AT_THE_END
    ):
        async with Runner(job(project, max_refinements=1), project, env={}) as runner:
            async for _ in runner.outcomes(rows):
                pass
            return count_refinements(runner.runtime.run_log, "arguments", "cheap")


@pytest.mark.parametrize("mended", [True, False], ids=["mended", "in vain"])
async def test_the_log_counts_what_was_refined_and_what_that_mended(project, mended):
    """Each document counts once for each fault, whatever else was wrong with it."""
    seen = await refine(project, 4, mended=mended)

    assert {name: tuple(one) for name, one in seen.items()} == {"nothing_missing": (4, 4 if mended else 0)}


@pytest.mark.parametrize(
    ("documents", "kinds", "settings", "is_told"),
    [
        (20, ["nothing_missing"], {}, True),
        (20, ["nothing_missing", "stance_fits"], {}, False),
        (20, ["nothing_missing"], {"strong_model": "none"}, False),
        (4, ["nothing_missing"], {}, False),
    ],
    ids=["in vain", "something else too", "nowhere to go", "too few seen"],
)
async def test_what_refinement_never_mended_escalates_at_once(runtime, documents, kinds, settings, is_told):
    """Only where all that failed was refined often enough, in vain, and there is a strong tier; else the rounds are tried."""
    await refine(runtime.project, documents, mended=False)
    said = verdict(findings=[failed(kind) for kind in kinds])
    told = await tell_prospects(await work(runtime, state(attempt(), verdicts=(said,)), **settings), said)

    assert ("mending" in told) == is_told
    after = state(attempt(), verdicts=(told,))
    assert refining_ends(after, context()) == ("unmendable" if is_told else None)
