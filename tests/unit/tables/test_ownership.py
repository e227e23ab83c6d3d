"""An output is continued by the run that wrote it, or left alone."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from pathlib import Path

import pytest

from cupel.errors import OutputPathError
from cupel.tables import Output, default_output, noted_outputs


@pytest.fixture
def written(tmp_path):
    """A file of ten rows, all with outcomes, as its run has just written it."""
    path = tmp_path / "speeches.stance.csv"
    path.write_text("text\n" * 10)
    output = Output(
        path=path, state=tmp_path / ".cupel", run_id="aaa", task="stance", columns="text in 'text'"
    )
    output.note(10, 10)
    return output


def another(output, **changes):
    """The same file, as another run or command would write it."""
    given = {name: getattr(output, name) for name in ("path", "state", "run_id", "task", "columns")}
    return Output(**{**given, **changes})


@pytest.mark.parametrize("rows", [10, 11])
def test_its_own_run_goes_on_with_it(written, rows):
    """The same command again may write the same rows, and more of them."""
    written.check(rows)


def test_a_folder_that_was_moved_is_still_its_runs(written):
    """What is noted in a project is of the project's own files, wherever that lies now."""
    moved = written.path.parent.with_name("moved")
    written.path.parent.rename(moved)
    there = another(written, path=moved / written.path.name, state=moved / ".cupel")

    there.check(10)
    assert noted_outputs(there.state) == {there.path: "aaa"}


def test_a_folder_that_was_copied_is_still_its_runs(written):
    """A copy has other times; what stands in the file decides."""
    copied = written.path.parent.with_name("copied")
    shutil.copytree(written.path.parent, copied)
    os.utime(copied / written.path.name, ns=(1, 1))

    another(written, path=copied / written.path.name, state=copied / ".cupel").check(10)


def test_of_an_older_note_the_time_decides(written):
    """It does not say what stood in the file."""
    note = next((written.state / "outputs").iterdir())
    note.write_text(json.dumps({**json.loads(note.read_text()), "content": ""}))
    written.check(10)
    os.utime(written.path, ns=(1, 1))

    with pytest.raises(OutputPathError, match="was changed after"):
        written.check(10)


@pytest.mark.parametrize(
    ("changes", "rows", "why"),
    [
        pytest.param({"run_id": "bbb"}, 10, "was written by run aaa", id="another run's"),
        pytest.param({"run_id": "bbb", "task": "summary"}, 10, "of task 'stance'", id="another task's"),
        pytest.param({}, 3, "has 10 rows, and this command would leave 3", id="shortened by --limit"),
        pytest.param({"columns": "text in 'speech'"}, 10, "from other columns", id="of another column"),
        pytest.param({"state": Path("/nowhere")}, 10, "nothing is noted", id="of a run nobody knows"),
    ],
)
def test_what_would_be_lost_is_refused_unless_it_is_said_to_be_replaced(written, changes, rows, why):
    """The reason is told with both ways on."""
    other = another(written, **changes)

    with pytest.raises(OutputPathError, match=why) as refused:
        other.check(rows)
    assert "--out" in str(refused.value)
    assert "--overwrite (overwrite=True)" in str(refused.value)
    other.check(rows, overwrite=True)


@pytest.mark.parametrize("how", ["a", "r+"])
def test_what_somebody_changed_since_is_not_replaced(written, how):
    """A person's notes in an output are kept."""
    with written.path.open(how) as file:
        file.write("a note of four")

    with pytest.raises(OutputPathError, match="was changed after"):
        written.check(10)


def test_a_run_that_stops_early_knows_that_the_file_is_fuller(written):
    """Only where the file is this very run's."""
    assert written.is_fuller(9)
    assert not written.is_fuller(10)
    assert not another(written, run_id="bbb").is_fuller(0)


@pytest.mark.parametrize("broken", ["", "{", "[]", json.dumps({"path": "x"})])
def test_a_note_that_cannot_be_read_is_none(written, broken):
    """The file is then nobody's, and left alone."""
    next((written.state / "outputs").iterdir()).write_text(broken)

    with pytest.raises(OutputPathError, match="nothing is noted"):
        written.check(10)


def test_no_two_inputs_or_tasks_get_one_name(tmp_path, monkeypatch):
    """Folders, formats, compression, tasks and one-off tasks are told apart, always in the current folder."""
    monkeypatch.chdir(tmp_path)
    files = [
        Path(folder, f"debates{suffix}")
        for folder in (".", "a", "b", "a b", "../elsewhere")
        for suffix in (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".json", ".tsv", ".parquet")
    ]
    tasks = [("stance", ""), ("arguments", ""), ("record", "1f2e3d4c"), ("record", "9a8b7c6d")]

    names = [
        default_output(file, task, one_off=one_off)
        for file, (task, one_off) in itertools.product(files, tasks)
    ]

    assert len(set(names)) == len(names)
    assert {name.parent for name in names} == {Path()}
    assert default_output(Path("debates.csv"), "stance") == Path("debates.stance.csv")
