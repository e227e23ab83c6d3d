"""The worked example: every command of the page is run as printed, and says what the page says it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

import pytest
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.files import read_text
from tests.conftest import ROOT

PAGE = read_text(ROOT / "docs" / "worked-example.md")
BLOCKS = re.findall(r"^```\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)

REFUSED = "cupel prompts promote"
"""What the page says is refused."""


def steps(block):
    """Each command of a block with the lines shown below it; a block without a prompt is a script."""
    if not block.startswith("$ "):
        return [(block, [])]
    found = []
    for line in block.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def plain(text):
    """Words alone: how wide a terminal is, and how a table is ruled, is no matter."""
    return " ".join(re.sub(r"[─━┏┓┃┡┩│└┘┴┬╇┳]", " ", text).split())


def shows(said, line):
    """Whether a line of the page stands in what a command said; `…` stands for anything."""
    parts = [re.escape(plain(part)) for part in line.split("…")]
    return re.search(r".*?".join(part for part in parts if part), plain(said)) is not None


def run(command):
    """What a command line says; `cupel` in this process, all else in a shell."""
    if command.startswith("cupel "):
        result = CliRunner().invoke(app, shlex.split(command)[1:])
        return result.exit_code, f"{result.output}\n{result.stderr}\n{result.exception or ''}"
    done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_every_command_of_the_page_says_what_the_page_shows(tmp_path, monkeypatch):
    """One after the other, in one project, from recorded answers: no key, no network."""
    for name in [name for name in os.environ if name.startswith(("CUPEL_", "LANGSMITH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.chdir(tmp_path)
    assert BLOCKS[0] == "cupel init study && cd study\n"
    assert CliRunner().invoke(app, ["init", "study"]).exit_code == 0
    monkeypatch.chdir(tmp_path / "study")
    for command, shown in [step for block in BLOCKS[1:] for step in steps(block)]:
        code, said = run(command)
        assert (code == 0) != command.startswith(REFUSED), f"{command}\n{said}"
        missing = [line for line in shown if not shows(said, line)]
        assert not missing, f"{command}\nshown, not said: {missing}\n{said}"


@pytest.mark.parametrize(
    ("line", "expected"), [("gain +1.2 […]", True), ("gain … of 23", True), ("gain +1.3", False)]
)
def test_what_a_page_leaves_out_may_be_anything_and_the_rest_may_not(line, expected):
    """A figure that is shown is a figure that was said."""
    assert shows("│ gain +1.2 [0.1,   2.0]  ┃ n = 7 of 23", line) is expected
