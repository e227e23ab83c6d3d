"""Failures frozen with as many anchors, and just those run again under another prompt."""

from __future__ import annotations

import json

import pytest

from cupel.errors import InputError, SettingError, UsageError
from cupel.evaluation.failure_sets import Rerun, freeze, pair_scores
from cupel.improvement.ledger import ledger_of
from cupel.metrics.pairs import Scored
from cupel.runlog.lookup import existing_run_log
from cupel.runs.bench import Document, scores_of
from tests.integration.cascade import MODELS
from tests.integration.improvement import TASK
from tests.unit.evaluation.study import lines
from tests.unit.improvement.seeing import seen_of
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
    assert told["selected"] is False, "these were not frozen as failures"
    assert (told["decided_by"], told["before"], told["after"]) == ("gold", 0.5, 1.0)
    first = told["side_by_side"][0]
    assert (first["before"]["stance"], first["after"]["stance"], first["gold"]) == (
        "against",
        "favor",
        {"stance": "favor"},
    )
    assert told["run_id"].startswith("rerun-")


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
    right, wrong = Scored(score=1.0), Scored(score=0.0)
    told = pair_scores({"a": right, "b": wrong}, {"a": wrong, "c": right}, documents)

    assert (told["documents"], told["unscored"], told["breaks"], told["gain"]) == (1, 2, ["a"], -1.0)
    with pytest.raises(InputError, match="no document could be scored under both prompts"):
        pair_scores({"a": right}, {"b": right}, documents)
    with pytest.raises(InputError, match="a recording that is missing, leave no score"):
        pair_scores({}, {}, documents)


@pytest.mark.parametrize(
    ("last", "scored"),
    [("provider", False), ("schema", True), (None, True)],
    ids=["a provider or recording that did not answer", "a reply that is no record", "a record"],
)
def test_a_model_that_did_not_answer_leaves_no_score_though_a_cheaper_record_stands_in(task, last, scored):
    """A missing recording of the strong model is no break: the cheap record is not what the prompt would have given."""
    cheap = attempt(record={"stance": "favor"}, error_kind=None)
    strong = attempt(number=2, record=None if last else {"stance": "favor"}, error_kind=last, error=last)
    both = outcome(doc_id="d", record={"stance": "favor"}, attempts=[cheap, strong])
    document = Document(doc_id="d", text="x", group="d", gold={"stance": "favor"})

    scores, missing = scores_of({"d": both}, [document], task)

    assert (list(scores), missing) == ((["d"], []) if scored else ([], ["d"]))


def test_what_the_gate_holds_out_is_no_ground_to_choose_a_prompt_on(study, store, models):
    """It is left out and said to be; asked for, it is shown, and what that costs is said."""
    sides = {"dev": [], "held_out": [f"s{n}" for n in range(10)], "documents": "x", "version": "v"}
    ledger_of(study.state).append("split", task=TASK, key="v", at="2026-01-01", data=sides)
    again, asked = rerun(study, prompt="mine.toml"), rerun(study, prompt="mine.toml", show_held_out=True)
    (study.folder / "few.jsonl").write_text((study.folder / "speeches.jsonl").read_text().splitlines()[0])

    assert (len(again.documents), len(asked.documents)) == (10, 20)
    assert "10 of 20 documents are held out by the gate and left out here" in again.notes[0]
    assert "can prove nothing there" in asked.notes[0]
    with pytest.raises(InputError, match="the gate holds out every document of it"):
        rerun(study, "few.jsonl", prompt="mine.toml")


def test_a_rerun_is_noted_as_seen(study, models):
    """Whoever has read its fixes and breaks knows what is right on each of its documents."""
    rerun(study, prompt="mine.toml").run()
    with existing_run_log(study) as log:
        assert set(seen_of(log, TASK).values()) == {"rerun"}
        assert len(seen_of(log, TASK)) == 20
