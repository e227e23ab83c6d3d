"""Versions of a prompt tried on documents with gold."""

import json

import pytest

from cupel.context import RunContext
from cupel.errors import BudgetExceededError, InputError
from cupel.limits import Budget
from cupel.runs.bench import open_bench, read_documents, score_outcome, scores_of, slices_of
from cupel.task.folder import load_task
from tests.unit.runs.stand_in import MODELS, call, outcome

GOLD = {"evidence": [], "reason": "It says so.", "stance": "favor"}


@pytest.fixture
def task(small):
    """The stance task."""
    return load_task("stance", small.prompts)


@pytest.fixture
def read(tmp_path, task):
    """Documents of a data set with these rows."""

    def read(*rows, **more):
        path = tmp_path / "speeches.jsonl"
        path.write_text("".join(json.dumps({"text": "We should.", **row}) + "\n" for row in rows))
        return read_documents(path, task, **more)

    return read


def test_a_document_comes_with_its_gold_its_inputs_and_its_group(read):
    """The topic stands in `meta` or in a column of its name; a debate keeps its speeches together."""
    first, second = read(
        {"id": "a", "meta": {"topic": "a tax", "debate": "monday"}, "gold": GOLD},
        {"id": "b", "topic": "a tax"},
    )

    assert (first.doc_id, first.inputs, first.group, first.gold) == ("a", {"topic": "a tax"}, "monday", GOLD)
    assert (second.gold, second.position, second.group) == (None, 1, "b")


def test_in_a_csv_gold_and_meta_are_json_in_their_cells(tmp_path, task):
    """A cell that only looks like an object is an error, and an empty one no gold."""
    path = tmp_path / "speeches.csv"
    path.write_text('id,text,topic,gold\na,We should.,a tax,"{""stance"": ""favor""}"\nb,We must.,a tax,\n')
    first, second = read_documents(path, task)

    assert (first.gold, second.gold) == ({"stance": "favor"}, None)
    path.write_text("id,text,topic,gold\nb,We must.,a tax,{no\n")
    with pytest.raises(InputError, match=r"speeches\.csv:2: '\{no' is no JSON"):
        read_documents(path, task)


def test_a_group_may_be_named(read):
    """Documents of one party hang together when somebody says so."""
    documents = read({"id": "a", "meta": {"topic": "a tax", "party": "x"}}, group="party", limit=1)

    assert [document.group for document in documents] == ["x"]


@pytest.mark.parametrize(
    ("rows", "more", "says"),
    [
        pytest.param([{"id": "a"}], {}, r"row 1: task 'stance' needs 'topic'", id="no topic"),
        pytest.param([{"topic": "t"}, {"topic": "t", "id": "b"}], {"group": "party"}, r"row 1: no 'party' to group by", id="no group"),
        pytest.param([{"id": "a", "topic": "t"}] * 2, {}, r"ids must be unique here, these are not: a", id="an id twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_data_set_is_said_with_its_row(read, rows, more, says):
    """A comparison on documents that cannot be told apart means nothing."""
    with pytest.raises(InputError, match=says):
        read(*rows, **more)


def test_a_document_without_a_usable_text_is_left_out(read):
    """It would fail under any version."""
    rows = [{"id": "a", "topic": "t", "text": "  "}, {"id": "b", "topic": "t"}]

    assert [document.doc_id for document in read(*rows)] == ["b"]


async def test_documents_are_run_through_the_projects_graph_and_paid_from_one_purse(small, task, read):
    """The cap holds over everything that is tried on the bench."""
    documents = read({"id": "a", "topic": "t"}, {"id": "b", "topic": "t", "text": "empty"})
    async with open_bench(small, "trial", max_usd=1.0, env={}) as bench:
        outcomes = await bench.outcomes(task, RunContext(**MODELS), documents)

    assert {doc_id: each["status"] for doc_id, each in outcomes.items()} == {"a": "accepted", "b": "failed"}
    assert isinstance(bench.run.budget, Budget)


async def test_what_ends_a_trial_is_raised(small, task, read):
    """Half of a comparison is no comparison."""
    documents = read({"id": "a", "topic": "t", "text": "too dear"})
    with pytest.raises(BudgetExceededError):
        async with open_bench(small, "trial", env={}) as bench:
            await bench.outcomes(task, RunContext(**MODELS), documents)


def attempt(**more):
    """An attempt of the cheap model with one paid call."""
    return {"number": 1, "error_kind": None, "record": GOLD, "calls": [call()], **more}


def test_a_record_that_reaches_the_tasks_bar_against_its_gold_is_right(read, task):
    """What it took is counted beside it."""
    (document,) = read({"id": "a", "topic": "t", "gold": GOLD})
    score = score_outcome(outcome("a", attempts=[attempt()]), document, task)
    wrong = {**GOLD, "stance": "against"}
    missed = score_outcome(
        outcome("a", record=wrong, attempts=[attempt(record=wrong)]), document, task, graded=True
    )

    assert (score.score, score.valid, score.tokens, score.usd) == (1.0, True, 100, 0.01)
    assert missed.score == 0.0


@pytest.mark.parametrize(
    ("more", "score"),
    [
        pytest.param({"record": None, "attempts": []}, None, id="nobody was asked"),
        pytest.param({"record": None, "attempts": [attempt(error_kind="provider", record=None)]}, None, id="an outage"),
        pytest.param({"record": None, "attempts": [attempt(error_kind="refusal", record=None)]}, 0.0, id="a refusal"),
        pytest.param({"attempts": [attempt()]}, None, id="nobody judged it"),
        pytest.param({"attempts": [attempt()], "verdicts": [{"attempt": 1, "verdict": "accepted"}]}, 1.0, id="accepted"),
        pytest.param({"attempts": [attempt()], "verdicts": [{"attempt": 1, "verdict": "rejected"}]}, 0.0, id="rejected"),
        pytest.param({"attempts": [attempt()], "verdicts": [{"attempt": 1, "verdict": "unknown"}]}, None, id="the judge cannot tell"),
    ],
)  # fmt: skip
def test_without_gold_the_judge_says_what_is_right(read, task, more, score):
    """Where nobody could tell there is no score, rather than a 0."""
    (document,) = read({"id": "a", "topic": "t"})
    scored = score_outcome(outcome("a", **more), document, task)

    assert (scored and scored.score) == score


def test_scores_name_the_documents_that_nobody_could_score(read, task):
    """One that was never run is among them."""
    documents = read(*({"id": name, "topic": "t", "gold": GOLD} for name in "abc"))
    unpriced = attempt(calls=[call(cost_usd=None)])
    outcomes = {"a": outcome("a", attempts=[unpriced]), "b": outcome("b", record=None)}
    scores, unscored = scores_of(outcomes, documents, task)

    assert {name: score.usd for name, score in scores.items()} == {"a": None}
    assert unscored == ["b", "c"]


def test_a_document_belongs_to_its_language_and_its_length(read):
    """Averages hide what happens to the long ones."""
    short, long = read(
        {"id": "a", "meta": {"topic": "t", "language": "de"}}, {"id": "b", "topic": "t", "text": "We. " * 501}
    )

    assert slices_of(short) == ("language=de", "length=short")
    assert slices_of(long) == ("length=long",)
