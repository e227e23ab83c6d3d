"""What a run will take, from a sample of its rows and what the run log knows, without asking a model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cupel.context import RunContext
from cupel.errors import SettingError
from cupel.limits import read_limits
from cupel.models import resolve_models
from cupel.routing import Prerouter
from cupel.runlog.store import StoredResponse, open_run_log
from cupel.runs.planning.planner import Look, look_through, plan_run
from cupel.runs.planning.sizes import SizedDocument, Sizer
from cupel.runs.planning.stored import note_plan
from cupel.tables.reading import open_table
from cupel.task.folder import load_task
from tests.unit.runs.stand_in import MODELS, call, job_of, outcome

PRICES = {"CUPEL_PRICES": ",".join(f"{model}=1/10" for model in MODELS.values())}
SPEECH = "We should tax the rich, and we should do so number {} times."


@pytest.fixture
def run_log(small):
    """The run log of the test's project."""
    opened = open_run_log(small.state, {})
    yield opened
    opened.close()


@pytest.fixture
def table(tmp_path):
    """A table of these texts, on a topic."""

    def table(*texts):
        path = tmp_path / "speeches.jsonl"
        path.write_text("".join(json.dumps({"text": text, "topic": "a tax"}) + "\n" for text in texts))
        return open_table(path, inputs={"topic": "topic"})

    return table


def speeches(count):
    """That many texts."""
    return [SPEECH.format(n) for n in range(count)]


async def plan(small, table, *, run_log=None, env=None, **more):
    """A plan for the stance task."""
    settings = {name: more.pop(name) for name in list(more) if name in RunContext.model_fields}
    context = RunContext(**{**MODELS, **settings})
    return await plan_run(table, job_of(small).task, context, run_log=run_log, env=env or {}, **more)


def tier(plan, name):
    """One tier of a plan."""
    return next(tier for tier in plan.tiers if tier.tier == name)


def went(doc_id, *, escalated=False, model="scripted:cheap", n=0):
    """An outcome whose calls have been paid, judged, and perhaps refined and escalated."""
    attempts = [
        {"number": 1, "tier": "cheap", "model": model, "calls": [call(f"{n}c"), call(f"{n}v", "verify")]}
    ]
    if escalated:
        strong = call(f"{n}s", model="scripted:strong")
        attempts.append({"number": 2, "tier": "strong", "model": "scripted:strong", "calls": [strong]})
    shown = {"round": 0, "prompt_version": "v", "record": {}, "error": None, "error_kind": None, "score": None,
             "confidence": None, "calibrated": False, "in_doubt": False, "doubts": [], "signals": {}, "evidence": []}  # fmt: skip
    verdict = {"attempt": 1, "verdict": "accepted", "model": "scripted:judge", "findings": [], "code_findings": [],
               "advisory": False, "score": 1.0, "reason": "", "calls": [call(f"{n}j", "judge", "scripted:judge")]}  # fmt: skip
    addendum = {"tier": "cheap", "round": 1, "after_attempt": 1, "instructions": [], "criteria": [], "dropped": [],
                "model": "scripted:refiner", "calls": [call(f"{n}r", "refine", "scripted:refiner")]}  # fmt: skip
    return outcome(
        doc_id, attempts=[{**shown, **each} for each in attempts], verdicts=[verdict],
        addenda=[addendum] if escalated else [],
    )  # fmt: skip


async def remember(run_log, small, outcomes, **more):
    """A past run of the stance task with these outcomes."""
    job = job_of(small, **more)
    settings = {"context": job.context.model_dump(mode="json"), "graph": "enrich"}
    settings["models"] = resolve_models(job.context, {}).all()
    await run_log.start_run(
        {"run_id": "past", "task": "stance", "task_identity": job.task.identity, "input_name": "x",
         "output_name": None, "settings": json.dumps(settings), "kind": "run"}
    )  # fmt: skip
    for n, each in enumerate(outcomes):
        await run_log.save_outcome(f"k{n}", "past", each, SPEECH.format(n), position=n, tries=1)


def test_rows_that_ask_nothing_are_counted_in_the_whole_table_and_never_sampled(table):
    """A repeated text, an empty one: the sample is of those that will be asked about, however few they are."""
    rows = table(*[SPEECH.format(n % 30) for n in range(300)], "", " ")
    seen = look_through(rows, Look(None, 20, 7))
    few = look_through(table(*["the very same"] * 500), Look(None, 5, 7))

    assert (seen.asked, seen.repeats, seen.unusable) == (30, 270, 2)
    assert len({each.text for each in seen.documents}) == len(seen.documents) > 0
    assert (few.asked, len(few.documents)) == (1, 1)


async def test_without_history_the_defaults_are_used_and_called_assumed(small, table):
    """Every tier that has a model is planned for, and its range is wide."""
    made = await plan(small, table(*speeches(30)))

    assert [tier.tier for tier in made.tiers] == ["cheap", "strong", "judge", "refine"]
    assert (made.documents, made.history, made.answered) == (30, 0, None)
    assert tier(made, "cheap").calls.expected == pytest.approx(33.4, rel=0.05)
    assert made.shares["escalated"].low < 0.2
    assert made.shares["escalated"].high > 0.4
    assert "is assumed, for lack of history" in made.assumptions[0]
    assert any("tokens of cheap, strong, judge, refine are guessed" in said for said in made.assumptions)


async def test_history_of_the_same_models_replaces_the_defaults(small, table, run_log):
    """How far documents went, what their calls took and how long is learnt from the run log."""
    await remember(run_log, small, [went(f"d{n}", escalated=n < 10, n=n) for n in range(40)])
    made = await plan(small, table(*speeches(40)), run_log=run_log)

    assert (made.history, tier(made, "cheap").seen, tier(made, "strong").seen) == (40, 40, 10)
    assert made.shares["escalated"].expected == pytest.approx(0.25, abs=0.02)
    assert made.shares["refined"].expected == pytest.approx(0.25, abs=0.02)
    assert tier(made, "cheap").output_tokens.expected == pytest.approx(40 * 10, rel=0.05)
    assert "40 earlier documents" in made.assumptions[0]
    assert made.seconds.expected == pytest.approx(2.0 * (40 + 10 + 40 + 10) / 16, rel=0.25)


async def test_history_under_other_settings_says_nothing_about_how_far_documents_go(small, table, run_log):
    """The cheap model's tokens are still its own."""
    await remember(run_log, small, [went(f"d{n}", n=n) for n in range(10)], judge="never")
    made = await plan(small, table(*speeches(10)), run_log=run_log)

    assert (made.history, tier(made, "cheap").seen) == (0, 10)


async def test_a_call_that_two_steps_share_is_counted_once(small, table, run_log):
    """The run log answers a repeated question, so nobody waits or pays for it again."""
    await remember(run_log, small, [went(f"d{n}", n=0) for n in range(5)])
    twice = went("d9", n=9)
    twice["attempts"].append({**twice["attempts"][0], "number": 2})
    await remember(run_log, small, [twice])
    made = await plan(small, table(*speeches(5)), run_log=run_log)

    assert tier(made, "cheap").seen == 5


async def test_rows_whose_first_answers_are_paid_are_counted(small, table, run_log):
    """The requests of a plan are the very ones a run sends."""
    rows = table(*speeches(3))
    job = job_of(small)
    sizer = Sizer(job.task, job.context, resolve_models(job.context, {}))
    first = next(iter(rows))
    (request,) = sizer.extractions("scripted:cheap", SizedDocument.of(first.text, None, first.inputs))
    stored = StoredResponse(key=request.key, kind="extract", model="scripted:cheap", text="{}")
    await run_log.save_response(stored)

    assert (await plan(small, rows, run_log=run_log)).answered == 1


async def test_cost_is_tokens_times_price_and_an_unknown_price_is_named(small, table):
    """What a model of unknown price will cost is not known, rather than 0."""
    priced = await plan(small, table(*speeches(10)), env=PRICES)
    unpriced = await plan(small, table(*speeches(10)), cheap_model="openai:nobody-knows")
    cheap = tier(priced, "cheap")

    assert cheap.cost_usd.expected == pytest.approx(
        (cheap.input_tokens.expected + 10 * cheap.output_tokens.expected) / 1e6
    )
    assert tier(unpriced, "cheap").cost_usd is None
    assert unpriced.unpriced == ("openai:nobody-knows",)


async def test_time_is_unknown_until_a_model_was_timed(small, table):
    """A model elsewhere that never answered here may take any time."""
    made = await plan(small, table(*speeches(3)), cheap_model="openai:gpt-4o-mini", judge="never")

    assert made.seconds is None
    assert "time is unknown: no answer of cheap was ever timed here" in made.assumptions[-2]


async def test_rows_without_a_usable_text_cost_nothing_and_a_long_one_is_planned_as_its_windows(small, table):
    """An extraction asks about every window of a text."""
    made = await plan(small, table("", "We should. " * 3000))

    assert made.unusable == 1
    assert made.windows.expected >= 3
    assert tier(made, "cheap").calls.expected > 3


async def test_a_thinking_model_and_a_sample_are_said_among_the_assumptions(small, table):
    """Whoever reads a plan sees what it rests on."""
    made = await plan(small, table(*speeches(30)), sample=10, cheap_model="groq:openai/gpt-oss-20b")

    assert any("groq:openai/gpt-oss-20b may think before answering" in said for said in made.assumptions)
    assert any("sizes come from 10 of 30 rows" in said for said in made.assumptions)


async def test_without_a_judge_nothing_is_planned_for_one(small, table):
    """Nor for a refiner, who answers a judge; and with no strong model nothing is escalated."""
    made = await plan(small, table(*speeches(3)), judge="never", strong_model="none")

    assert [tier.tier for tier in made.tiers] == ["cheap"]
    assert "none judged" in made.assumptions[0]


async def test_a_jury_is_priced_as_so_many_judges(small, table):
    """Three jurors on every record are three judges more."""
    jurors = ("scripted:a", "scripted:b")
    made = await plan(small, table(*speeches(3)), jury="always", jury_models=jurors)
    doubted = await plan(small, table(*speeches(3)), jury="doubt", jury_models=jurors)
    alone = await plan(small, table(*speeches(3)))

    assert tier(made, "judge").calls.expected == pytest.approx(3 * tier(alone, "judge").calls.expected)
    assert (
        tier(alone, "judge").calls.expected
        < tier(doubted, "judge").calls.expected
        < 2 * tier(alone, "judge").calls.expected
    )


async def test_a_plan_as_json_is_rounded_for_its_reader(small, table):
    """An estimate has what is expected and the ends of its interval."""
    made = (await plan(small, table(*speeches(3)), env=PRICES)).to_json()

    assert set(made["calls"]) == {"expected", "low", "high"}
    assert (made["documents"], made["unknown_price"], made["tiers"][0]["tier"]) == (3, [], "cheap")
    assert json.loads(json.dumps(made)) == made


async def test_a_resumed_run_is_held_against_its_first_plan(small, table, run_log):
    """Over more rows it has a new one."""
    await remember(run_log, small, [])
    job = job_of(small)

    async def noted(rows):
        return await note_plan(
            run_log, "past", rows, job.task, job.context, env={}, concurrency=16, graph="enrich"
        )

    first, again, longer = [await noted(table(*speeches(count))) for count in (3, 3, 5)]

    assert first == again == {**first, "documents": 3}
    assert longer["documents"] == 5


async def test_a_plan_that_cannot_be_made_is_none(small, table, run_log):
    """The run itself says what is wrong with its models."""
    context = RunContext(**{**MODELS, "cheap_model": "nobody:knows"})
    task, rows = job_of(small).task, table("a")

    with pytest.raises(SettingError):
        await plan_run(rows, task, context, env={})
    assert await note_plan(run_log, "r", rows, task, context, env={}, concurrency=1, graph="enrich") is None


@pytest.mark.parametrize(
    ("signals", "calls"),
    [
        pytest.param("self_consistency", 4, id="four more records of the cheap model"),
        pytest.param("self_verified", 8, id="eight answers to whether the record is right"),
        pytest.param("self_consistency,self_verified", 12, id="both"),
    ],
)
async def test_what_a_signal_asks_of_the_cheap_model_is_counted(small, table, signals, calls):
    """It is a line of its own, with its cost; without the signal there is none."""
    rows = table(*speeches(20))
    without = await plan(small, rows, env=PRICES, judge="never")
    made = await plan(small, rows, env=PRICES, judge="never", signals=signals)

    asked = tier(made, "sample")
    assert [each.tier for each in without.tiers] == ["cheap", "strong"]
    assert asked.model == "scripted:cheap"
    assert asked.calls.low <= 20 * calls <= asked.calls.high
    assert asked.cost_usd.expected > 0
    assert made.calls.expected == pytest.approx(without.calls.expected + asked.calls.expected, rel=0.01)


async def test_asking_questions_back_is_counted_once_a_record(project, table):
    """It is a line of its own, of the cheap model, for a task that has it only."""
    rows = table(*speeches(20))
    context = RunContext(**MODELS, judge="never")
    made = await plan_run(rows, load_task("questions", project.prompts), context, env=PRICES)
    without = await plan_run(rows, load_task("summary", project.prompts), context, env=PRICES)

    asked = tier(made, "answer")
    assert [each.tier for each in without.tiers] == ["cheap", "strong"]
    assert asked.model == "scripted:cheap"
    assert asked.calls.low >= 20
    assert asked.cost_usd.expected > 0


async def test_what_a_signal_took_before_is_learnt_by_itself(small, table, run_log):
    """What the cheap model was asked about its own records says nothing about the second model, nor of runs without."""
    outcomes = [went(f"d{n}", n=n) for n in range(4)]
    settings = {"signals": "self_verified"}
    await remember(run_log, small, outcomes, **settings)
    made = await plan(small, table(*speeches(4)), run_log=run_log, **settings)
    without = await plan(small, table(*speeches(4)), run_log=run_log)

    assert (tier(made, "sample").seen, made.history) == (4, 4)
    assert without.history == 0


async def test_documents_that_a_prerouter_passes_on_are_not_asked_of_the_cheap_model(small, table):
    """The router looks at the very texts; what it sends to the strong model is counted there."""
    rows = table(*(f"{SPEECH.format(n)}{' Budget!' if n % 4 == 0 else ''}" for n in range(20)))

    class Gain:
        def __call__(self, texts):
            return np.array([float("Budget" in text) for text in texts])

    words = Prerouter(gain=Gain(), threshold=0.5, name="by words")
    made = await plan(small, rows, judge="never", router=words)

    assert tier(made, "cheap").steps_per_document.expected == pytest.approx(0.75)
    assert tier(made, "strong").steps_per_document.low >= 0.25
    assert "25% of the documents" in made.assumptions[0]


async def test_in_batches_it_costs_half_and_nobody_knows_how_long_it_takes(small, table):
    """Only where the provider has a batch API."""
    rows = table(*speeches(20))
    openai = {"cheap_model": "openai:gpt-4o-mini", "strong_model": "none", "judge": "never"}
    single = await plan(small, rows, **openai)
    batch = await plan(small, rows, **openai, batch=True)
    elsewhere = await plan(small, rows, env=PRICES, judge="never", batch=True)

    assert batch.cost_usd.expected == pytest.approx(single.cost_usd.expected / 2)
    assert batch.cheap_only.cost_usd.expected == pytest.approx(single.cheap_only.cost_usd.expected / 2)
    assert batch.seconds is None
    assert elsewhere.seconds is not None
    assert "none of these models" in elsewhere.assumptions[0]


@pytest.mark.parametrize(
    ("limits", "least_s"),
    [
        pytest.param("scripted:*=rpm:5", 180, id="requests a minute"),
        pytest.param("*=rpd:10", 86_400, id="requests a day"),
        pytest.param("scripted:cheap=rpm:5;*=rpm:1000", 180, id="the closest name wins"),
        pytest.param("openai:*=rpm:1", 0, id="another provider's"),
    ],
)
async def test_ones_own_limits_are_time(small, table, limits, least_s):
    """Twenty calls at five a minute take three minutes: the first five go at once."""
    rows = table(*speeches(20))
    made = await plan(small, rows, strong_model="none", judge="never", limits=read_limits(limits))

    assert made.seconds.expected >= least_s
    assert made.seconds.expected < 1.3 * least_s + 5
