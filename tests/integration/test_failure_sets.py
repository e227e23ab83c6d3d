"""Failures frozen with as many anchors, and run again under another prompt: what it mends and what it breaks."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.runlog.lookup import existing_run_log, find_run
from cupel.testing.models import scripted
from tests.integration.improvement import GOOD_RULE, extractor, made_project, speeches, write


def judge(messages, schema):
    """Fails what is not in favour."""
    good = '"stance":"favor"' in messages[-1]["content"]
    return {
        name: {
            "reasoning": "the stance was looked at",
            "evidence_quote": None,
            "finding": "pass" if good else "fail",
        }
        for name in schema["properties"]
    }


def cupel(*args):
    """A command with scripted models."""
    with scripted({"scripted:cheap": extractor, "scripted:judge": judge}):
        return CliRunner().invoke(app, list(args))


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A project in which twenty speeches were run, every fourth of them a failure."""
    made = made_project(tmp_path / "study")
    write(
        made.folder / "speeches.jsonl",
        [{**row, "topic": "it"} for row in speeches(20, hard_every=4, gold=False)],
    )
    rules = (made.prompts / "stance" / "rules.toml").read_text()
    (made.folder / "mine.toml").write_text(f'{rules}\n[[rules]]\nid = "mine"\ntext = "{GOOD_RULE}"\n')
    monkeypatch.chdir(made.folder)
    for role in ("cheap", "judge"):
        monkeypatch.setenv(f"CUPEL_{role.upper()}_MODEL", f"scripted:{role}")
    monkeypatch.setenv("CUPEL_MAX_REFINEMENTS", "0")
    assert cupel("run", "speeches.jsonl", "-t", "stance", "--json").exit_code == 0
    return made


def test_failures_are_frozen_with_as_many_anchors_and_a_card(study):
    """Five failed and five passed; the inputs of the task come along, and a name is used once."""
    result = cupel("failures", "--freeze", "hard-ones", "--json")

    told = json.loads(result.stdout)
    rows = [
        json.loads(line)
        for line in (study.folder / "evals/datasets/hard-ones.jsonl").read_text().splitlines()
    ]
    assert (told["documents"], told["failed"]) == (10, 5)
    assert {row["id"] for row in rows if row["meta"]["failed"]} == {f"s{n}" for n in range(0, 20, 4)}
    assert all(row["meta"]["topic"] for row in rows)
    assert "5 failed, 5 passed" in (study.folder / "evals/datasets/hard-ones.md").read_text()
    assert "stays as it is" in str(cupel("failures", "--freeze", "hard-ones").exception)


def test_what_was_only_tried_is_never_the_newest_run(study):
    """A rerun leaves trials in the log: failures, show and report go on speaking of what a person ran."""
    cupel("failures", "--freeze", "hard-ones")
    before = [cupel(*args).stdout for args in (("failures", "--json"), ("show", "s0", "--json"))]
    again = ["failures", "-t", "stance", "--rerun", "evals/datasets/hard-ones.jsonl", "--prompt", "mine.toml"]
    assert cupel(*again, "--yes", "--json").exit_code == 0

    with existing_run_log(study) as log:
        newest, trials = find_run(log, None), [run for run in log.runs(trials=True) if run["kind"] == "trial"]
        assert find_run(log, trials[0]["run_id"]) == trials[0]
    assert len(trials) == 2
    assert newest["input_name"].endswith("speeches.jsonl")
    assert [cupel(*args).stdout for args in (("failures", "--json"), ("show", "s0", "--json"))] == before


def test_a_prompt_is_not_compared_with_itself(study):
    """It is said before anything is run."""
    cupel("failures", "--freeze", "hard-ones")
    result = cupel("failures", "-t", "stance", "--rerun", "evals/datasets/hard-ones.jsonl", "--yes")

    assert "both prompts are" in str(result.exception)


def test_a_criterion_nothing_failed_by_is_named_with_those_there_are(study):
    """A criterion's spelling counts too."""
    result = cupel("failures", "--freeze", "x", "--criterion", "beauty")

    assert "nothing failed by beauty (failures by: " in str(result.exception)


def test_just_those_are_run_again_the_cost_shown_first(study):
    """Fixes and breaks are told with p, interval and the documents needed, and are said to be selected."""
    cupel("failures", "--freeze", "hard-ones")
    result = cupel(
        "failures",
        "-t",
        "stance",
        "--rerun",
        "evals/datasets/hard-ones.jsonl",
        "--prompt",
        "mine.toml",
        "--yes",
        "--json",
    )

    told = json.loads(result.stdout)
    assert "10 documents under each prompt, about $0 each time" in result.stderr
    assert (len(told["fixes"]), told["breaks"], told["gain"]) == (5, [], 0.5)
    assert told["p"] < 0.05
    assert told["selected"] is True
