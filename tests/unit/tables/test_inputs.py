"""Where a task's further inputs come from: a column that is told or has their name, or a file for every document."""

from __future__ import annotations

import json
import pickle

import pandas as pd
import pytest

from cupel.errors import InputError, MissingColumnError
from cupel.tables import frame_rows, input_sources, long_inputs, open_table, read_input_files
from cupel.tables.inputs import source_of
from tests.outline import outline

ROWS = [{"text": "One.", "day": "2025-03-10"}, {"text": "Two.", "day": None}]


@pytest.fixture(params=["file", "frame"])
def opened(request, tmp_path):
    """Opens the same two rows, as a file or as a frame, with these sources."""
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")

    def read(sources):
        table = (
            open_table(path, inputs=sources)
            if request.param == "file"
            else frame_rows(pd.DataFrame(ROWS), inputs=sources)
        )
        return list(table)

    return read


def test_an_optional_input_that_nobody_named_need_have_no_column(opened, tmp_path):
    """Without one the documents come without it, and are no worse."""
    rows = opened(input_sources(outline(tmp_path)))

    assert [(row.inputs, row.problem) for row in rows] == [({}, None), ({}, None)]


def test_an_optional_input_may_have_an_empty_cell(opened, tmp_path):
    """A required one may not: that row says why."""
    rows = opened(input_sources(outline(tmp_path), {"date": "day"}))

    assert [(row.inputs, row.problem) for row in rows] == [({"date": "2025-03-10"}, None), ({}, None)]
    assert opened({"date": "day"})[1].problem == "no date: the cell of column 'day' is empty"


def test_a_column_that_somebody_named_has_to_be_there(opened, tmp_path):
    """Also for an optional input: a slip in a name would otherwise leave every document without it."""
    with pytest.raises(MissingColumnError, match="no column 'dya'"):
        opened(input_sources(outline(tmp_path), {"date": "dya"}))


def test_a_file_is_every_documents_and_has_a_version(opened, tmp_path):
    """It travels to other processes, and another text is told apart."""
    task, tree = outline(tmp_path), tmp_path / "tree.txt"
    tree.write_text("Law > Tax\n", encoding="utf-8")
    sources = pickle.loads(pickle.dumps(input_sources(task, {"taxonomy": tree})))  # our own
    before = str(read_input_files({"taxonomy": tree})["taxonomy"])
    tree.write_text(f"Law > Tax\n{'Sea' * 300}", encoding="utf-8")

    assert [row.inputs["taxonomy"] for row in opened(sources)] == ["Law > Tax"] * 2
    assert str(read_input_files({"taxonomy": tree})["taxonomy"]) != before
    assert list(long_inputs(task, sources)) == []
    assert "910 characters, more than the 600" in next(
        long_inputs(task, input_sources(task, {"taxonomy": tree}))
    )


def test_a_file_in_no_known_encoding_is_a_sentence(tmp_path):
    """With the file and the way out."""
    (tmp_path / "tree.txt").write_bytes(b"\xff\xfe\x00L")

    with pytest.raises(InputError, match=r"tree.txt: cannot be read as the input 'taxonomy'.*UTF-8"):
        read_input_files({"taxonomy": tmp_path / "tree.txt"})


def test_a_file_indented_as_a_whole_keeps_its_tree(tmp_path):
    """The first line is no higher than its sisters."""
    path = tmp_path / "tree.txt"
    path.write_text("\n  Sport\n    Football\n  Arts\n    Music\n", encoding="utf-8")

    assert read_input_files({"taxonomy": path})["taxonomy"].text == "Sport\n  Football\nArts\n  Music"


def test_a_cell_of_a_frame_is_read_as_a_person_reads_it():
    """A year in a column with a gap is no fraction, blanks are nothing, a list has a line each."""
    frame = pd.DataFrame(
        {"text": ["a", "b", "c"], "date": [2025, None, 2024], "themes": [["Health", "Trade"], " ", None]}
    )
    rows = list(
        frame_rows(frame, inputs={"date": source_of("date"), "themes": source_of("themes", is_optional=True)})
    )

    assert [row.inputs.get("date") for row in rows] == ["2025", None, "2024"]
    assert [row.inputs.get("themes") for row in rows] == ["Health\nTrade", None, None]
