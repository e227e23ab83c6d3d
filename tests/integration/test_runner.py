"""Many documents through the runner: order, resume, money, and stopping."""

from __future__ import annotations

import asyncio
import gc

import pytest

from cupel.errors import BudgetExceededError, ProviderRefusedError, SettingError
from cupel.models.errors import ProviderCallError
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from tests.integration.cascade import ACCEPTS, TEXT, enrich_all, job, models, record

TEXTS = [f"{TEXT} This is speech number {n}." for n in range(20)]


async def test_outcomes_come_back_in_the_order_of_the_rows(project):
    """The slowest document does not overtake, and none is dropped."""

    async def slow_first(messages, schema):
        await asyncio.sleep(0.2 if "number 0." in messages[-1]["content"] else 0)
        return record()

    with models(cheap=slow_first):
        outcomes, _ = await enrich_all(project, job(project, judge="never"), TEXTS)

    assert [outcome["doc_id"] for outcome in outcomes] == [f"d{n}" for n in range(20)]


async def test_the_same_run_again_calls_no_model_and_gives_the_same_outcomes(project):
    """Outcomes come from the run log; costs and latencies included."""
    with models(cheap=record(), judge=ACCEPTS):
        first, _ = await enrich_all(project, job(project), TEXTS)
    with models():
        again, runner = await enrich_all(project, job(project), TEXTS)

    assert again == first
    assert runner.tally.calls == {}
    assert runner.progress.reused == 20


async def test_a_changed_setting_asks_again_only_what_it_changes(project):
    """Another judge setting is another run, but the cheap records were paid for already."""
    with models(cheap=record()):
        await enrich_all(project, job(project, judge="never"), TEXTS)
    with models(judge=ACCEPTS) as made:
        _, runner = await enrich_all(project, job(project), TEXTS)

    assert runner.tally.calls == {"scripted:judge": 20}
    assert made["cheap"].requests == []


async def test_identical_documents_in_flight_are_asked_once(project):
    """Ten rows with the same text and id-less prompt share one paid call."""
    rows = [Row(position=n, values={}, text=TEXT, doc_id=None) for n in range(10)]
    with models(cheap=record()) as made:
        async with Runner(job(project, judge="never"), project, env={}) as runner:
            outcomes = [outcome async for _, outcome in runner.outcomes(rows)]

    assert len(made["cheap"].requests) == 1
    assert {outcome["status"] for outcome in outcomes} == {"accepted"}


async def test_a_wrong_key_stops_the_run_at_once_and_keeps_what_is_done(project):
    """The first refusal ends it: no further call, finished rows kept, the others pending."""
    refusal = ProviderCallError("invalid api key", model="scripted:cheap", status=401)

    def answer(messages, schema):
        return record() if "number 0." in messages[-1]["content"] else refusal

    made = job(project, judge="never", concurrency=1)
    with models(cheap=answer) as scripts:
        outcomes, runner = await enrich_all(project, made, TEXTS)

    assert isinstance(runner.stop.error, ProviderRefusedError)
    assert outcomes[0]["status"] == "accepted"
    assert outcomes[1:] == [None] * 19
    assert len(scripts["cheap"].requests) == 2


async def test_a_missing_key_is_said_before_the_first_document(project):
    """The text names the variable and the alternatives."""
    with pytest.raises(SettingError, match=r"GROQ_API_KEY.*--profile offline"):
        await enrich_all(project, job(project, cheap_model="groq:openai/gpt-oss-20b"), TEXTS)


async def test_a_spending_cap_is_never_exceeded_and_the_run_goes_on_under_a_higher_one(project, monkeypatch):
    """Every call reserves its highest cost first; what is paid is not paid again."""
    prices = {"CUPEL_PRICES": "scripted:cheap=1/2"}
    made = job(project, judge="never", concurrency=4, max_usd=0.01, max_output_tokens=500)
    rows = [Row(position=n, values={}, text=text, doc_id=f"d{n}") for n, text in enumerate(TEXTS)]
    with models(cheap=record()):
        async with Runner(made, project, env=prices) as runner:
            first = [outcome async for _, outcome in runner.outcomes(rows)]
        async with Runner(job(project, judge="never", max_output_tokens=500), project, env=prices) as second:
            finished = [outcome async for _, outcome in second.outcomes(rows)]

    done = sum(outcome is not None for outcome in first)
    assert isinstance(runner.stop.error, BudgetExceededError)
    assert 0 < done < 20
    assert runner.tally.total_usd <= 0.01
    assert second.tally.calls["scripted:cheap"] == 20 - done
    assert all(outcome["status"] == "accepted" for outcome in finished)


async def test_a_cap_on_a_model_of_unknown_price_is_refused(project):
    """A cap that cannot be kept is not promised."""
    made = job(project, judge="never", max_usd=1.0, cheap_model="openai:nobody-knows")
    with models() as _:
        async with Runner(made, project, env={"OPENAI_API_KEY": "x"}) as runner:
            outcomes = [
                o async for _, o in runner.outcomes([Row(position=0, values={}, text=TEXT, doc_id="a")])
            ]

    assert outcomes == [None]
    assert "CUPEL_PRICES" in str(runner.stop.error)


async def test_asked_to_stop_it_finishes_what_is_in_flight_and_starts_nothing_more(project):
    """After Ctrl-C paid calls land in the run log and the rest stays pending."""
    started = asyncio.Event()

    async def answer(messages, schema):
        started.set()
        await asyncio.sleep(0.1)
        return record()

    made = job(project, judge="never", concurrency=2)
    rows = [Row(position=n, values={}, text=text, doc_id=f"d{n}") for n, text in enumerate(TEXTS)]
    with models(cheap=answer) as scripts:
        async with Runner(made, project, env={}) as runner:

            async def press():
                await started.wait()
                runner.stop.interrupt()

            pressed = asyncio.create_task(press())
            outcomes = [outcome async for _, outcome in runner.outcomes(rows)]
            await pressed

    done = [outcome for outcome in outcomes if outcome is not None]
    assert len(done) == len(scripts["cheap"].requests) == 2
    assert len(outcomes) == 20


async def test_failed_documents_are_asked_anew_only_when_told_so(project):
    """`--retry-failed` takes only those, and the old outcome stands until the new one does."""
    bad = "no JSON"
    with models(cheap=bad, strong=bad):
        first, _ = await enrich_all(project, job(project, judge="never"), TEXTS[:3])
    with models():
        same, _ = await enrich_all(project, job(project, judge="never"), TEXTS[:3])
    with models(cheap=record()):
        better, runner = await enrich_all(project, job(project, judge="never", retry_failed=True), TEXTS[:3])

    assert [outcome["status"] for outcome in first] == ["failed"] * 3
    assert same == first
    assert [outcome["status"] for outcome in better] == ["accepted"] * 3
    assert runner.tally.calls["scripted:cheap"] == 3


async def test_a_fault_in_a_node_is_that_documents_outcome_and_is_tried_again(project):
    """An exception nobody foresaw fails one document, not the run."""

    class Broken:
        async def ainvoke(self, given, config, context):
            raise ZeroDivisionError("in my node")

    rows = [Row(position=0, values={}, text=TEXT, doc_id="a")]
    with models(cheap=record(), judge=ACCEPTS):
        async with Runner(job(project), project, env={}, graph=Broken()) as runner:
            outcomes = [outcome async for _, outcome in runner.outcomes(rows)]
        async with Runner(job(project), project, env={}) as runner:
            again = [outcome async for _, outcome in runner.outcomes(rows)]

    assert outcomes[0]["reasons"] == ["the graph failed: ZeroDivisionError: in my node"]
    assert again[0]["status"] == "accepted"


async def test_while_it_runs_the_cycle_collector_is_asked_seldom(project):
    """Its walks over hundreds of documents under way find nothing, and cost a third of the processor time."""
    found = []

    def noting(messages, schema):
        found.append(gc.get_threshold()[0])
        return record()

    before = gc.get_threshold()
    with models(cheap=noting):
        await enrich_all(project, job(project, judge="never"), TEXTS[:1])

    assert found == [10_000]
    assert gc.get_threshold() == before
