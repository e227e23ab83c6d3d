"""A run log can be broken in many ways: each is said in a sentence, and what can be saved is."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from cupel.testing.provider import ScriptedProvider
from tests.integration import forked
from tests.integration.stops import answer, locked
from tests.integration.test_run_cli import MODELS, environment, started

ASKED = ["in.jsonl", "--out", "out.jsonl", "--json", "--no-report", *MODELS]
ONE_PROVIDER = {"CUPEL_ENDPOINT_NAME": "scripted"}
"""Each test's is at a port of its own, and is to be the same to the run log."""

CHEAP = {"a text file", "a damaged JSON cell", "a damaged header", "a folder in its place"}
"""What `make test` runs through the command line; the rest is soak, and `tests/unit/runlog/test_repair.py` is for all."""


def _sql(*statements):
    def break_it(path):
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("PRAGMA writable_schema=ON")
            for statement in statements:
                connection.execute(statement)

    return break_it


def _bytes(change):
    def break_it(path):
        path.write_bytes(change(path.read_bytes()))

    return break_it


def _zeroed(data, page):
    return data[: 4096 * page] + bytes(4096) + data[4096 * (page + 1) :]


def _replaced(make):
    def break_it(path):
        path.unlink()
        make(path)

    return break_it


def _index_damaged(path):
    with closing(sqlite3.connect(path)) as connection:
        root = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_outcomes_1'"
        )
        page = root.fetchone()[0] - 1
    data = path.read_bytes()
    path.write_bytes(_zeroed(data, page))


def _wal_alone(path):
    path.with_name(path.name + "-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(60))
    path.unlink()


def _foreign(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE customers (id INTEGER)")


BROKEN = {
    # what is done to it, the exit code of `cupel run` then, and a word that is said
    "an empty file": (_replaced(lambda p: p.write_bytes(b"")), 0, ""),
    "a text file": (_bytes(lambda _: b"dear diary\n" * 999), 6, "damaged or no database"),
    "truncated in the header": (_bytes(lambda data: data[:50]), 6, "damaged or no database"),
    "truncated in the middle": (
        _bytes(lambda data: data[: len(data) // 2 // 4096 * 4096]),
        6,
        "runlog repair",
    ),
    "truncated in a page": (_bytes(lambda data: data[: len(data) - 3000]), 6, "runlog repair"),
    "a zeroed page": (_bytes(lambda data: _zeroed(data, 0)), 6, "runlog repair"),
    "a damaged header": (_bytes(lambda data: b"junk" * 4 + data[16:]), 6, "damaged or no database"),
    "a newer version": (_sql("UPDATE alembic_version SET version_num = '9999'"), 6, "newer than this Cupel"),
    "a version nobody made": (
        _sql("UPDATE alembic_version SET version_num = '0000x'"),
        6,
        "no Cupel has made",
    ),
    "a missing table": (_sql("DROP TABLE responses"), 6, "lacks the table responses"),
    "a missing column": (_sql("ALTER TABLE outcomes DROP COLUMN code"), 6, "lacks a part"),
    "a foreign database": (_replaced(_foreign), 6, "not a run log"),
    "a folder in its place": (_replaced(lambda p: p.mkdir()), 6, "is a folder"),
    "a dangling link": (
        _replaced(lambda p: p.symlink_to("/no/such/place/runlog.sqlite")),
        6,
        "leads nowhere",
    ),
    "a log without its database": (_wal_alone, 6, "without its database"),
    "a damaged index": (_index_damaged, 6, "runlog repair"),
    "a damaged JSON cell": (_sql("UPDATE outcomes SET outcome = substr(outcome, 1, 40)"), 6, "outcome under"),
    "damaged settings, which the run itself writes anew": (_sql("UPDATE runs SET settings = '{'"), 0, ""),
    "a damaged plan of a run": (_sql("UPDATE runs SET planned = '{'"), 6, "damaged cell: planned"),
    "a cell that is no UTF-8": (
        _sql("UPDATE outcomes SET outcome = CAST(x'7bff' AS TEXT)"),
        6,
        "damaged cell",
    ),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder in which three rows were answered, with its run log in one file."""
    folder = tmp_path_factory.mktemp("made")
    lines = [
        f'{{"id": "s{n}", "text": "We must build more homes. Rents rose by 40 % in ten years. {n}"}}'
        for n in range(3)
    ]
    (folder / "in.jsonl").write_text("\n".join(lines) + "\n")
    with ScriptedProvider(answer) as provider:
        done = forked.run(["cupel", "run", *ASKED], cwd=folder, env=environment(provider, **ONE_PROVIDER))
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(folder / ".cupel" / "runlog.sqlite")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    return folder


@pytest.fixture
def again(made, tmp_path):
    """A copy of it, to be broken."""
    shutil.copytree(made, tmp_path / "again")
    return tmp_path / "again"


def cupel(folder, *command, provider=None, **more):
    """A command to its end."""
    return forked.run(
        ["cupel", *command],
        cwd=folder,
        env=environment(provider, CUPEL_RUN_LOG_WAIT_S="1", **ONE_PROVIDER, **more),
    )


def _kinds(table):
    return [pytest.param(kind, marks=() if kind in CHEAP else (pytest.mark.soak,)) for kind in table]


@pytest.mark.parametrize("kind", _kinds(BROKEN))
def test_a_broken_run_log_is_said_in_a_sentence(again, kind):
    """The exit code is the documented one, the sentence names the file and the next step, and nothing is overwritten."""
    break_it, code, says = BROKEN[kind]
    break_it(again / ".cupel" / "runlog.sqlite")
    with ScriptedProvider(answer) as provider:
        done = cupel(again, "run", *ASKED, provider=provider)

    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert code == 0 or "runlog.sqlite" in done.stderr or "of runs" in done.stderr


def test_a_locked_run_log_is_waited_for_and_then_said(again):
    """Nothing is sent meanwhile, and nothing was changed: the same command goes on."""
    with ScriptedProvider(answer) as provider:
        with locked(again / ".cupel" / "runlog.sqlite"):
            held = cupel(again, "run", *ASKED, provider=provider)
        free = cupel(again, "run", *ASKED, provider=provider)
        asked = provider.counts.requests

    assert held.returncode == 6, held.stderr
    assert "is locked by another program" in held.stderr
    assert "Traceback" not in held.stderr
    assert (free.returncode, asked) == (0, 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
@pytest.mark.parametrize("what", [".cupel/runlog.sqlite", ".cupel"])
def test_what_may_not_be_written_is_said(again, what):
    """A read-only file or folder is named."""
    (again / what).chmod(0o500)
    done = cupel(again, "run", "--retry-failed", *ASKED)
    (again / what).chmod(0o700)

    assert done.returncode == 6, done.stderr
    assert "runlog.sqlite" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_killed_process_had_locked_holds_nobody_up(folder):
    """Its locks went with it; what it had asked is asked again, once."""
    with ScriptedProvider(answer, latency_s=0.3) as provider:
        process = started(folder, "--limit", "4", *ASKED, provider=provider, **ONE_PROVIDER)
        while provider.counts.in_flight < 4 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = cupel(folder, "run", "--limit", "4", *ASKED, provider=provider)

    assert done.returncode == 0, done.stderr
    assert provider.counts.billed_repeats <= provider.counts.max_in_flight


SAVED = {
    # at least so many of the six answers are there afterwards
    "truncated in a page": 0, "a zeroed page": 6, "a damaged header": 6, "a missing table": 0, "a missing column": 6,
    "a damaged index": 6, "a damaged JSON cell": 6, "a cell that is no UTF-8": 6, "a text file": 0,
}  # fmt: skip


@pytest.mark.parametrize("kind", _kinds(sorted(SAVED, key=lambda kind: kind not in CHEAP)))
def test_a_repair_saves_every_answer_that_can_be_read(again, kind):
    """What was saved is not asked again, the damaged file is kept, and the run goes on as ever."""
    path = again / ".cupel" / "runlog.sqlite"
    BROKEN[kind][0](path)
    before = path.read_bytes()
    checked = cupel(again, "runlog", "check")
    assert path.read_bytes() == before
    repaired = cupel(again, "runlog", "repair")
    sound = cupel(again, "runlog", "check")
    with ScriptedProvider(answer) as provider:
        done = cupel(again, "run", *ASKED, provider=provider)
        asked = provider.counts.requests

    assert (checked.returncode, repaired.returncode, sound.returncode) == (6, 0, 0), repaired.stderr
    assert "damaged" in checked.stdout
    assert done.returncode == 0, done.stderr
    assert asked <= 6 - SAVED[kind]
    assert [each.read_bytes() for each in path.parent.glob("runlog.damaged-*.sqlite")] == [before]


def test_one_damaged_cell_costs_its_row_and_is_named(again):
    """All other rows are there as they were."""
    path = again / ".cupel" / "runlog.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        key = connection.execute("SELECT key FROM responses LIMIT 1").fetchone()[0]
        connection.execute("UPDATE responses SET text = CAST(x'7bff' AS TEXT) WHERE key = ?", (key,))
    done = cupel(again, "runlog", "repair")
    with closing(sqlite3.connect(path)) as connection:
        left = [row[0] for row in connection.execute("SELECT key FROM responses")]
        outcomes = connection.execute("SELECT count(*) FROM outcomes").fetchone()[0]

    assert f"table responses, row {key}: text is no UTF-8" in done.stdout
    assert (len(left), outcomes) == (5, 3)
    assert key not in left
