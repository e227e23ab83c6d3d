"""A document that went through every kind of work is forgotten: nothing of it is left that is not named."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.runlog import open_run_log, tables
from cupel.testing.batches import BatchScript
from cupel.testing.models import scripted
from cupel.testing.provider import ScriptedProvider
from tests.integration.improvement import GOOD_RULE, extractor, made_project, rewriter, speeches, write

PLANTED = "Ms Zwetschge of Quetschenheim asked for it in tears."
CHEAP = ["--cheap-model", "scripted:cheap"]
ALONE = [*CHEAP, "--strong-model", "none", "--judge", "never"]
RUN = ["run", "speeches.jsonl", "--task", "stance", "--input", "topic", "--no-report", "--json"]
OPENAI = ["--cheap-model", "openai:cheap", "--strong-model", "none", "--judge", "never"]

WORK = {
    "a run": [[*RUN, *ALONE, "--out", "alone.jsonl"]],
    "a run in packs": [
        [
            *("calibrate", "speeches.jsonl", "--task", "stance", "--input", "topic", "--packing", "--sample", "12"),
            *("--pack-size", "2", "--packing-min", "0.5", *CHEAP, "--yes"),
        ],
        [*RUN, *ALONE, "--packing", "--packing-min", "0.5", "--out", "packed.jsonl"],
    ],
    "a batch": [[*RUN, *OPENAI, "--batch", "--batch-poll-s", "0.1", "--out", "batch.jsonl"]],
    "frozen failures": [["failures", "--freeze", "hard", "--task", "stance"]],
    "a comparison": [
        [
            *("compare", "speeches.jsonl", "--task", "stance", "--input", "topic", "--out", "both.csv"),
            *("--a", "scripted:cheap", "--b", "scripted:two", "--judge", "scripted:judge"),
        ]
    ],
    "a campaign": [
        [
            *("improve", "speeches.jsonl", "--task", "stance", *CHEAP, "--refiner-model", "scripted:refiner", "--yes"),
            *("--strong-model", "none", "--judge-model", "none", "--json"),
        ]
    ],
    "a calibration": [
        [
            *("calibrate", "speeches.jsonl", "--task", "stance", "--input", "topic", "--sample", "100", "--yes"),
            *(*CHEAP, "--strong-model", "scripted:strong", "--prerouter"),
        ]
    ],
}  # fmt: skip
"""Each kind of work, by the commands that do it; they build on each other."""


def cheap(messages, schema):
    """The cheap model: of the planted speech it quotes what was never said, and repeats it in its reason."""
    parts = re.findall(r'<document id="(\d+)">(.*?)</document>', messages[-1]["content"], re.DOTALL)
    if "records" in schema["properties"]:
        return {"records": [{"document": int(n), "record": _record(messages[0], part)} for n, part in parts]}
    return _record(messages[0], messages[-1]["content"])


def _record(system, part):
    return {**extractor([system, {"content": part}], None), **_on_planted(part)}


def _on_planted(part):
    if "Zwetschge" not in part:
        return {}
    return {
        "evidence": ["nothing of the kind was said"],
        "reason": f"As {PLANTED.rstrip('.')}, it is meant so",
    }


def repeating(script, at):
    """A model whose words repeat the planted ones where it was shown them."""

    def say(messages, schema):
        said = script(messages, schema)
        if "Zwetschge" in json.dumps(messages, ensure_ascii=False):
            at(said)
        return said

    return say


MODELS = {
    "scripted:cheap": cheap,
    "scripted:two": lambda messages, schema: {**cheap(messages, schema), "stance": "none"},
    "scripted:strong": lambda messages, _schema: _record(
        {"content": "Mind a concession."}, messages[-1]["content"]
    ),
    "scripted:refiner": repeating(rewriter(GOOD_RULE), lambda said: said["edits"][0].update(why=PLANTED)),
    "scripted:judge": repeating(
        lambda _messages, _schema: {"reasoning": "It is fuller.", "better": "first"},
        lambda said: said.update(reasoning=PLANTED),
    ),
}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A project with a hundred speeches, of which the first has the planted sentence."""
    made = made_project(tmp_path / "study")
    rows = [{**row, "topic": "the proposal"} for row in speeches(100)]
    rows[0]["text"] += f" {PLANTED}"
    write(made.folder / "speeches.jsonl", rows)
    monkeypatch.chdir(made.folder)
    return made


def command(*args):
    """A command with scripted models: its stdout."""
    with scripted(MODELS):
        result = CliRunner().invoke(app, list(args))
    assert result.exit_code == 0, (args, result.exception, result.output)
    return result.stdout


def holding(study):
    """The files in which a word of the planted sentence stands."""
    files = (path for path in study.folder.rglob("*") if path.is_file())
    return {path for path in files if b"zwetschge" in path.read_bytes().lower()}


def others(study):
    """Outcomes and texts of all other documents."""
    log = open_run_log(study.state, {})
    try:
        rows = [*log.rows_of(tables.outcomes), *log.rows_of(tables.documents)]
    finally:
        log.close()
    return {json.dumps(row, sort_keys=True, default=str) for row in rows if row.get("doc_id") != "s0"}


@pytest.mark.soak
def test_after_every_kind_of_work_nothing_is_left_that_is_not_named(study, monkeypatch):
    """Database, pages, ledger, frozen sets, what was learnt; each other row is as it was, and a resume asks nothing."""
    batches = BatchScript(takes_s=0.1)
    with ScriptedProvider(
        lambda body: cheap(body["messages"], _schema_of(body)), batches=batches
    ) as provider:
        for name, value in provider.environment().items():
            monkeypatch.setenv(name, value)
        for commands in WORK.values():
            for args in commands:
                command(*args)
        before, held = others(study), holding(study)
        erasure = json.loads(command("forget", "--doc-id", "s0", "--json"))
        asked = provider.counts.requests
        resumed = [json.loads(command(*args)) for args in (WORK["a run"][0], WORK["a batch"][0])]

    yours = {study.folder / path for path in erasure["yours"]}
    after = others(study)
    assert len(held) > 6
    assert holding(study) <= yours, holding(study) - yours
    assert study.state / "runlog.sqlite" not in yours
    assert study.folder / "speeches.jsonl" in yours
    assert study.folder / "evals" / "datasets" / "hard.jsonl" in yours
    assert {row for row in before if PLANTED not in row and '"s0"' not in row} <= after
    assert [each["statuses"]["forgotten"] for each in resumed] == [1, 1]
    assert [each["calls"] for each in resumed] == [{}, {}]
    assert provider.counts.requests == asked


def _schema_of(body):
    return body["response_format"]["json_schema"]["schema"]
