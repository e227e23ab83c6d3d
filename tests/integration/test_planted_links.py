"""Links laid into a folder that came from elsewhere: whatever they lead to stays as it is, whoever's it is."""

from __future__ import annotations

import os
import sqlite3

import pytest

from tests.conftest import clone_project
from tests.integration.here import command
from tests.integration.test_no_traceback import MACHINE, OFFLINE, OK, USAGE, is_a_sentence

RUN = ["run", "in.jsonl", "--task", "sentiment", *OFFLINE, "--out", "out.jsonl"]
NAMES = [
    "runlog.sqlite", "runlog.sqlite-wal", "runlog.sqlite-shm", "runlog.sqlite-journal", "runlog.claims", "reports", "policies", "outputs", "gepa",
    "spool", "trouble", "ledger.jsonl", "unsaved-1.jsonl",
]  # fmt: skip


def soaked(*names):
    """Cases for a long run."""
    return [pytest.param(name, marks=pytest.mark.soak) for name in names]


pytestmark = pytest.mark.usefixtures("nobody_trusted")


@pytest.fixture
def foreign(tmp_path):
    """A project from elsewhere, which changes prompts only, so that nobody is asked about its code."""
    folder = clone_project(tmp_path / "cloned")
    (folder / "in.jsonl").write_text('{"id": "a", "text": "We must act now, for the sake of all."}\n')
    return folder


@pytest.fixture
def home(tmp_path):
    """What this user would not like to lose: a text, an empty file, a database, a folder with a page, and another user's file."""
    folder = tmp_path / "precious"
    (folder / "folder").mkdir(parents=True)
    (folder / "folder" / "page.html").write_text("We must act now, for the sake of all.")
    (folder / "text").write_text("export PATH\n")
    (folder / "empty").touch()
    with sqlite3.connect(folder / "database") as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    (folder / "another's").write_text("theirs")
    if os.getuid() == 0:
        os.chown(folder / "another's", 1234, 1234)
    return folder


def seen(folder):
    """Everything in a folder: names, content, times."""
    return {
        path: (path.is_file() and path.read_bytes(), path.lstat().st_mtime_ns, path.lstat().st_ino)
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("target", ["text", *soaked("empty", "database", "folder", "another's", "nowhere")])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_written_where_a_link_in_the_state_folder_leads(foreign, home, name, target):
    """A run, then what reads, mends and forgets: a sentence each, and all is as it was."""
    (foreign / ".cupel").mkdir()
    (foreign / ".cupel" / name).symlink_to(home / target)
    before = seen(home)
    for asked in (RUN, ["forget", "--doc-id", "a"], ["runlog", "check"], ["runlog", "repair"]):
        done = command(foreign, *asked)
        is_a_sentence(done, done.code if done.code in (OK, USAGE, MACHINE) else OK)

    assert seen(home) == before


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_sqlite_is_not_led_to_a_file_of_ours_beside_a_sound_run_log(foreign, home, end):
    """The planted run log is a good one: only the file beside it is not."""
    assert is_a_sentence(command(foreign, *RUN), OK)
    (foreign / ".cupel" / f"runlog.sqlite{end}").unlink(missing_ok=True)
    (foreign / ".cupel" / f"runlog.sqlite{end}").symlink_to(home / "text")
    before = seen(home)
    for asked in ([*RUN, "--retry-failed"], ["show", "a"], ["report"], ["failures"], ["runlog", "check"], ["runlog", "repair"]):  # fmt: skip
        assert is_a_sentence(command(foreign, *asked), MACHINE, f"runlog.sqlite{end} is a link to")

    assert seen(home) == before


def test_a_state_folder_that_is_a_link_needs_a_word_of_the_user(foreign, home, monkeypatch):
    """To a larger disk it is the user's own, and is used once that is said; in a folder from elsewhere it is not followed."""
    (foreign / ".cupel").symlink_to(home / "folder")
    before = seen(home)
    for asked in (RUN, ["show", "a"], ["tasks"], ["doctor", *OFFLINE], ["forget", "--doc-id", "a"]):
        assert is_a_sentence(command(foreign, *asked), USAGE, ".cupel is a link to", "cupel trust")
    assert seen(home) == before

    monkeypatch.setenv("CUPEL_TRUST", str(foreign))
    assert is_a_sentence(command(foreign, *RUN), OK)
    assert (home / "folder" / "runlog.sqlite").is_file()
    assert is_a_sentence(command(foreign, "show", "a"), OK)


def test_a_run_log_that_a_user_names_may_be_reached_by_a_link(foreign, home):
    """Whoever sets CUPEL_DATABASE_URL knows where it leads."""
    (home / "link.sqlite").symlink_to(home / "larger.sqlite")
    (home / "larger.sqlite").touch()
    env = {"CUPEL_DATABASE_URL": f"sqlite:///{home / 'link.sqlite'}"}

    assert is_a_sentence(command(foreign, *RUN, env=env), OK)
    assert (home / "link.sqlite").is_symlink()
    assert (home / "larger.sqlite").stat().st_size > 0


@pytest.mark.parametrize("name", ["out.jsonl", ".out.jsonl.part", "out.csv", "out.parquet"])
@pytest.mark.parametrize("target", ["text", *soaked("another's", "nowhere", "folder")])
def test_no_output_goes_where_a_link_leads(foreign, home, name, target):
    """Neither by the result's own name nor by that of its unfinished part."""
    (foreign / name).symlink_to(home / target)
    before = seen(home)
    done = command(foreign, *RUN[:-1], name.removeprefix(".").removesuffix(".part"), "--overwrite")

    assert is_a_sentence(done, USAGE)
    assert seen(home) == before
