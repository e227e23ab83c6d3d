"""Experiments read from TOML, their variants scored with intervals, and figures held against a baseline."""

from __future__ import annotations

import pytest

from cupel.errors import InputError, UsageError
from cupel.evaluation.experiments import (
    as_baseline,
    broken,
    document_scores,
    experiment_id,
    read_experiment,
    score_variant,
    variants,
)
from cupel.improvement.ledger import ledger_of
from cupel.metrics.answers import SpanLabels
from cupel.runs.bench import Document, open_bench, read_documents
from tests.unit.report.factory import TEXT, evidence, outcome

EXPERIMENT = """
task = "stance"
dataset = "speeches.jsonl"
baseline = "baseline.json"
prompts = ["active", "mine.toml"]
tolerance = 0.1

[settings]
judge = "never"
strong_model = "none"

[models.small]
cheap_model = "scripted:cheap"

[spans]
label = "type"
names = {LAW = "MISC"}
"""


def experiment(study, text=EXPERIMENT):
    """This text as an experiment's file, read."""
    path = study.folder / "e.toml"
    path.write_text(text)
    return read_experiment(path)


def both(study, task):
    """The variants of the two prompts."""
    return variants(experiment(study), task, ledger_of(study.state), {})


async def scores(study, task):
    """The scores of the two prompts on twenty speeches with gold."""
    documents = read_documents(study.folder / "speeches.jsonl", task)
    async with open_bench(study, "eval-test", env={}) as bench:
        return [await score_variant(bench, variant, documents) for variant in both(study, task)]


def test_an_experiments_paths_are_relative_to_its_file(study):
    """What is left out has its default."""
    one = experiment(study)

    assert (one.name, one.dataset, one.baseline) == (
        "e",
        study.folder / "speeches.jsonl",
        study.folder / "baseline.json",
    )
    assert one.spans == SpanLabels(item="type", names={"LAW": "MISC"})
    assert (one.policies, one.group, one.limit, one.tolerance) == (("none",), "", None, 0.1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("task = [", "cannot be read as TOML"),
        ('colour = "red"', "unknown key 'colour'; there are task, dataset, gold, models"),
        ('task = "stance"', "needs 'dataset'"),
        (EXPERIMENT.replace("label =", "labels ="), r"\[spans\] is a table of label and names, not labels"),
        (
            EXPERIMENT.partition("[spans]")[0].replace("tolerance = 0.1", "spans = 1"),
            "label and names, not 1",
        ),
    ],
)
def test_an_experiment_with_a_mistake_is_refused(study, text, why):
    """The mistake is named with what would do."""
    with pytest.raises(InputError, match=why):
        experiment(study, text)


def test_there_is_a_variant_for_every_model_prompt_and_policy(study, task):
    """A variant is called by what differs between them."""
    assert [variant.name for variant in both(study, task)] == ["small · active", "small · mine.toml"]
    assert [rule.id for rule in both(study, task)[1].task.rules][-1] == "mine"
    one = experiment(
        study, EXPERIMENT.replace('prompts = ["active", "mine.toml"]', 'policies = ["none", "auto"]')
    )
    assert [variant.name for variant in variants(one, task, ledger_of(study.state), {})] == [
        "small · none",
        "small · auto",
    ]
    unknown = experiment(study, EXPERIMENT.replace('"mine.toml"', '"abcdef"'))
    with pytest.raises(UsageError, match="no version 'abcdef'"):
        variants(unknown, task, ledger_of(study.state), {})


def test_the_money_is_booked_under_one_name_for_one_experiment(study, task):
    """Another task or data set is another experiment; its baseline is not part of it."""
    one = experiment(study)
    other = experiment(study, EXPERIMENT.replace("speeches.jsonl", "other.jsonl"))
    same = experiment(study, EXPERIMENT.replace("baseline.json", "new.json"))

    assert experiment_id(one, task) == experiment_id(same, task) != experiment_id(other, task)
    assert experiment_id(one, task).startswith("eval-")


async def test_a_variant_is_scored_with_intervals_and_held_against_a_baseline(study, task, models):
    """Half of the speeches are right with the prompt as it is, all with the better one; a fall is named."""
    active, mine = await scores(study, task)
    right = active.figures["right"]

    assert (right.value, right.n, mine.figures["right"].value) == (0.5, 20, 1.0)
    assert right.interval.low < 0.5 < right.interval.high
    assert (active.documents, active.cost_usd) == (20, 0.0)
    committed = as_baseline([mine], "stance")
    assert committed["variants"]["small · mine.toml"]["documents"] == 20
    assert broken([mine], committed, tolerance=0.0) == []
    figures = committed["variants"]["small · mine.toml"]
    committed["variants"] = {"small · active": figures, "gone": {"right": 0.5}}
    told = [str(one) for one in broken([active], committed, tolerance=0.1)]
    assert "small · active: right is 0.5000, the baseline has 1.0000" in told
    assert "gone: right is gone, the baseline has 0.5000" in told


async def test_spans_are_scored_over_all_documents(study, task):
    """A quote at its place with its label counts; the figures are micro F1 of exact and half overlapping spans."""

    class Bench:
        """Stands in for a bench: the outcome is there already."""

        async def outcomes(self, _task, _context, _documents):
            """The one outcome."""
            record = {"entities": [{"quote": "We must act now.", "type": "LAW"}]}
            quote = evidence("We must act now.", path="/entities/0/quote")
            return {"d": outcome(doc_id="d", record=record, evidence=[quote])}

    gold = {"spans": [{"text": "We must act now.", "label": "MISC", "start": 2, "end": 18}]}
    document = Document(doc_id="d", text=TEXT, group="g", gold=gold)
    labels = SpanLabels(item="type", names={"LAW": "MISC"})
    told = await score_variant(Bench(), both(study, task)[0], [document], labels)

    assert (told.figures["span_f1_exact"].value, told.figures["span_f1_iou50"].value) == (1.0, 1.0)


def test_a_document_is_scored_by_its_gold_or_by_what_was_said_of_it(task):
    """Without gold what remains is whether it was accepted and its quotes stand in the text."""
    plain = Document(doc_id="d", text=TEXT, group="g")
    altered = outcome(evidence=[evidence("We must act now."), evidence("Nobody", match="altered")])

    assert document_scores(altered, plain, task) == {"accepted": 1.0, "quotes_found": 0.5, "score": 0.75}
    assert document_scores(outcome(record=None), plain, task)["quotes_found"] == 0.0
    right = Document(doc_id="d", text=TEXT, group="g", gold={"stance": "favor"})
    told = document_scores(outcome(record={"stance": "favor"}, confidence=0.9), right, task)
    assert (told["right"], told["confidence"]) == (1.0, 0.9)
