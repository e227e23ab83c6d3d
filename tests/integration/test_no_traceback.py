"""Malformed environments, files and addresses: a sentence and the right exit code, and never a traceback."""

from __future__ import annotations

import json
import logging
import re
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from cupel.cli import _last_resort
from cupel.errors import ProjectError, SettingError, TaskError
from cupel.project import find_project, load_graph
from cupel.task import check_prompts, load_task
from cupel.testing.provider import ScriptedProvider
from cupel.tracing import Tracer
from tests.conftest import ROOT
from tests.integration import forked
from tests.integration.here import Done, command
from tests.integration.test_run_cli import environment

LONG = "n" * 300
OFFLINE = ["--profile", "offline"]
RUN = ["run", "in.jsonl", "--task", "sentiment", *OFFLINE, "--out", "out.jsonl", "--no-report"]
TRACED = {"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "lsv2_s3ntinel4711"}
USAGE, MACHINE, OK = 2, 6, 0


@pytest.fixture
def folder(tmp_path):
    """A folder outside any project, with one document."""
    (tmp_path / "in.jsonl").write_text('{"id": "a", "text": "We must act now, for the sake of all."}\n')
    return tmp_path


@pytest.fixture
def study(folder):
    """A project of one's own."""
    shutil.copytree(ROOT / "prompts", folder / "prompts")
    (folder / "langgraph.json").write_text(
        json.dumps({"graphs": {"enrich": f"{ROOT}/graphs/enrich.py:graph"}, "env": ".env"})
    )
    return folder


def is_a_sentence(done: Done, code: int, *words: str) -> bool:
    """Whether a person was told, in words, and nothing of Python's was shown."""
    assert done.code == code, done
    assert "Traceback" not in done.said
    assert "Unforeseen" not in done.said, done.stderr
    assert "s3ntinel" not in done.said
    for word in words:
        assert word in done.said, done
    return True


DATABASES = [
    "postgres", "sqlite", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///x?mode=ro", "sqlite:////", "://", "file:x",
    "mysql://me:s3ntinel4711@x/y", "http://x", "postgresql+asyncpg://h/db", "sqlite+aiosqlite:///x", "postgresql://h:99999/db",
    "postgresql://h:0/db", "postgresql://h:port/db", "postgresql://[::1/db", "postgresql:// h/db", "postgresql://h/db?nosuch=1",
    "postgresql://me:s3ntinel4711@ss/w@host/db", "postgresql://h/a\x1b[31mb",
]  # fmt: skip


@pytest.mark.parametrize("address", DATABASES)
def test_a_database_address_that_is_none(folder, address):
    """The variable is named, the address without its password, and which there may be."""
    assert is_a_sentence(
        command(folder, "show", "a", env={"CUPEL_DATABASE_URL": address}),
        USAGE,
        "CUPEL_DATABASE_URL",
        "postgresql://USER@HOST",
    )


ADDRESSES = [
    "nonsense",
    "http://[::1",
    "http://h:port/v1",
    "http://",
    "http://h:99999",
    "http://a b/v1",
    f"http://{LONG}/v1",
    "http://..../v1",
    "ftp://h/v1",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_base_url_that_is_none(folder, address):
    """A run does not start, and `doctor` says the same."""
    env = {"OPENAI_API_KEY": "sk-s3ntinel4711", "OPENAI_BASE_URL": address}
    asked = ["run", "in.jsonl", "--task", "sentiment", "--cheap-model", "openai:x"]

    assert is_a_sentence(command(folder, *asked, env=env), USAGE, "openai:x", "is no address")


def test_doctor_says_of_every_address_what_is_wrong_with_it(folder):
    """It looks at all of them, and ends."""
    env = {
        "OPENAI_API_KEY": "sk-s3ntinel4711",
        "OPENAI_BASE_URL": "http://[::1",
        "GROQ_BASE_URL": "http://h:port",
        "CUPEL_DATABASE_URL": "x",
    }
    env |= {"LANGSMITH_ENDPOINT": "http://[", "CUPEL_TRACE_MASK": "("}
    done = command(folder, "doctor", "--cheap-model", "openai:x", env=env)

    assert is_a_sentence(done, USAGE, "its host cannot be read", "its port is no number", "'x' is no address")


def test_a_base_url_with_a_password_beside_a_key(folder):
    """It could be sent with a key at no document, so nothing is begun."""
    env = {"OPENAI_API_KEY": "sk-s3ntinel4711", "OPENAI_BASE_URL": "http://me:s3ntinel4711@127.0.0.1:1/v1"}
    asked = ["run", "in.jsonl", "--task", "sentiment", "--cheap-model", "openai:x"]

    assert is_a_sentence(command(folder, *asked, env=env), MACHINE, "is not sent with a key")


@pytest.mark.parametrize("address", [*ADDRESSES, "http://İİ..x"])
def test_a_langsmith_address_that_is_none(capsys, address):
    """Tracing is off, in a line."""
    tracer = Tracer({**TRACED, "LANGSMITH_ENDPOINT": address})

    assert not tracer.on
    assert capsys.readouterr().err.count("LangSmith tracing is off for this run") == 1


@pytest.mark.parametrize("mask", ["(", "[a-", "*", "(?P<x", "a{99999999999}"])
def test_a_mask_that_is_no_pattern(mask):
    """Nothing goes out unmasked that was to be masked."""
    with pytest.raises(SettingError, match=r"CUPEL_TRACE_MASK: .* is no pattern"):
        Tracer({**TRACED, "CUPEL_TRACE_MASK": mask})


def test_a_run_with_a_malformed_mask_does_not_start_and_one_with_a_malformed_endpoint_does(folder):
    """What protects is needed, what only watches is not."""
    masked = forked.run(["cupel", *RUN], cwd=folder, env=environment(None, CUPEL_TRACE_MASK="(", **TRACED))
    watched = forked.run(
        ["cupel", *RUN], cwd=folder, env=environment(None, LANGSMITH_ENDPOINT="http://[::1", **TRACED)
    )

    assert is_a_sentence(Done(masked.returncode, masked.stdout, masked.stderr), USAGE, "CUPEL_TRACE_MASK")
    assert is_a_sentence(
        Done(watched.returncode, watched.stdout, watched.stderr), OK, "LangSmith tracing is off"
    )


@pytest.mark.parametrize(
    "asked",
    [
        ["run", LONG, "--task", "sentiment"], ["run", f"{LONG}.jsonl", "--task", "sentiment"], [*RUN, "--out", f"{LONG}.jsonl"],
        ["run", "in.jsonl", "--task", LONG], ["run", "in.jsonl", "--schema", LONG], ["show", LONG], ["eval", LONG], ["init", LONG],
        [*RUN, "--prerouter", LONG], ["plan", f"{LONG}.csv", "--task", "sentiment"], ["calibrate", f"{LONG}.csv", "--task", "sentiment"],
        ["improve", LONG, "--task", "sentiment"], ["judge-check", LONG, "--task", "sentiment"], ["evaluate-routing", LONG],
    ],
    ids=lambda asked: f"{asked[0]} {asked[-2]}"[:40],
)  # fmt: skip
def test_a_name_longer_than_any_file_may_have(folder, asked):
    """It is somebody's slip, not the program's."""
    assert is_a_sentence(command(folder, *asked), USAGE)


def test_a_name_that_is_not_utf8(folder):
    """It could not be written down in a run log."""
    assert is_a_sentence(command(folder, "run", "\udcff.jsonl", "--task", "sentiment"), USAGE, "UTF-8")


@pytest.mark.parametrize(
    "asked", [RUN, ["show", "a"], ["prompts", "list", "sentiment"]], ids=lambda asked: asked[0]
)
@pytest.mark.parametrize("made", ["a file", "a link that leads nowhere", "a link to itself"])
def test_a_state_folder_that_is_none(folder, made, asked):
    """What stands in its place is named; nothing is made where a link leads."""
    state = folder / ".cupel"
    if made == "a file":
        state.write_text("x")
    else:
        state.symlink_to(folder / "nowhere" if "nowhere" in made else state)
    done = command(folder, *asked)

    code = {"run": MACHINE, "show": USAGE, "prompts": OK if "nowhere" in made else MACHINE}[asked[0]]
    assert is_a_sentence(done, code)
    assert not (folder / "nowhere").exists()


@pytest.mark.parametrize("name", ["what?", "per%41cent", "a&b=#'\"\n[x]"])
def test_a_folder_with_an_odd_name(folder, name):
    """The run log is in it, and is found again."""
    there = folder / name
    there.mkdir()
    shutil.copy(folder / "in.jsonl", there)

    assert is_a_sentence(command(there, *RUN), OK)
    assert is_a_sentence(command(there, "show", "a"), OK)
    assert (there / ".cupel" / "runlog.sqlite").is_file()


CONFIGS = [
    "", "[]", "null", "{", "[" * 5000, '{"graphs": null}', '{"graphs": "x"}', '{"graphs": {"enrich": 3}}', '{"graphs": {"enrich": {"x": 1}}}',
    '{"graphs": {"enrich": "x"}}', '{"graphs": {"enrich": "./nosuch.py:graph"}}', '{"graphs": {"enrich": ".:graph"}}', "\xff",
]  # fmt: skip


@pytest.mark.parametrize("config", CONFIGS, ids=[config[:30] for config in CONFIGS])
def test_a_langgraph_json_of_another_shape(study, config):
    """The file is named."""
    (study / "langgraph.json").write_text(config, encoding="latin-1")

    with pytest.raises(ProjectError, match=r"langgraph\.json|no such graph file"):
        load_graph(find_project(study))


@pytest.mark.parametrize("code", ["raise SystemExit(0)", "def f(: pass", "graph = 3", "1/0", "\0"])
def test_a_graph_that_cannot_be_loaded(study, code):
    """The file is named, whatever its code does."""
    (study / "mine.py").write_text(code)
    (study / "langgraph.json").write_text('{"graphs": {"enrich": "./mine.py:graph"}}')

    with pytest.raises(ProjectError, match=r"mine\.py"):
        load_graph(find_project(study))


def test_a_broken_project_is_told_by_a_run_and_by_doctor(study):
    """Both say it in a sentence."""
    (study / "langgraph.json").write_text('{"graphs": {"enrich": {"x": 1}}}')

    assert is_a_sentence(command(study, *RUN), USAGE, "langgraph.json")
    assert is_a_sentence(command(study, "doctor", *OFFLINE), USAGE, "langgraph.json")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("task.toml", b"\xff\0"), ("task.toml", b"a = [1\n"), ("schema.json", b"\xff"), ("schema.json", b""), ("schema.json", b"[" * 5000),
        ("extract.md", b"\xff\0"), ("extract.md", b""), ("judge.md", b"{{#a}}"), ("rules.toml", b"\xff"), ("examples.jsonl", b"\xff"),
        ("examples.jsonl", b"[" * 5000), ("examples.jsonl", b"3"),
    ],
)  # fmt: skip
def test_a_file_of_a_task_that_cannot_be_read(study, file, content):
    """The file is named."""
    (study / "prompts" / "sentiment" / file).write_bytes(content)

    with pytest.raises(TaskError, match=re.escape(file)):
        check_prompts(load_task("sentiment", study / "prompts"))


@pytest.mark.parametrize(
    "content", [bytes(range(256)), b"A=x\0y\n", "A=1".encode("utf-16"), b"=x\n====\n", b'A="x\n', b"A=${A}\n"]
)
def test_an_env_file_that_cannot_be_read(study, content):
    """What of it means nothing is left out, and the command goes on."""
    (study / ".env").write_bytes(content)

    assert is_a_sentence(command(study, "tasks"), OK)


@pytest.mark.parametrize("levels", [150, 3000])
def test_a_schema_nested_beyond_reason(folder, levels):
    """It is refused before anything is sent."""
    (folder / "s.json").write_text(
        '{"type": "object", "properties": {"x": '
        + '{"type": "array", "items": ' * levels
        + "{}"
        + "}" * levels
        + "}}"
    )

    assert is_a_sentence(command(folder, "run", "in.jsonl", "--schema", "s.json", *OFFLINE), USAGE)


def test_a_record_nested_nine_hundred_times_has_a_report(folder):
    """A graph of one's own may make one; the page says where it stops."""
    assert is_a_sentence(command(folder, *RUN), OK)
    log = sqlite3.connect(folder / ".cupel" / "runlog.sqlite")
    [(stored,)] = log.execute("SELECT outcome FROM outcomes").fetchall()
    deep = json.loads("[" * 900 + "]" * 900)
    log.execute("UPDATE outcomes SET outcome = ?", [json.dumps(json.loads(stored) | {"record": {"x": deep}})])
    log.commit()
    log.close()

    for asked in (["report"], ["show", "a"], ["show", "a", "--json"], ["failures"], RUN):
        assert is_a_sentence(command(folder, *asked), OK)
    [page] = (folder / ".cupel" / "reports").iterdir()
    assert "nested deeper than this page shows" in page.read_text()


def test_an_output_that_has_no_room(folder):
    """A full device is the machine's, exit 6, and Python adds nothing of its own."""
    with Path("/dev/full").open("w") as full:
        done = forked_into(full, folder, ["--version"])

    assert is_a_sentence(done, MACHINE, "No space left on device")


def forked_into(stdout, folder: Path, asked: list[str]) -> Done:
    """A command of the installed package whose output goes there."""
    done = subprocess.run(
        [sys.executable, "-m", "cupel", *asked], cwd=folder, env=environment(None), stdout=stdout, stderr=subprocess.PIPE,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    return Done(done.returncode, "", done.stderr)


def unforeseen(folder: Path, raised: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> Done:
    """A command in which something nobody foresaw happens."""
    monkeypatch.setattr("cupel.cli.tasks.list_tasks", lambda *_, **__: raised())
    return command(folder, "tasks", env={"OPENAI_API_KEY": "sk-s3ntinel4711"})


def test_what_nobody_foresaw_is_a_sentence_and_its_details_a_file_without_secrets(folder, monkeypatch):
    """The last resort says what, where the details are, and how to go on; only its owner reads them."""
    (folder / ".cupel").mkdir(mode=0o700)

    def fail():
        raise KeyError("sent sk-s3ntinel4711 there")

    done = unforeseen(folder, fail, monkeypatch)
    [details] = (folder / ".cupel" / "trouble").iterdir()

    assert done.code == _last_resort.UNFORESEEN
    assert "Unforeseen: KeyError: 'sent *** there'" in done.stderr
    assert str(details) in done.stderr
    assert "the same command goes on" in done.stderr
    assert "Traceback" in details.read_text()
    assert "s3ntinel" not in details.read_text() + done.said
    assert (details.stat().st_mode & 0o777, details.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_what_libraries_warn_of_is_written_down_and_not_shown(folder, monkeypatch):
    """Warnings and logs do not reach the terminal; what failed beside the work is told in a line."""
    (folder / ".cupel").mkdir()
    monkeypatch.setattr(logging.root, "handlers", [])  # the test runner's own

    def grumble():
        warnings.warn("grumble of sk-s3ntinel4711", UserWarning, stacklevel=1)
        logging.getLogger("asyncio").error("Task exception was never retrieved: sk-s3ntinel4711")
        return []

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        done = unforeseen(folder, grumble, monkeypatch)
    [details] = (folder / ".cupel" / "trouble").iterdir()

    assert "grumble" not in done.said
    assert "never retrieved" not in done.said
    assert f"the details are in {details}" in done.stderr
    assert "grumble of ***" in details.read_text()
    assert "never retrieved: ***" in details.read_text()


def test_an_answer_nested_beyond_reason_is_the_documents(folder):
    """The run goes on, and everything that reads it does."""
    (folder / "s.json").write_text(
        json.dumps({"type": "object", "properties": {"x": {"description": "any"}}})
    )
    with ScriptedProvider(lambda _: '{"x": ' + "[" * 3000 + "]" * 3000 + "}") as provider:
        asked = ["run", "in.jsonl", "--schema", "s.json", "--cheap-model", "local:x", "--judge", "never"]
        done = command(folder, *asked, env=provider.environment())

    assert is_a_sentence(done, OK)
    assert is_a_sentence(command(folder, "show", "a"), OK, "nests deeper than")
