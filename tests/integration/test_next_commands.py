"""From an idea to a verdict by what each command prints next."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.improvement.ledger import ledger_of
from cupel.improvement.versions import version_of
from cupel.task import load_task
from cupel.testing.models import scripted
from tests.integration.improvement import GOOD_RULE, TASK, extractor, made_project, rewriter, speeches, write

ENV = {
    "CUPEL_CHEAP_MODEL": "scripted:cheap", "CUPEL_STRONG_MODEL": "none", "CUPEL_JUDGE": "never",
    "CUPEL_REFINER_MODEL": "scripted:refiner",
}  # fmt: skip


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A project with sixty speeches with gold, half of them hard, and a frozen set of others."""
    made = made_project(tmp_path / "study")
    rows = [{**row, "topic": "it"} for row in speeches(72)]
    write(made.folder / "speeches.jsonl", rows[:60])
    write(made.folder / "frozen.jsonl", rows[60:])
    monkeypatch.chdir(made.folder)
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    return made


def cupel(command, refiner=(), **words):
    """A command as it was printed, with what stands in capitals filled in; what it says, on both channels."""
    for placeholder, value in words.items():
        command = re.sub(rf"\b{placeholder}\b", str(value), command)
    models = {"scripted:cheap": extractor, "scripted:refiner": refiner or [], "openai:cheap": extractor}
    with scripted(models | {"openai:rewriter": refiner or []}):
        result = CliRunner().invoke(app, shlex.split(command)[1:])
    return f"{result.output}\n{result.stderr}" if result.stderr not in result.output else result.output


def next_of(said):
    """The last command that was printed."""
    return re.findall(r"cupel (?:improve|failures|prompts|run) [^\n`]+", said)[-1]


def test_an_idea_comes_to_its_verdict_in_three_commands_each_printed_by_the_last(study):
    """Copy, try, gate; and what promotes it, and what takes that back, is printed too."""
    before = version_of(load_task(TASK, study.prompts))
    said = cupel(f"cupel prompts copy {TASK} mine")
    rules = study.folder / "mine" / "rules.toml"
    rules.write_text(f'{rules.read_text()}\n[[rules]]\nid = "mine"\ntext = "{GOOD_RULE}"\n')
    tried = cupel(f"{next_of(said)} --yes", DATASET="frozen.jsonl")
    verdict = cupel(f"{next_of(tried)} --yes", FILE="speeches.jsonl")
    cupel(next_of(verdict))
    promoted = version_of(load_task(TASK, study.prompts))

    assert "6 better, 0 worse of 12" in tried
    assert "better: a nominee that waits for approval" in verdict
    assert promoted != before
    assert ledger_of(study.state).active(TASK) == promoted


@pytest.mark.parametrize(
    "ending",
    [
        (rewriter(GOOD_RULE), "", "this makes it the prompt", rf"cupel prompts promote {TASK} [0-9a-f]{{12}}"),
        (lambda *_: {"edits": []}, "", "this asks the rewriter anew", f"cupel improve speeches.jsonl --task {TASK} --seed 1"),
        (rewriter("Read with some care."), "--rounds 1", "this asks the rewriter anew", f"cupel improve speeches.jsonl --task {TASK} --rounds 1 --seed 1"),
        ([], "--refiner-model none", "attach a model that rewrites", f"cupel improve speeches.jsonl --task {TASK} --refiner-model PROVIDER:MODEL"),
        ([], "--cheap-model openai:cheap --refiner-model openai:rewriter --max-usd 0.0001", "stopped: the budget", f"cupel improve speeches.jsonl --task {TASK} --max-usd USD --cheap-model openai:cheap --refiner-model openai:rewriter"),
    ],
    ids=["nominee", "no candidate", "no better", "nobody to ask", "no money left"],
)  # fmt: skip
def test_a_campaign_that_ends_says_how_to_go_on(study, monkeypatch, ending):
    """In the words it was asked in, whatever it came to."""
    refiner, options, said, command = ending
    monkeypatch.setenv("CUPEL_PRICES", "openai:cheap=1/1,openai:rewriter=1/1")

    told = cupel(f"cupel improve speeches.jsonl --task {TASK} --yes {options}", refiner)

    assert said in " ".join(told.split())
    assert re.fullmatch(command, next_of(told).strip())


def test_what_json_says_is_the_same_command(study):
    """For whoever reads it by a program."""
    told = cupel(f"cupel improve speeches.jsonl --task {TASK} --yes --json", rewriter(GOOD_RULE))

    result = json.loads(told[: told.rindex("}") + 1])
    assert result["next"] == f"cupel prompts promote {TASK} {result['proposal']['version']}"
