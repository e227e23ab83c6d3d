"""`cupel plan`: what it says before a run, held against what the run then takes."""

from __future__ import annotations

import asyncio
import json

import pytest
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.context import RunContext
from cupel.errors import InputError
from cupel.runlog import tables
from cupel.runlog.store import RunLog, open_run_log
from cupel.runs.planning.planner import Look, look_through, plan_run
from cupel.tables.reading import open_table
from cupel.task.folder import load_task
from cupel.testing.models import reply
from tests.integration.cascade import ACCEPTS, MODELS, REJECTS, TEXT, enrich_all, job, models, record

PRICES = ",".join(f"scripted:{role}=1/10" for role in ("cheap", "strong", "judge", "refiner"))


def write(folder, texts, name="in.jsonl"):
    """A file of documents; returns its path."""
    lines = [json.dumps({"id": f"d{n}", "text": text}) for n, text in enumerate(texts)]
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def speeches(count, words=""):
    """Different texts of about one length."""
    return [f"{TEXT} This is speech number {n}.{words}" for n in range(count)]


def plan(project, path, *, run_log: RunLog | None = None, env=None, id_column="id", **options):
    """A plan for the arguments task with scripted models, none of which may be asked."""
    settings = {name: options.pop(name) for name in list(options) if name in RunContext.model_fields}
    table = open_table(path, id_column=id_column, limit=options.pop("limit", None))
    task = load_task("arguments", project.prompts)
    with models():
        made = plan_run(
            table, task, RunContext(**{**MODELS, **settings}), run_log=run_log, env=env or {}, **options
        )
        return asyncio.run(made)


@pytest.fixture
def run_log(project):
    """The run log of the test's project."""
    opened = open_run_log(project.state, {})
    yield opened
    opened.close()


def paid_run(project, texts, **scripts):
    """A run of these texts; half of the cheap records are in doubt unless scripted otherwise."""
    given = {
        "cheap": lambda messages, _: record(stance=None if in_doubt(messages) else "support"),
        "judge": ACCEPTS,
        **scripts,
    }
    with models(**given):
        return asyncio.run(enrich_all(project, job(project), texts))


def in_doubt(messages):
    """Every other speech."""
    return int(messages[-1]["content"].rpartition("number ")[2].partition(".")[0]) % 2 == 0


def tier(made, name):
    """One tier of a plan."""
    return next(tier for tier in made.tiers if tier.tier == name)


def drawn(table, size, seed):
    """Which rows of a table are looked at closely, by their numbers."""
    seen = look_through(table, Look(None, size, seed))
    return [int(document.text.rpartition("number ")[2].rstrip(".")) for document in seen.documents]


def test_the_sample_is_drawn_from_the_whole_file_and_the_same_each_time(tmp_path):
    """It is never the first rows, as a file is often sorted."""
    table = open_table(write(tmp_path, speeches(1000)), id_column="id")
    positions = drawn(table, 50, 7)

    assert positions == drawn(table, 50, 7)
    assert len(positions) == 50
    assert max(positions) > 800
    assert 350 < sum(positions) / 50 < 650
    assert positions != drawn(table, 50, 8)


def test_a_plan_is_made_from_the_very_requests_a_run_sends(project, run_log, tmp_path):
    """After the run every first request of the plan has its answer in the run log."""
    path = write(tmp_path, speeches(6))
    before = plan(project, path, run_log=run_log)
    paid_run(project, speeches(6), cheap=record())
    after = plan(project, path, run_log=run_log)

    assert (before.answered, after.answered) == (0, 6)


def test_without_history_the_defaults_are_used_and_said(project, tmp_path):
    """Shares that nobody measured are called assumed, and their range is wide."""
    made = plan(project, write(tmp_path, speeches(40)))

    assert made.history == 0
    assert "assumed" in made.assumptions[0]
    assert made.shares["escalated"].low < 0.2
    assert made.shares["escalated"].high > 0.4


def test_history_of_the_same_models_replaces_the_defaults(project, run_log, tmp_path):
    """A cascade that never escalated is expected to escalate little, and the plan says from how many."""
    paid_run(project, speeches(40), cheap=record())
    made = plan(project, write(tmp_path, speeches(40)), run_log=run_log)

    assert made.history == 40
    assert made.shares["escalated"].expected < 0.05
    assert "40 earlier documents" in made.assumptions[0]
    assert tier(made, "judge").seen == 40


def test_history_of_other_models_says_nothing_about_how_far_documents_go(project, run_log, tmp_path):
    """Another strong model is another cascade, but the cheap model's tokens are still its own."""
    paid_run(project, speeches(20), cheap=record())
    made = plan(project, write(tmp_path, speeches(20)), run_log=run_log, strong_model="scripted:other")

    assert made.history == 0
    assert tier(made, "cheap").seen == 20


def test_tokens_are_learnt_from_the_usage_that_came_back(project, run_log, tmp_path):
    """A provider that counts twice as much as we guess is believed."""
    path = write(tmp_path, speeches(40))
    guess = tier(plan(project, path), "cheap").input_tokens.expected / 40
    usage = reply(record(), input_tokens=round(2 * guess), output_tokens=500)
    paid_run(project, speeches(40), cheap=usage)
    learnt = plan(project, path, run_log=run_log)

    assert tier(learnt, "cheap").input_tokens.expected == pytest.approx(80 * guess, rel=0.1)
    assert tier(learnt, "cheap").output_tokens.expected == pytest.approx(40 * 500, rel=0.12)


def test_a_question_asked_twice_of_one_document_is_planned_once(project, run_log, tmp_path):
    """A refiner with nothing to say makes the same request again, which the run log answers for nothing."""
    nothing = {"instructions": []}
    outcomes, runner = paid_run(
        project, speeches(20), cheap=record(), strong=record(), judge=REJECTS, refiner=nothing
    )
    made = plan(project, write(tmp_path, speeches(20)), run_log=run_log)

    assert all(len(outcome["attempts"]) > 2 for outcome in outcomes)
    assert runner.tally.calls["scripted:cheap"] == 20
    assert 20 <= tier(made, "cheap").calls.expected < 23
    assert tier(made, "strong").calls.expected <= 20


def test_a_plan_from_history_holds_what_the_next_run_takes(project, run_log, tmp_path):
    """Planned from 40 documents, 60 others are run: calls, tokens and cost end inside the intervals."""
    strong = reply(record(), input_tokens=900, output_tokens=200)
    paid_run(project, speeches(40), cheap=lambda m, _: cheap_reply(m), strong=strong)
    texts = [text.replace("number ", "number 1") for text in speeches(60)]
    made = plan(project, write(tmp_path, texts), run_log=run_log, env={"CUPEL_PRICES": PRICES})
    _, runner = paid_run(project, texts, cheap=lambda m, _: cheap_reply(m), strong=strong)
    calls = runner.tally.calls

    for name in ("cheap", "strong", "judge"):
        expected = tier(made, name).calls
        assert expected.low <= calls[f"scripted:{name}"] <= expected.high, name
    paid = run_log.rows_of(tables.responses, run_id=runner.run_id)
    late = [row for row in paid if row["model"] == "scripted:strong"][-calls["scripted:strong"] :]
    tokens = sum(row["input_tokens"] for row in late)
    assert tier(made, "strong").input_tokens.low <= tokens <= tier(made, "strong").input_tokens.high


def cheap_reply(messages):
    """A record, in doubt (an empty stance cannot be) when the quote is not in the text."""
    claim = "we must never build" if in_doubt(messages) else "we must build more homes"
    return reply(record(claim), input_tokens=800, output_tokens=150)


def test_a_model_of_unknown_price_is_named_and_costs_nothing_known(project, tmp_path):
    """No figure is made up; the other tiers are still added up."""
    path = write(tmp_path, speeches(10))
    unknown = plan(project, path, strong_model="openai:nobody-knows")

    assert unknown.unpriced == ("openai:nobody-knows",)
    assert tier(unknown, "strong").cost_usd is None
    assert tier(unknown, "cheap").cost_usd.expected == 0
    assert unknown.to_json()["unknown_price"] == ["openai:nobody-knows"]


def test_cost_is_tokens_times_price(project, tmp_path):
    """The prices here are 1 and 10 dollars a million tokens."""
    made = plan(project, write(tmp_path, speeches(10)), env={"CUPEL_PRICES": PRICES})
    cheap = tier(made, "cheap")

    assert cheap.cost_usd.expected == pytest.approx(
        cheap.input_tokens.expected * 1e-6 + cheap.output_tokens.expected * 1e-5
    )
    assert made.cost_usd.expected == pytest.approx(sum(each.cost_usd.expected for each in made.tiers))


def test_rows_without_a_usable_text_cost_nothing(project, tmp_path):
    """They are counted and not asked about."""
    made = plan(project, write(tmp_path, [*speeches(5), "", "  ", "a\x00b"]), judge="never")

    assert (made.documents, made.unusable) == (8, 3)
    assert tier(made, "cheap").calls.low == 5


def test_a_long_text_is_planned_as_its_windows(project, tmp_path):
    """Each window is a call of its own."""
    made = plan(project, write(tmp_path, [f"{TEXT} " * 250]), judge="never")

    assert made.windows.expected > 3
    assert tier(made, "cheap").calls.expected >= made.windows.expected


def test_what_is_not_judged_is_not_planned_for_a_judge(project, tmp_path):
    """With judging off neither the judge nor the refiner is asked."""
    made = plan(project, write(tmp_path, speeches(10)), judge="never")

    assert [each.tier for each in made.tiers] == ["cheap", "strong"]
    assert made.shares["judged"].high == 0


def test_time_is_unknown_until_a_model_was_timed(project, run_log, tmp_path):
    """It is latency seen, shared by the documents worked on at once."""
    path = write(tmp_path, speeches(40))
    slow = {
        name: f"openai:{name}" for name in ("cheap_model", "strong_model", "judge_model", "refiner_model")
    }
    assert plan(project, path, **slow).seconds is None

    async def in_20_ms(messages, schema):
        await asyncio.sleep(0.02)
        return record()

    paid_run(project, speeches(40), cheap=in_20_ms)
    one = plan(project, path, run_log=run_log, concurrency=1, judge="never")
    ten = plan(project, path, run_log=run_log, concurrency=10, judge="never")
    assert tier(one, "cheap").seconds.expected > 40 * 0.02
    assert tier(ten, "cheap").seconds.expected == pytest.approx(tier(one, "cheap").seconds.expected / 10)


# ---- the command


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder outside any project, with ten speeches."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, speeches(10))
    return tmp_path


def cupel(*args):
    """The command in this process."""
    return CliRunner().invoke(app, [str(arg) for arg in args])


SCRIPTED = [part for name, model in MODELS.items() for part in (f"--{name.replace('_', '-')}", model)]


def test_the_command_prints_tiers_and_assumptions_and_makes_nothing(folder, monkeypatch):
    """A plan leaves no trace: no run log and no state folder."""
    monkeypatch.setenv("COLUMNS", "140")  # a narrow terminal folds the models' names
    with models():
        result = cupel("plan", "in.jsonl", *SCRIPTED)

    assert result.exit_code == 0, result.output
    for words in ("10 documents", "scripted:strong", "What this rests on", "assumed"):
        assert words in result.stdout
    assert not (folder / ".cupel").exists()


def test_json_is_one_object_on_stdout(folder):
    """Every estimate has its interval."""
    with models():
        told = json.loads(cupel("plan", "in.jsonl", "--json", *SCRIPTED).stdout)

    assert told["documents"] == 10
    assert {"expected", "low", "high"} == set(told["cost_usd"]) == set(told["tiers"][0]["calls"])


def test_a_cap_is_held_against_the_plan(folder, monkeypatch):
    """It says whether the money will do, and how far it reaches where it will not."""
    monkeypatch.setenv("CUPEL_PRICES", PRICES)
    with models():
        enough = cupel("plan", "in.jsonl", "--max-usd", 100, *SCRIPTED).stdout
        short = cupel("plan", "in.jsonl", "--max-usd", 0.01, *SCRIPTED).stdout

    assert "a cap of $100.00 will do" in enough
    assert "will be reached after about" in short


def test_the_word_run_may_be_changed_into_plan(folder):
    """Options that only a run needs are taken and change nothing."""
    with models():
        result = cupel(
            "plan",
            "in.jsonl",
            "--out",
            "o.csv",
            "--wait",
            "--retry-failed",
            "--no-report",
            "--timeout-s",
            3,
            *SCRIPTED,
        )

    assert result.exit_code == 0, result.output


def test_a_missing_key_is_a_note_and_no_obstacle(folder):
    """One plans before one has a key."""
    result = cupel("plan", "in.jsonl", "--profile", "groq")

    assert result.exit_code == 0
    assert "GROQ_API_KEY is not set" in result.stdout


def test_a_missing_file_is_an_error_with_its_name(folder):
    """A plan makes the same checks as a run."""
    result = cupel("plan", "nowhere.csv")

    assert isinstance(result.exception, InputError)
    assert "nowhere.csv" in str(result.exception)
