"""Data sets and experiments sent to LangSmith when asked for, against a loopback stand-in for what the SDK calls."""

from __future__ import annotations

import asyncio
import json

import pytest
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.errors import InputError, SettingError
from cupel.evaluation.labels import as_example, pull_labels
from cupel.testing.models import scripted
from cupel.tracing.upload import upload_examples, upload_experiment
from tests.integration.improvement import extractor, made_project, speeches, write
from tests.integration.langsmith import LangSmith
from tests.integration.server import free_port


@pytest.fixture
def langsmith():
    with LangSmith() as server:
        yield server


def paths(server, method):
    return [path for verb, path, _ in server.seen if verb == method]


EXAMPLES = [{"id": f"d{n}", "inputs": {"text": f"speech {n}"}, "outputs": {"gold": None}} for n in range(3)]


def test_a_data_set_is_made_with_its_examples(langsmith):
    """A data set is made once: it is found again by its name."""
    first = upload_examples(langsmith.env, "hard ones", EXAMPLES)
    again = upload_examples(langsmith.env, "hard ones", EXAMPLES)

    assert first == again
    assert paths(langsmith, "POST").count("/datasets") == 1
    assert any(b"speech 2" in body for _, path, body in langsmith.seen if "examples" in path)


def test_an_experiment_is_a_project_of_that_data_set_with_a_run_each(langsmith):
    """Runs refer to their examples; figures are the project's metadata."""
    rows = {item["id"]: {"status": "accepted"} for item in EXAMPLES}
    name = upload_experiment(
        langsmith.env,
        dataset="hard ones",
        experiment="small",
        examples=EXAMPLES,
        rows=rows,
        figures={"right": 0.5},
    )

    assert name.startswith("small-")
    session = next(
        json.loads(body)
        for verb, path, body in langsmith.seen
        if verb == "POST" and path.startswith("/sessions")
    )
    assert session["reference_dataset_id"] == langsmith.datasets["hard ones"]["id"]
    assert session["extra"]["metadata"]["right"] == 0.5
    assert any("runs" in path for path in paths(langsmith, "POST"))


def test_an_evaluation_becomes_a_data_set_with_gold_and_an_experiment_with_scores(
    langsmith, tmp_path, monkeypatch
):
    """`cupel eval --langsmith` shows the local result first, then its copy."""
    study = made_project(tmp_path)
    write(study.folder / "speeches.jsonl", speeches(4))
    (study.folder / "e.toml").write_text(
        'task = "stance"\ndataset = "speeches.jsonl"\n[models.small]\ncheap_model = "scripted:cheap"\njudge = "never"\n'
    )
    monkeypatch.chdir(study.folder)
    for name, value in langsmith.env.items():
        monkeypatch.setenv(name, value)
    with scripted({"scripted:cheap": extractor}):
        result = CliRunner().invoke(app, ["eval", "e.toml", "--langsmith", "--json"])

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["variants"][0]["figures"]["right"]["value"] == 0.5
    sent = [(path, body) for verb, path, body in langsmith.seen if verb == "POST"]
    assert any(
        b'"gold": {"stance": "favor"}' in body or b'"gold":{"stance":"favor"}' in body for _, body in sent
    )
    given = list(langsmith.feedback().values())
    assert len(given) == 4
    assert all(
        {"right", "metric_accuracy", "accepted", "score"} <= one.keys() or "right" in one for one in given
    )


CASES = 6


async def test_labels_make_the_whole_way_to_langsmith_and_back(langsmith, tmp_path, monkeypatch, capsys):
    """Failures frozen and sent, an experiment on them, people's words pulled back as labels and as gold."""
    study = made_project(tmp_path)
    monkeypatch.chdir(study.folder)
    for name, value in langsmith.env.items():
        monkeypatch.setenv(name, value)
    rows = speeches(CASES)
    (study.folder / "evals" / "datasets").mkdir(parents=True)
    write(study.folder / "evals" / "datasets" / "hard.jsonl", rows)
    (study.folder / "e.toml").write_text(
        'task = "stance"\ndataset = "evals/datasets/hard.jsonl"\n[models.small]\ncheap_model = "scripted:cheap"\njudge = "never"\n'
    )
    upload_examples(langsmith.env, "hard", [as_example(row) for row in rows])
    before = set(langsmith.examples)
    with scripted({"scripted:cheap": extractor}):
        result = await asyncio.to_thread(CliRunner().invoke, app, ["eval", "e.toml", "--langsmith", "--json"])
    assert result.exit_code == 0, result.output

    assert set(langsmith.examples) == before  # the same rows are the same examples, whoever sends them
    assert len(langsmith.datasets) == 1
    runs = {
        langsmith.examples[r.fields["reference_example_id"]]["metadata"]["id"]: r
        for r in langsmith.runs().values()
    }
    assert set(runs) == {row["id"] for row in rows}
    assert all({"accepted", "score", "right"} <= langsmith.feedback()[run.id].keys() for run in runs.values())

    wrong, right, edited, untouched = (rows[n]["id"] for n in range(4))
    better = {"stance": "none", "evidence": [], "reason": "It takes no side."}
    langsmith.say(runs[wrong].id, "correct", score=0, correction={"record": better})
    langsmith.say(runs[right].id, "correct", score=1)
    langsmith.say(runs[right].id, "stance_follows", score=0)
    example = next(e for e in langsmith.examples.values() if e["metadata"]["id"] == edited)
    example["outputs"]["gold"] = {"stance": "against"}
    told = pull_labels(study, "hard", ["stance_follows"])

    labels = {row["id"]: row for row in map(json.loads, told.labels.read_text().splitlines())}
    gold = {row["id"]: row["gold"] for row in map(json.loads, told.gold.read_text().splitlines())}
    assert (labels[wrong]["label"], labels[right]["label"]) == ("fail", "pass")
    assert labels[right]["labels"] == {"stance_follows": "fail"}
    assert labels[wrong]["text"] == rows[0]["text"]
    assert labels[wrong]["record"] == runs[wrong].fields["outputs"]["record"]
    assert gold[wrong] == better
    assert gold[edited] == {"stance": "against"}
    assert untouched not in gold
    again = pull_labels(study, "hard", ["stance_follows"])  # nothing new was said
    assert (again.judged, again.corrected) == (told.judged, told.corrected)
    langsmith.say(runs[untouched].id, "correct", score=1)
    with pytest.raises(InputError, match="move it away to pull anew"):
        pull_labels(study, "hard", ["stance_follows"])


def test_a_data_set_is_masked_as_a_trace_is(langsmith):
    """What is hidden before a trace leaves is hidden in an example, too."""
    row = {
        "id": "eva@example.org",
        "text": "Write to eva@example.org today.",
        "meta": {"mail": "eva@example.org"},
    }
    upload_examples({**langsmith.env, "CUPEL_TRACE_MASK": "personal"}, "people", [as_example(row)])

    assert b"eva@example.org" not in langsmith.bodies()
    [example] = langsmith.examples.values()
    assert example["inputs"]["text"] == "Write to <email> today."


def test_an_endpoint_nobody_answers_is_an_error_and_the_local_result_stands():
    """The error comes at once."""
    env = {"LANGSMITH_API_KEY": "x", "LANGSMITH_ENDPOINT": f"http://127.0.0.1:{free_port()}"}

    with pytest.raises(SettingError, match=r"cannot be reached .* local data set stands"):
        upload_examples(env, "x", EXAMPLES)
