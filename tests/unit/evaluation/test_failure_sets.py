"""Failures frozen with as many anchors, and just those run again under another prompt."""

from __future__ import annotations

import json

import pytest

from cupel.errors import InputError, SettingError, UsageError
from cupel.evaluation.failure_sets import Rerun, freeze, pair_scores
from cupel.runs.bench import Document
from tests.integration.cascade import MODELS
from tests.integration.improvement import TASK
from tests.unit.evaluation.study import lines
from tests.unit.report.factory import attempt, outcome, verdict

SETTINGS = {**MODELS, "strong_model": "none", "judge": "never"}


def of_speech(n, *, failed):
    """A speech's outcome with its text: rejected by the judge, or accepted."""
    verdicts = [verdict()] if failed else []
    status = "needs_review" if failed else "accepted"
    return outcome(
        doc_id=f"s{n}", task=TASK, verdicts=verdicts, status=status, attempts=[attempt()]
    ), f"speech {n}"


@pytest.fixture
def frozen(study, store):
    """Freeze the failures of a run in which every fourth of twenty speeches failed."""
    store("r1", [of_speech(n, failed=n % 4 == 0) for n in range(20)])

    def freeze_them(name="hard", task=TASK, run=None, criterion=None, **given):
        return freeze(study, name, task, run, criterion, **{"langsmith": False, **given})

    return freeze_them


def test_failures_are_frozen_with_as_many_anchors_and_a_card(study, frozen):
    """What the run's input has beside the text comes along, and what failed is said of each document."""
    told = frozen()
    rows = {row["id"]: row for row in lines(study.folder / "evals/datasets/hard.jsonl")}

    assert (told["documents"], told["failed"], told["run_id"]) == (10, 5, "r1")
    assert {name for name, row in rows.items() if row["meta"]["failed"]} == {f"s{n}" for n in range(0, 20, 4)}
    assert rows["s0"]["meta"]["criteria"] == ["premises_support"]
    assert rows["s0"]["meta"]["topic"] == "the proposal"
    assert rows["s0"]["gold"] == {"stance": "favor"}
    assert "5 failed, 5 passed" in (study.folder / "evals/datasets/hard.md").read_text()


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        ({"name": "a/b"}, InputError, "'a/b' is no name for a data set"),
        ({"langsmith": True}, SettingError, "needs LANGSMITH_API_KEY"),
        ({"criterion": "beauty"}, InputError, r"nothing failed by beauty \(failures by: premises_support\)"),
        ({"task": "arguments"}, InputError, "no run of task 'arguments' in"),
        ({"task": "arguments", "run": "r1"}, InputError, "run r1 is of task 'stance', not of 'arguments'"),
    ],
)
def test_what_cannot_be_frozen_is_refused(frozen, given, error, why):
    """The error names what there is."""
    with pytest.raises(error, match=why):
        frozen(**given)


def test_a_frozen_data_set_stays_as_it_is(frozen):
    """Its name is used once."""
    frozen(criterion="premises_support")

    with pytest.raises(InputError, match="stays as it is"):
        frozen()


def test_a_run_whose_input_is_gone_cannot_give_its_further_inputs(study, frozen):
    """The stance task needs a topic, which the run log does not hold."""
    (study.folder / "speeches.jsonl").unlink()

    with pytest.raises(InputError, match="the input of run r1 is gone, and 'stance' needs 'topic' from it"):
        frozen()


def test_a_task_without_further_inputs_is_frozen_from_the_run_log_alone(study, store):
    """The texts are in the log."""
    speech, text = of_speech(0, failed=True)
    store("r2", [({**speech, "task": "arguments"}, text)], task="arguments", input_name="gone.jsonl")
    freeze(study, "alone", "arguments", None, None, langsmith=False)

    assert lines(study.folder / "evals/datasets/alone.jsonl")[0]["text"] == "speech 0"


def rerun(study, data="speeches.jsonl", **given):
    """The speeches under two prompts."""
    return Rerun(project=study, data=study.folder / data, task=TASK, settings=SETTINGS, **given)


def test_both_prompts_are_run_on_just_those_documents(study, store, models):
    """Ten hard speeches are mended by the helpful rule and none is broken; an estimate comes first."""
    store("r1", [of_speech(n, failed=n % 4 == 0) for n in range(20)])
    again = rerun(study, prompt="mine.toml")
    estimate = again.estimate_usd()
    told = again.run()

    assert estimate == pytest.approx(0.02)
    assert (len(told["fixes"]), told["breaks"], told["gain"], told["documents"]) == (10, [], 0.5, 20)
    assert told["interval"][0] <= 0.5 <= told["interval"][1]
    assert told["p"] < 0.01
    assert told["selected"] is True


def test_without_gold_the_judge_says_what_is_right(study, store, models):
    """Every record of both prompts is judged, whatever the run's own setting."""
    rows = [
        {name: value for name, value in row.items() if name != "gold"}
        for row in lines(study.folder / "speeches.jsonl")
    ]
    (study.folder / "plain.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:4]))

    told = rerun(study, "plain.jsonl", prompt="mine.toml").run()

    assert (told["fixes"], told["breaks"], told["unscored"]) == (["s0", "s2"], [], 0)
    assert len(models["scripted:judge"].requests) == 6


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        ({"prompt": "active"}, UsageError, "both prompts are"),
        ({"prompt": "abcdef"}, UsageError, "no version 'abcdef'"),
        (
            {"data": "none.jsonl"},
            InputError,
            "there is no such file; `cupel failures --freeze NAME` makes one",
        ),
    ],
)
def test_a_rerun_that_would_tell_nothing_is_refused(study, given, error, why):
    """It is said before anything is run."""
    with pytest.raises(error, match=why):
        rerun(study, **given)


def test_documents_that_only_one_prompt_could_be_scored_on_are_counted_apart():
    """A pair needs both; with no pair there is nothing to tell."""
    documents = [Document(doc_id=name, text="", group=name) for name in ("a", "b", "c")]
    told = pair_scores({"a": 1.0, "b": 0.0}, {"a": 0.0, "c": 1.0}, documents)

    assert (told["documents"], told["unscored"], told["breaks"], told["gain"]) == (1, 2, ["a"], -1.0)
    with pytest.raises(InputError, match="no document could be scored under both prompts"):
        pair_scores({"a": 1.0}, {"b": 1.0}, documents)
