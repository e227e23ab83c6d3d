"""Commands given where things are odd: no home, no terminal, no folder, closed streams, and files that are no texts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields

import pytest

from cupel.errors import TaskError
from cupel.task import check_prompts, load_task
from tests.conftest import ROOT
from tests.integration import test_no_traceback
from tests.integration.here import Done, command
from tests.integration.test_no_traceback import MACHINE, OFFLINE, OK, RUN, USAGE, is_a_sentence
from tests.integration.test_run_cli import environment

BOM = b"\xef\xbb\xbf"


folder, study = test_no_traceback.folder, test_no_traceback.study
"""Fixtures: a folder with one document, and a project of one's own in it."""


def typed(folder, line, **env):
    """A line of a shell, `cupel` in it being the installed one."""
    done = subprocess.run(
        ["bash", "-c", f'cupel() {{ "{sys.executable}" -m cupel "$@"; }}; {line}'], cwd=folder,
        env=environment(None, **env), stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_folder_that_was_removed_meanwhile(folder):
    """Every command needs one to be in, and says so."""
    assert is_a_sentence(
        typed(folder, "mkdir gone; cd gone; rmdir ../gone; cupel tasks"), USAGE, "cannot be found any more"
    )


@pytest.mark.parametrize(
    "closed", ["<&- >&- 2>&-", *(pytest.param(one, marks=pytest.mark.soak) for one in ("<&-", ">&-", "2>&-"))]
)
def test_streams_that_are_closed(folder, closed):
    """What nobody hears is not said, and the command does its work."""
    assert is_a_sentence(typed(folder, f"cupel tasks {closed}"), OK)


@pytest.mark.parametrize(
    "env",
    [
        {"HOME": "/nonexistent"}, {"HOME": ""}, {"HOME": "x/y"}, {"HOME": "/dev/null"}, {"TMPDIR": "/nonexistent"}, {"TERM": "dumb"},
        {"TERM": ""}, {"LANG": "C", "LC_ALL": "POSIX"}, {"LC_ALL": "xx_YY.UTF-9"}, {"TZ": "Nowhere/None"}, {"HUGE": "x" * 100_000},
        {"HUGE_API_KEY": "k1" * 5_000}, {f"A{n}_API_KEY": f"sk-{n}aB{n * 7919}zzzzzzzzzz" for n in range(30)}, {"CUPEL_TRUST": "~nosuch/x"},
        {"CUPEL_TRUST": "\x01:::"}, {"XDG_CONFIG_HOME": "\x7f"}, {"EDITOR": ""}, {"SHELL": "/nonexistent"}, {"USER": "", "LOGNAME": ""},
    ],
    ids=lambda env: f"{next(iter(env))}={next(iter(env.values()))!r}"[:40],
)  # fmt: skip
def test_an_odd_environment(study, env):
    """None of it is needed."""
    assert is_a_sentence(command(study, "tasks", env=env), OK, "sentiment")


@pytest.mark.parametrize("columns", ["0", "1", "-5", "abc", "", "99999999999"])
def test_a_window_of_any_width(folder, columns):
    """A table is never narrower than can be read, nor so wide that it fills the memory."""
    assert is_a_sentence(command(folder, *RUN), OK)
    done = command(folder, "show", "a", env={"COLUMNS": columns})

    assert is_a_sentence(done, OK, "We must act now")
    assert max(map(len, done.stdout.splitlines())) <= 1000


@pytest.mark.parametrize(
    "encoding",
    ["ascii:strict", *(pytest.param(one, marks=pytest.mark.soak) for one in ("ascii", "cp1252", "utf-16"))],
)
def test_a_terminal_of_another_encoding(folder, encoding):
    """A Greek file name is shown as well as may be."""
    (folder / "δ.jsonl").write_text('{"id": "ε", "text": "δοκιμή — “now”"}\n')
    asked = "cupel run δ.jsonl --task sentiment --profile offline --no-report --json"
    done = subprocess.run(
        ["bash", "-c", f'cupel() {{ "{sys.executable}" -m cupel "$@"; }}; {asked}'], cwd=folder, capture_output=True,
        env=environment(None, PYTHONIOENCODING=encoding), timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done
    assert json.loads(done.stdout.decode(encoding.partition(":")[0]))["output"] == "δ.sentiment.jsonl"
    assert b"Traceback" not in done.stderr


FILES = ("task.toml", "schema.json", "rules.toml", "examples.jsonl", "extract.md", "judge.md")


@pytest.mark.parametrize("file", FILES)
def test_a_byte_order_mark_before_a_file_of_a_task_is_not_read(study, file):
    """Some editors write one; it is the same task with it."""
    path = study / "prompts" / "sentiment" / file
    generic = ROOT / "prompts" / "_generic" / file
    if not path.exists():
        path.write_bytes(generic.read_bytes() if generic.exists() else b"")
    plain = load_task("sentiment", study / "prompts")
    path.write_bytes(BOM + path.read_bytes())
    marked = load_task("sentiment", study / "prompts")

    assert {field.name: getattr(marked, field.name) for field in fields(marked)} == {
        field.name: getattr(plain, field.name) for field in fields(plain)
    }


MADE = ["a pipe", "a folder", "a link to itself", "latin-1", "ten megabytes"]


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("file", FILES)
def test_something_else_in_the_place_of_a_tasks_file(study, file, made):
    """Nothing is waited for; it is as if there were none, or the file is named."""
    put(study / "prompts" / "sentiment" / file, made)

    told = why_not(study)

    assert "sentiment" in told
    if made == "latin-1":
        assert f"{file}: cannot be read: is not UTF-8: line" in told


def why_not(study):
    """What keeps a task from being loaded, in words, or its name."""
    try:
        task = load_task("sentiment", study / "prompts")
        check_prompts(task)
    except TaskError as error:
        return str(error)
    return task.name


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("file", ["langgraph.json", ".env"])
def test_something_else_in_the_place_of_a_projects_file(study, file, made):
    """The command goes on without it, or names it."""
    put(study / file, made)
    done = command(study, "tasks")

    assert is_a_sentence(done, USAGE if done.code else OK, *([file] if done.code else ()))


def put(path, made):
    """Lay this in a file's place."""
    before = path.read_bytes() if path.is_file() else b""
    path.unlink(missing_ok=True)
    if made == "a pipe":
        os.mkfifo(path)
    elif made == "a folder":
        path.mkdir()
    elif made == "a link to itself":
        path.symlink_to(path)
    elif made == "latin-1":
        path.write_bytes(before + "\n# é\n".encode("latin-1"))
    else:
        path.write_bytes(before + b"\n" + b" " * 10_000_000)


@pytest.mark.parametrize("made", ["a pipe", "a folder", "a link to itself", "latin-1"])
@pytest.mark.parametrize(
    "asked",
    [
        ["run", "x.jsonl", "--task", "sentiment", *OFFLINE], ["run", "in.jsonl", "--schema", "x.jsonl", *OFFLINE],
        ["plan", "x.csv", "--task", "sentiment", *OFFLINE], ["plan", "x.parquet", "--task", "sentiment", *OFFLINE],
        ["calibrate", "x.jsonl", "--task", "sentiment", "--cheap-model", "scripted:x"],
        ["improve", "x.jsonl", "--task", "sentiment"], ["judge-check", "x.jsonl", "--task", "sentiment", "--judge-model", "scripted:x"],
        ["evaluate-routing", "x.toml", "--data", "."], ["evaluate-routing", "x.jsonl"], ["eval", "x.toml"],
        ["run", "in.jsonl", "--task", "sentiment", *OFFLINE, "--policy", "x.json"],
        ["run", "in.jsonl", "--task", "sentiment", *OFFLINE, "--prerouter", "x.json"],
        ["improve", "in.jsonl", "--task", "sentiment", "--candidate", "x.toml"],
    ],
    ids=lambda asked: " ".join(asked[:1] + [part for part in asked if part.startswith("x.")]),
)  # fmt: skip
def test_something_else_in_the_place_of_a_file_that_is_named(folder, asked, made):
    """It is an error of whoever named it, and nothing is waited for."""
    [name] = [part for part in asked if part.startswith("x.")]
    put(folder / name, made)

    assert is_a_sentence(command(folder, *asked), USAGE)


@pytest.mark.parametrize("name", ["fifo.jsonl", "full.jsonl", "null.jsonl", "folder.jsonl", "loop.jsonl"])
def test_an_output_that_is_no_file(folder, name):
    """It is left as it is, and another is asked for."""
    os.mkfifo(folder / "fifo.jsonl")
    (folder / "full.jsonl").symlink_to("/dev/full")
    (folder / "null.jsonl").symlink_to("/dev/null")
    (folder / "folder.jsonl").mkdir()
    (folder / "loop.jsonl").symlink_to("loop.jsonl")
    done = command(folder, *RUN[:-2], name, "--no-report")

    assert is_a_sentence(done, USAGE, name)


@pytest.mark.parametrize("name", ["runlog.sqlite", "runlog.sqlite-wal", "runlog.sqlite-shm", "runlog.claims", "reports", "policies"])  # fmt: skip
@pytest.mark.parametrize("made", ["a pipe", "a folder"])
def test_something_else_in_the_place_of_a_file_of_ours(folder, name, made):
    """The run goes on without it, or says which and ends."""
    (folder / ".cupel").mkdir()
    put(folder / ".cupel" / name, made)
    done = command(folder, *[part for part in RUN if part != "--no-report"])

    assert is_a_sentence(done, MACHINE if done.code else OK, *(["runlog.sqlite"] if done.code else ()))
