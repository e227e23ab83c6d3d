"""`cupel show`, `failures` and `report` on the run log of a small real run with scripted models."""

from __future__ import annotations

import asyncio
import json

import pytest
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.errors import InputError
from tests.integration.cascade import (
    ACCEPTS,
    INVENTED,
    LOOK_AT_THE_END,
    MODELS,
    REJECTS,
    TEXT,
    enrich_all,
    job,
    models,
    record,
)

SCRIPTED = [part for name, model in MODELS.items() for part in (f"--{name.replace('_', '-')}", model)]
REFINED, DOUBTED = "It is about homes alone.", "It has a hostile \x1b[2J sequence and [bold]markup[/bold]."
TEXTS = [f"{TEXT} First.", f"{TEXT} {REFINED}", f"{TEXT} {DOUBTED}", ""]


def cheap(messages, schema):
    """A faulty record for two of the documents, until it is told what to mind."""
    asked = messages[-1]["content"]
    if DOUBTED[:10] in asked:
        return record(INVENTED)
    return record(matter="homes") if "mind also" in asked else record()


def judge(messages, schema):
    """Rejects the first record of one document."""
    asked = messages[-1]["content"]
    return REJECTS if REFINED in asked and '"homes"' not in asked else ACCEPTS


@pytest.fixture
def studied(project, tmp_path, monkeypatch):
    """A folder with the run log of four documents: accepted, refined, escalated, failed."""
    with models(cheap=cheap, strong=record(), judge=judge, refiner=LOOK_AT_THE_END):
        outcomes, runner = asyncio.run(enrich_all(project, job(project), TEXTS))
    assert [outcome["status"] for outcome in outcomes] == ["accepted", "accepted", "accepted", "failed"]
    monkeypatch.chdir(tmp_path)
    return runner


def cupel(*args):
    """A command in this process; its errors are raised for `main` to print."""
    return CliRunner().invoke(app, list(args))


def told(*args):
    """Its JSON."""
    result = cupel(*args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(*args):
    """The error it ends with."""
    result = cupel(*args)
    assert result.exception is not None, result.output
    return result.exception


# ---- show


def test_the_trail_of_a_refined_document_has_every_step(studied):
    """It has both attempts, the verdict with its findings, the instructions, the calls and where it went."""
    shown = cupel("show", "d1").stdout

    for words in (
        "prepare → extract → verify → judge → refine → extract",
        "attempt 1: cheap", "attempt 2: cheap, refined in round 1", "rejected", "nothing_missing was looked at",
        "Read the last sentence too", "scripted:judge", "quotes grounded 1.00",
    ):  # fmt: skip
        assert words in shown, words


def test_text_of_a_document_cannot_drive_the_terminal(studied):
    """Its escape sequence is shown as a sign, its markup as it stands."""
    shown = cupel("show", "d2").stdout

    assert "\x1b" not in shown
    assert "[bold]markup[/bold]" in shown


def test_the_very_messages_are_shown_on_request(studied, project):
    """The prompt is shown as sent, with a mark where the document stood, and the answer as it came."""
    plain, shown = cupel("show", "d1").stdout, cupel("show", "d1", "--prompts").stdout

    prompt = (project.prompts / "arguments" / "extract.md").read_text()
    opening = prompt.partition("# system\n")[2][:40]
    assert opening not in plain
    for words in (opening, "⟦document⟧", '"matter": "homes"', "refining attempt 1"):
        assert words in shown, words


def test_json_is_the_outcome_itself(studied):
    """It is the stored outcome; with the prompts it has its calls' messages by key."""
    outcome = told("show", "d1")
    asked = told("show", "d1", "--prompts")["responses"]

    assert (outcome["doc_id"], outcome["status"], len(outcome["attempts"])) == ("d1", "accepted", 2)
    keys = {call["key"] for attempt in outcome["attempts"] for call in attempt["calls"]}
    assert keys <= set(asked)
    assert asked[keys.pop()]["asked"][0]["role"] == "system"


def test_a_failed_document_has_a_trail_too(studied):
    """A document that failed without any attempt says why."""
    assert "no text: the cell is empty" in cupel("show", "d3").stdout


def test_the_beginning_of_an_id_is_enough_when_it_is_the_only_one(studied):
    """Ids are long; several that fit are listed."""
    error = refusal("show", "d")

    assert isinstance(error, InputError)
    assert "d0, d1, d2, d3" in str(error)


def test_a_near_miss_is_met_with_what_there_is(studied):
    """The likely ids are named, or some of those there are."""
    assert "did you mean" in str(refusal("show", "d1x"))
    assert "it has d0" in str(refusal("show", "elsewhere"))


def test_a_document_is_shown_as_it_was_in_a_run(studied, project):
    """Of two runs the newest is shown unless told otherwise, and the other one is named."""
    with models(cheap=cheap):
        _, second = asyncio.run(enrich_all(project, job(project, judge="never"), TEXTS[:2]))

    assert "judge" not in told("show", "d0", "--run", second.run_id)["path"]
    assert "judge" in told("show", "d0", "--run", studied.run_id[:6])["path"]
    assert "also in the runs" in cupel("show", "d0").stdout
    assert studied.run_id in str(refusal("show", "d2", "--run", second.run_id))


def test_an_unknown_run_is_met_with_those_there_are(studied):
    """They are listed with task, input and time, so that one can choose."""
    error = str(refusal("show", "d0", "--run", "zzz"))

    assert f"{studied.run_id} (arguments, rows" in error


@pytest.mark.parametrize("command", [("show", "d0"), ("failures",), ("report",)])
def test_before_any_run_a_command_says_so_and_makes_nothing(tmp_path, monkeypatch, command):
    """Reading leaves no empty run log behind."""
    monkeypatch.chdir(tmp_path)
    error = refusal(*command)

    assert isinstance(error, InputError)
    assert "cupel run FILE" in str(error)
    assert list(tmp_path.iterdir()) == []


# ---- failures


def test_failures_come_in_groups_with_what_fixed_them(studied):
    """Here instructions put one rejected criterion right, and the strong model one doubt."""
    groups = {(group["criterion"], group["cause"]): group for group in told("failures")}

    assert groups["nothing_missing", "judge"]["fixed_by"]["addendum"] == 1
    assert groups["verify", "doubt"]["fixed_by"]["escalation"] == 1
    assert groups["nothing_missing", "judge"]["example"]["doc_id"] == "d1"
    assert groups["verify", "doubt"]["documents"] == 1


def test_failures_are_told_with_an_example_of_each(studied):
    """The judge's words, and the document they are about."""
    shown = cupel("failures").stdout

    assert "nothing_missing was looked at" in shown
    assert "d1" in shown


def test_failures_can_be_narrowed(studied, project):
    """They are narrowed to a run, to a task, or to the most frequent groups."""
    with models(cheap=cheap, strong=record()):
        asyncio.run(enrich_all(project, job(project, judge="never"), TEXTS[2:3]))

    assert len(told("failures", "--run", studied.run_id)) == 2
    assert len(told("failures", "--limit", "1")) == 1
    assert told("failures")[0]["count"] == 2
    assert told("failures", "--task", "arguments") == told("failures")
    assert "it has runs of arguments" in str(refusal("failures", "--task", "stance"))


def test_a_document_that_is_retried_and_succeeds_leaves_no_failure_behind(project, tmp_path, monkeypatch):
    """What failed the first time is no longer true of the document."""
    monkeypatch.chdir(tmp_path)
    with models(cheap={"no": "record"}, strong={"no": "record"}):
        first, _ = asyncio.run(enrich_all(project, job(project, judge="never"), TEXTS[:1]))
    before = told("failures")
    with models(cheap=record()):
        again, _ = asyncio.run(enrich_all(project, job(project, judge="never", retry_failed=True), TEXTS[:1]))

    assert (first[0]["status"], again[0]["status"]) == ("failed", "accepted")
    assert before[0]["count"] == 2
    assert told("failures") == []


# ---- report


def test_the_report_is_written_anew_from_the_run_log(studied, tmp_path):
    """It is one file with every document, wherever the first one went."""
    made = told("report")
    page = (tmp_path / ".cupel" / "reports" / f"{studied.run_id}.html").read_text()

    assert made["documents"] == 4
    assert made["report"].endswith(f"{studied.run_id}.html")
    assert "written anew from the run log" in page
    assert all(f'"{doc_id}"' in page for doc_id in ("d0", "d1", "d2", "d3"))


def test_the_report_of_an_earlier_run_can_be_asked_for(studied, project):
    """A run is named by the beginning of its id; otherwise it is the newest."""
    with models(cheap=cheap):
        _, second = asyncio.run(enrich_all(project, job(project, judge="never"), TEXTS[:2]))

    assert told("report", studied.run_id[:8])["run_id"] == studied.run_id
    assert told("report", second.run_id)["run_id"] == second.run_id


def test_totals_of_the_report_are_the_runs(studied):
    """Calls are totalled by model as the scripted models counted them."""
    shown = cupel("report").stdout

    for model, calls in studied.tally.calls.items():
        assert f"{model}" in shown
        assert any(line.split()[:2] == [model, str(calls)] for line in shown.splitlines()), model


def test_a_report_that_cannot_be_written_does_not_spoil_a_run(tmp_path, monkeypatch):
    """The rows are there, the summary is printed, the exit code is the run's; the report is a note."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": TEXT}) + "\n")
    (tmp_path / ".cupel").mkdir()
    (tmp_path / ".cupel" / "reports").write_text("a file where the folder should be")
    with models(cheap=record(), judge=ACCEPTS):
        result = cupel("run", "in.jsonl", "--json", *SCRIPTED)

    summary = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (summary["statuses"], summary["report"]) == ({"accepted": 1}, None)
    assert "no report was written" in result.stderr
    assert (tmp_path / summary["output"]).is_file()
