"""The commands' help: all of it renders, nothing heavy is imported for it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from cupel.cli._app import app

COMMANDS = sorted(typer.main.get_command(app).commands)
HEAVY = (
    "aiohttp", "alembic", "genai_prices", "jsonschema", "langchain_core", "langgraph", "langsmith", "numpy", "openai",
    "pandas", "pydantic", "rapidfuzz", "rich", "sklearn", "sqlalchemy",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    """Help renders, says what the command does, and gives every option a sentence."""
    result = CliRunner().invoke(app, [command, "--help"])
    made = typer.main.get_command(app).commands[command]

    assert result.exit_code == 0
    assert made.help
    for parameter in made.params:
        assert getattr(parameter, "hidden", False) or parameter.help, parameter.name


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_shows_a_whole_sentence_for_each(command):
    """Nothing is cut off with dots where a newcomer looks first."""
    line = next(
        line
        for line in CliRunner().invoke(app, ["--help"]).stdout.splitlines()
        if line.strip().startswith(f"{command} ")
    )

    assert not line.endswith("...")


def test_help_imports_nothing_heavy():
    """`cupel --help` answers at once: what a command needs is imported when it runs."""
    code = f"import sys, cupel.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


def test_without_a_command_the_help_is_shown():
    """A newcomer who types the bare name sees the help."""
    result = CliRunner().invoke(app, [])

    assert "Commands:" in result.output
    assert all(f"  {command} " in result.output for command in COMMANDS)


@pytest.mark.parametrize("name", ["run", "plan", "doctor", "calibrate", "improve"])
def test_help_tells_the_default_of_every_setting(name):
    """What a run does where an option is left out stands beside the option, as the settings have it."""
    from cupel.context import RunContext

    options = [
        each
        for each in typer.main.get_command(app).commands[name].params
        if not (getattr(each, "is_flag", False) or getattr(each, "hidden", False))
    ]
    told = {each.name: " ".join((each.help or "").split()) for each in options if hasattr(each, "help")}
    for setting in told.keys() & RunContext.model_fields.keys():
        default = RunContext.model_fields[setting].default
        assert "default" in told[setting], setting
        if isinstance(default, int | float):
            assert f"default {default:g}" in told[setting], setting


def test_help_says_how_to_stay_cheap_and_what_none_is():
    """A newcomer finds the plan, the cap and the cheap model alone where the run is explained."""
    told = " ".join(CliRunner().invoke(app, ["run", "--help"]).stdout.split())

    assert "To stay cheap: `cupel plan` first" in told
    assert "--strong-model none --judge never" in told
    assert told.count("`none` for none") >= 3
