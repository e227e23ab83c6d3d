"""A poisoned reply of every kind among good ones: each is its own row's trouble, on every run log and in every format."""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import ExitStack

import pytest
import sqlalchemy.exc

from cupel.tables.reading import open_table
from cupel.testing.clusters import database
from cupel.testing.provider import ScriptedProvider
from tests.integration.cascade import TEXT
from tests.integration.poisoned import POISONS
from tests.integration.test_run_cli import MODELS, answer, environment, installed, run

SERVER = os.environ.get("CUPEL_TEST_DATABASE_URL", "postgresql+psycopg://127.0.0.1:5432/test")
FORMATS = ("jsonl", "jsonl.gz", "json", "csv", "tsv", "parquet")
MAX_MB = 400
ASKED = [*MODELS, "--no-report"]

SLOW = ("endless, in drips",)
"""What takes the whole time of a call."""

ODD_ROWS = [
    {"id": "a NUL\x00", "text": f"{TEXT} An id with a NUL.", "note": "plain"},
    {"id": "half \ud83d", "text": f"{TEXT} An id with half a character.", "note": "plain"},
    {"id": "note", "text": f"{TEXT} Another column with both.", "note": "a\x00 \ud83d"},
    {"id": "text 1", "text": f"{TEXT} A text with a NUL \x00.", "note": "plain"},
    {"id": "text 2", "text": f"{TEXT} A text with half a character \ud83d.", "note": "plain"},
]
"""The last two have no usable text; the others are rows like any."""


@pytest.fixture(params=["sqlite", "postgresql"])
def more_env(request):
    """What chooses a run log of each kind; PostgreSQL is skipped where none answers."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield {}
            return
        try:
            url = stack.enter_context(database(SERVER))
        except sqlalchemy.exc.SQLAlchemyError as error:
            pytest.skip(f"no PostgreSQL at {SERVER}: {str(error).splitlines()[0]}")
        yield {"CUPEL_DATABASE_URL": url}


def write_rows(folder, count):
    """So many speeches with every poison's number far from the others', and the odd rows."""
    rows = [{"id": f"s{n}", "text": f"{TEXT} This is speech number {n}.", "note": ""} for n in range(count)]
    lines = [json.dumps(row) for row in (*rows, *ODD_ROWS)]
    (folder / "in.jsonl").write_text("\n".join(lines) + "\n")


def poisoned(kinds, count):
    """By a speech's number, the kind of reply both tiers give to it."""
    return {(place + 1) * count // (len(kinds) + 1): kind for place, kind in enumerate(kinds)}


def replying(poisons):
    """Good answers, but to the speeches with these numbers."""

    def reply(body):
        number = re.search(r"speech number (\d+)\.", json.dumps(body["messages"]))
        kind = poisons.get(int(number[1])) if number and body["model"] in ("cheap", "strong") else None
        return answer(body) if kind is None else POISONS[kind](body)

    return reply


def columns_of(path):
    """Every row's cells, by row."""
    return [row.values for row in open_table(path)]


def check(rows, clean, poisons):
    """Every other row is as without, and a poisoned one ends with its reason."""
    assert len(rows) == len(clean)
    for number, (row, expected) in enumerate(zip(rows, clean, strict=True)):
        if number in poisons:
            assert row["arguments_status"] == "failed", poisons[number]
            assert "cheap: " in str(row["arguments_reasons"]), poisons[number]
        else:
            assert row == expected


def run_measured(folder, *args, provider, **more):
    """`cupel run` from nothing to its end: how it ended, what it said, and its peak memory in MB."""
    process = subprocess.Popen(
        installed(*args), cwd=folder, env=environment(provider, **more), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, said, used.ru_maxrss / 1024


@pytest.fixture
def clean(folder):
    """The rows as they come without a poisoned reply, by the format they are written in."""

    def rows(count, suffixes):
        write_rows(folder, count)
        (folder / "clean").mkdir()
        (folder / "clean" / "in.jsonl").write_bytes((folder / "in.jsonl").read_bytes())
        with ScriptedProvider(answer) as provider:
            for suffix in suffixes:
                done = run(folder / "clean", "in.jsonl", "--out", f"out.{suffix}", *ASKED, provider=provider)
            assert done.returncode == 0, done.stderr
        return {suffix: columns_of(folder / "clean" / f"out.{suffix}") for suffix in suffixes}

    return rows


def test_a_poisoned_reply_of_every_kind_is_its_own_rows_trouble(folder, clean):
    """A hundred rows; the same command again asks nothing."""
    poisons = poisoned([kind for kind in POISONS if kind not in SLOW], 100)
    expected = clean(100, ["jsonl"])["jsonl"]
    with ScriptedProvider(replying(poisons)) as provider:
        first = run(folder, "in.jsonl", "--out", "out.jsonl", *ASKED, provider=provider)
        paid, repeats = provider.counts.billed, provider.counts.billed_repeats
        again = run(folder, "in.jsonl", "--out", "again.jsonl", *ASKED, provider=provider)
        asked_again = provider.counts.billed - paid

    assert (first.returncode, again.returncode, repeats, asked_again) == (0, 0, 0, 0), first.stderr
    check(columns_of(folder / "out.jsonl"), expected, poisons)
    assert (folder / "again.jsonl").read_bytes() == (folder / "out.jsonl").read_bytes()


@pytest.mark.soak
def test_a_thousand_documents_stand_every_poison(folder, clean, more_env, record_property):
    """On each run log, in each format: nothing is paid twice, memory stays within its bound, it says why of each."""
    poisons = poisoned([*POISONS], 1000)
    expected = clean(1000, FORMATS)
    paid = 0
    with ScriptedProvider(replying(poisons)) as provider:
        for suffix in FORMATS:
            asked = ["in.jsonl", "--out", f"out.{suffix}", "--timeout-s", "20", *ASKED]
            code, said, peak_mb = run_measured(folder, *asked, provider=provider, **more_env)
            paid = paid or provider.counts.billed
            record_property(f"{suffix}_peak_mb", round(peak_mb))

            assert (code, provider.counts.billed) == (0, paid), said
            assert "Traceback" not in said
            assert peak_mb <= MAX_MB
            check(columns_of(folder / f"out.{suffix}"), expected[suffix], poisons)
        assert provider.counts.billed_repeats == 0
