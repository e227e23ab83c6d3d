"""How often a file is read: once to survey it, then once for whoever goes through its rows."""

from __future__ import annotations

import gzip
import sys

import pytest

from cupel.runs.planning.stored import note_plan
from cupel.runs.runner import Runner
from cupel.tables.reading import open_table
from cupel.testing.models import scripted
from tests.unit.runs.stand_in import MODELS, OneStep, job_of, project_of

ROWS = '{"id": "a", "text": "one"}\n{"id": "a", "text": "two"}\n'
_WATCHERS: list[list[str]] = []  # an audit hook stays for the life of the process


def _note(event, args):
    if event == "open":
        for watcher in _WATCHERS:
            watcher.append(str(args[0]))


sys.addaudithook(_note)


@pytest.fixture
def opened():
    """The names of the files that are opened from here on, as Python itself tells them."""
    names: list[str] = []
    _WATCHERS.append(names)
    yield names
    _WATCHERS.clear()


@pytest.mark.parametrize(
    ("name", "content", "surveyed"),
    [
        pytest.param("in.jsonl", ROWS, 1, id="JSONL"),
        pytest.param("in.json", ROWS, 1, id="JSON"),
        pytest.param("in.jsonl.gz", ROWS, 1, id="gzipped"),
        pytest.param("in.csv", "id,text\na,one\na,two\n", 4, id="CSV, its header and how it is written once more"),
        pytest.param("in.csv", "id;text\na;one\na;two\n", 5, id="CSV with another delimiter, looked for in its header"),
    ],
)  # fmt: skip
def test_a_file_with_ids_is_surveyed_once(tmp_path, opened, name, content, surveyed):
    """Whether its ids are told apart, how many rows it has and what is wrong with it is found in one pass."""
    path = tmp_path / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    opened.clear()
    table = open_table(path, default_id="id")
    before = opened.count(str(path))
    rows = list(table)

    assert [row.doc_id for row in rows] == ["a", "a#2"]
    assert (before, opened.count(str(path))) == (surveyed, surveyed + 1)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        pytest.param({"default_id": "id"}, ["a", "a#2"], id="it is there"),
        pytest.param({"default_id": "key"}, [None, None], id="it is not there"),
        pytest.param({"default_id": "id", "text_column": "id"}, [None, None], id="it is the text"),
        pytest.param({"default_id": "id", "id_column": "text"}, ["one", "two"], id="another one is given"),
        pytest.param({}, [None, None], id="none is looked for"),
    ],
)
def test_the_usual_id_column_is_used_where_there_is_one(tmp_path, options, ids):
    """It warns of repeated ids as it does for a column that was given, and of none it did not use."""
    path = tmp_path / "in.jsonl"
    path.write_text(ROWS)
    table = open_table(path, **options)

    assert [row.doc_id for row in table] == ids
    assert bool(table.warnings) == (ids == ["a", "a#2"])


async def test_a_run_reads_its_file_three_times(tmp_path, opened):
    """To survey it, to enrich it, and to draw the sample its plan is made from; with its plan in the run log, twice."""
    project = project_of(tmp_path)
    path = tmp_path / "in.jsonl"
    path.write_text("".join(f'{{"id": "s{n}", "text": "speech {n}"}}\n' for n in range(50)))
    opened.clear()
    counts = []
    for _ in range(2):
        table = open_table(path, default_id="id")
        job = job_of(project)
        with scripted({model: [] for model in MODELS.values()}):
            async with Runner(job, project, env={}, graph=OneStep()) as runner:
                ids = [row.doc_id async for row, _ in runner.outcomes(table)]
                log = runner.runtime.run_log
                await note_plan(
                    log, runner.run_id, table, job.task, job.context, env={}, concurrency=16, graph="enrich"
                )
        counts.append(opened.count(str(path)))

    assert ids == [f"s{n}" for n in range(50)]
    assert counts == [3, 5]
