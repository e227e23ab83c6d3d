"""The page on the prompt engineer's day: every command line quoted in it is one the command line takes."""

from __future__ import annotations

import re
import shlex

import pytest
import typer

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
