"""The page on the prompt engineer's day: every command line quoted in it is one the command line takes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

import pytest
import typer
from typer.testing import CliRunner

from cupel.cli._app import app
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "prompt-engineer.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^(?:\$ )?cupel ([^&\n]+)", PAGE, flags=re.MULTILINE)


def parsed(words):
    """What the command line reads in these words; nothing is run."""
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, *words = command.commands[words[0]], *words[1:]
    return command.make_context(command.name, words).params


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_line_of_the_page_parses(line):
    """Names of commands and options, and the kinds of their values."""
    assert parsed(shlex.split(line))


def test_the_page_shows_the_whole_day_and_stays_short():
    """The page leads from failures to promotion."""
    shown = {line.split()[0] for line in COMMANDS}

    assert {"run", "failures", "show", "improve", "prompts", "eval"} <= shown
    assert len(PAGE.splitlines()) <= 150


SHOWN = re.findall(r"^\$ ((?:cupel|sed) [^\n]+)", PAGE, flags=re.MULTILINE)
REFUSED = {
    "cupel prompts promote": "has no gate's decision to promote it",
    "cupel prompts pull-from-studio": "127.0.0.1:2024",
    "cupel prompts push": "LANGSMITH_API_KEY",
    "cupel prompts pull ": "LANGSMITH_API_KEY",
}
"""What the page says is refused, or needs a server or a key; with the words that say so."""


@pytest.mark.soak
def test_every_command_of_the_page_runs_as_printed_on_what_init_lays_down(tmp_path, monkeypatch):
    """One after the other, in one project, without a key."""
    for name in [name for name in os.environ if name.startswith(("CUPEL_", "LANGSMITH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["init", "study"]).exit_code == 0
    monkeypatch.chdir(tmp_path / "study")
    told = {}
    for line in SHOWN:
        if line.startswith("sed "):
            subprocess.run(line, shell=True, check=True)
            continue
        result = CliRunner().invoke(app, shlex.split(line)[1:])
        told[line] = f"{result.output}{result.stderr}{result.exception or ''}"
        refusal = next((words for start, words in REFUSED.items() if line.startswith(start)), None)
        assert (result.exit_code == 0) == (refusal is None), f"{line}: {told[line]}"
        assert refusal is None or refusal in told[line], line
    rerun = next(said for line, said in told.items() if "--rerun" in line)

    assert "changed: labels, examples, schema" in rerun
    assert "the gate is: cupel improve FILE --task entities --candidate mine" in rerun
    assert (
        "next: edit them, then cupel failures --task entities --rerun"
        in told["cupel prompts copy entities mine"]
    )
    verdict = next(said for line, said in told.items() if line.startswith("cupel improve"))
    assert re.search(
        r"^next, .*: cupel improve NEW_FILE --task entities --candidate \w{12} ", verdict, re.MULTILINE
    )
    assert "by gold (" in told[next(line for line in told if "--limit 20" in line)]
    assert "gold: wrong, 0.13" in told["cupel show nerep-0160"]
