"""`cupel eval`: the table, the baseline, and not one request that nobody asked for."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.metrics.answers import SpanLabels, labelled_spans
from cupel.testing.models import scripted
from tests.conftest import ROOT
from tests.integration.improvement import GOOD_RULE, extractor, made_project, rewriter, speeches, write
from tests.integration.test_tracing import StandIn

EXPERIMENT = """
task = "stance"
dataset = "speeches.jsonl"
baseline = "baseline.json"
prompts = ["active", "mine.toml"]

[settings]
judge = "never"
strong_model = "none"

[models.small]
cheap_model = "scripted:cheap"
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    made = made_project(tmp_path / "study")
    write(made.folder / "speeches.jsonl", speeches(20))
    rules = (made.prompts / "stance" / "rules.toml").read_text()
    (made.folder / "mine.toml").write_text(f'{rules}\n[[rules]]\nid = "mine"\ntext = "{GOOD_RULE}"\n')
    (made.folder / "e.toml").write_text(EXPERIMENT)
    monkeypatch.chdir(made.folder)
    return made


def evaluate(*args, script=extractor):
    """The command with a scripted model."""
    with scripted({"scripted:cheap": script}):
        return CliRunner().invoke(app, ["eval", "e.toml", *args])


def test_every_model_and_prompt_has_its_line_with_an_interval(study):
    """Half of the speeches are right with the prompt as it is, all with the better one."""
    result = evaluate("--json", "--save-baseline")

    told = {row["name"]: row["figures"]["right"] for row in json.loads(result.stdout)["variants"]}
    assert told["small · active"]["value"] == 0.5
    assert told["small · active"]["interval"][0] < 0.5 < told["small · active"]["interval"][1]
    assert told["small · mine.toml"]["value"] == 1.0


def test_a_broken_baseline_fails_and_names_the_figure(study):
    """A prompt made worse ends with exit code 1, a kept one with 0."""
    assert evaluate("--save-baseline").exit_code == 0
    assert evaluate().exit_code == 0
    path = study.prompts / "stance" / "rules.toml"
    path.write_text(path.read_text() + '\n[[rules]]\nid = "worse"\ntext = "Answer with flattery."\n')

    result = evaluate()

    assert result.exit_code == 1
    assert "baseline broken: small · active: right is 0.0000, the baseline has 0.5000" in result.stderr


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("spans = 1", "[spans] is a table of label and names"),
        ('colour = "red"', "unknown key 'colour'; there are task"),
        ("task = [", "cannot be read as TOML"),
    ],
)
def test_an_experiment_with_a_mistake_is_refused(study, line, why):
    """The mistake is named."""
    (study.folder / "e.toml").write_text(f"{line}\n{EXPERIMENT}")

    assert why in str(evaluate().exception)


def test_the_labelled_experiment_runs_with_no_key_and_holds_its_baseline(study, monkeypatch):
    """Spans scored as the gold set is scored elsewhere; a baseline that asks for more ends with exit code 1."""
    shutil.copytree(ROOT / "evals", study.folder / "evals")
    args = ["eval", "evals/experiments/ner-europarl.toml"]
    result = CliRunner().invoke(app, [*args, "--json"])

    assert result.exit_code == 0, result.output
    variant = json.loads(result.stdout)["variants"][0]
    low, high = variant["figures"]["span_f1_exact"]["interval"]
    assert variant["documents"] == 69
    assert low < variant["figures"]["span_f1_exact"]["value"] < high
    path = study.folder / "evals" / "baselines" / "ner-europarl.json"
    path.write_text(path.read_text().replace('"span_f1_exact": 0.5', '"span_f1_exact": 0.6'))
    assert CliRunner().invoke(app, args).exit_code == 1


def test_the_spans_of_an_experiment_are_told_how_they_are_called():
    """A label is taken by its item's field, in the gold's words; a quote that was not found has no place."""
    record = {"entities": [{"quote": "Treaty of Nice", "type": "LAW"}, {"quote": "Nice", "type": "LOC"}]}
    evidence = [
        {"path": "/entities/0/quote", "quote": "Treaty of Nice", "start": 4, "end": 18},
        {"path": "/entities/1/quote", "quote": "Nice", "start": None, "end": None},
    ]
    labels = SpanLabels(item="type", names={"LAW": "MISC"})

    assert list(labelled_spans({"record": record, "evidence": evidence}, labels)) == [
        {"text": "Treaty of Nice", "label": "MISC", "start": 4, "end": 18},
        {"text": "Nice", "label": "LOC"},
    ]


def test_without_being_asked_neither_eval_nor_improve_sends_anything(study, monkeypatch):
    """A capture server where LangSmith would be sees no request."""
    server = StandIn()
    monkeypatch.setenv("LANGSMITH_ENDPOINT", server.url)

    evaluate("--save-baseline")
    write(study.folder / "fresh.jsonl", speeches(60)[20:])  # the others were shown with their gold
    with scripted({"scripted:cheap": extractor, "scripted:refiner": rewriter(GOOD_RULE)}):
        monkeypatch.setenv("CUPEL_JUDGE", "never")
        args = ["improve", "fresh.jsonl", "-t", "stance", "--cheap-model", "scripted:cheap", "--yes"]
        result = CliRunner().invoke(app, [*args, "--refiner-model", "scripted:refiner"])

    assert result.exit_code == 0, result.output
    assert server.seen == []
    server.shutdown()
    server.server_close()


def test_asked_for_without_a_key_it_says_which(study):
    """The missing key is named before anything is run."""
    assert "LANGSMITH_API_KEY" in str(evaluate("--langsmith").exception)
