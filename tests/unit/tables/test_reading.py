"""Files of documents, good and bad."""

import gzip
import json
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cupel.errors import InputError, SettingError
from cupel.tables.reading import open_table

ROWS = [
    {"id": "a", "text": "First, a “speech”.", "year": 2025, "topic": "tax"},
    {"id": "b", "text": "Second\nof two lines", "year": None, "topic": "war"},
]


def write(path, content):
    """Write bytes or text as they are."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


CSV = 'id,text,year,topic\na,"First, a “speech”.",2025,tax\nb,"Second\nof two lines",,war\n'
TSV = 'id\ttext\tyear\ttopic\na\tFirst, a “speech”.\t2025\ttax\nb\t"Second\nof two lines"\t\twar\n'
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS)
PARQUET = pa.BufferOutputStream()
pq.write_table(pa.Table.from_pylist(ROWS), PARQUET)
FILES = {
    "csv": CSV.encode(),
    "tsv": TSV.encode(),
    "json": json.dumps(ROWS).encode(),
    "objects.json": "\n".join(json.dumps(row, indent=1) for row in ROWS).encode(),
    "jsonl": JSONL.encode(),
    "parquet": PARQUET.getvalue().to_pybytes(),
    "csv.gz": gzip.compress(CSV.encode()),
    "jsonl.gz": gzip.compress(JSONL.encode()),
}


@pytest.fixture(params=list(FILES))
def table_file(request, tmp_path):
    """The same two rows in every format."""
    return write(tmp_path / f"speeches.{request.param}", FILES[request.param])


def test_every_format_gives_the_same_rows(table_file):
    """Text, ids and inputs arrive as they were written, line breaks included."""
    table = open_table(table_file, "text", "id", {"topic": "topic"})
    rows = list(table)

    assert table.columns == ("id", "text", "year", "topic")
    assert (len(table), table.warnings) == (2, ())
    assert [row.position for row in rows] == [0, 1]
    assert [row.text for row in rows] == [row["text"] for row in ROWS]
    assert [row.doc_id for row in rows] == ["a", "b"]
    assert [row.inputs for row in rows] == [{"topic": "tax"}, {"topic": "war"}]
    assert [row.problem for row in rows] == [None, None]
    assert list(table) == rows


def test_limit_reads_from_the_top(table_file):
    """The total says so too."""
    table = open_table(table_file, limit=1)

    assert len(table) == 1
    assert [row.text for row in table] == ["First, a “speech”."]


def test_without_an_id_column_there_are_no_ids(table_file):
    """Ids are then made from the text."""
    assert [row.doc_id for row in open_table(table_file)] == [None, None]


def test_csv_cells_stay_the_strings_they_are(tmp_path):
    """No type is guessed: leading zeros, dates and `NA` come through."""
    path = write(tmp_path / "x.csv", "text,code,when,flag\nHello,007,2025-03-10,NA\n")

    assert next(iter(open_table(path))).values == {
        "text": "Hello",
        "code": "007",
        "when": "2025-03-10",
        "flag": "NA",
    }


def test_jsonl_values_keep_their_types(tmp_path):
    """Integers stay integers; nested values and absent keys too."""
    path = write(
        tmp_path / "x.jsonl", '{"text": "a", "n": 1, "meta": {"x": [1.5]}}\n\n{"text": "b", "extra": true}\n'
    )
    table = open_table(path)

    assert [row.values for row in table] == [
        {"text": "a", "n": 1, "meta": {"x": [1.5]}},
        {"text": "b", "extra": True},
    ]
    assert table.columns == ("text", "n", "meta", "extra")


@pytest.mark.parametrize("name", ["x.jsonl", "x.json"])
def test_half_a_character_in_a_columns_name_ends_no_run(tmp_path, name):
    """It is written out, as in a cell: no format but JSON could hold it, nor could the terminal."""
    path = tmp_path / name
    path.write_text('{"text": "We must act.", "half \\ud800": "a"}')
    table = open_table(path)

    assert table.columns == ("text", "half \\ud800")
    assert [row.values["half \\ud800"] for row in table] == ["a"]


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.json"])
def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path, name):
    """Excel writes one."""
    content = "text\nHello\n" if name == "x.csv" else '{"text": "Hello"}'

    assert [row.text for row in open_table(write(tmp_path / name, "\ufeff" + content))] == ["Hello"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_csv_with_another_delimiter_is_understood(tmp_path, delimiter):
    """The delimiter is the one that makes the text column a column."""
    path = write(
        tmp_path / "x.csv", delimiter.join(["id", "text"]) + "\n" + delimiter.join(["1", "One, two"]) + "\n"
    )

    assert [row.values for row in open_table(path)] == [{"id": "1", "text": "One, two"}]


def test_a_row_with_too_many_or_too_few_cells_carries_its_problem(tmp_path):
    """It is not dropped, and the rows beside it are not touched."""
    path = write(tmp_path / "x.csv", "id,text\n1,fine\n2,one, two\n3\n4,fine\n")
    problems = [row.problem for row in open_table(path)]

    assert problems[0] is None
    assert problems[1] is not None
    assert "line 3 has 3 cells, the header 2" in problems[1]
    assert problems[2] is not None
    assert "line 4 has 1 cells, the header 2" in problems[2]
    assert problems[3] is None


def test_a_row_without_an_input_carries_its_problem(tmp_path):
    """A stance towards nothing cannot be taken."""
    path = write(tmp_path / "x.jsonl", '{"text": "a", "motion": "tax"}\n{"text": "b"}\n')

    assert [row.problem for row in open_table(path, inputs={"topic": "motion"})] == [
        None,
        "no topic: the cell of column 'motion' is empty",
    ]


def test_repeated_ids_are_told_apart_and_mentioned(tmp_path):
    """The second X is X#2, unless there is one already; each pass over the rows names them alike."""
    path = write(
        tmp_path / "x.csv", "id,text\n" + "".join(f"{name},t\n" for name in ["X", "Y", "X", "X#2", "X", ""])
    )
    table = open_table(path, id_column="id")

    assert [row.doc_id for row in table] == ["X", "Y", "X#3", "X#2", "X#4", None]
    assert [row.doc_id for row in table] == ["X", "Y", "X#3", "X#2", "X#4", None]
    assert len(table.warnings) == 2
    assert "2 rows have an id of column 'id' that an earlier row has" in table.warnings[0]
    assert "empty in 1 rows" in table.warnings[1]


BAD = [
    pytest.param("x.csv", b"", "the file is empty (0 bytes)", id="empty csv"),
    pytest.param("x.parquet", b"", "the file is empty (0 bytes)", id="empty parquet"),
    pytest.param("x.csv", b"id,text\n", "holds no rows, only column names", id="only a header"),
    pytest.param("x.json", b"[]", "holds no rows", id="empty array"),
    pytest.param("x.jsonl", b"\n\n", "holds no rows", id="blank lines"),
    pytest.param(
        "x.csv",
        b"id,Txt\n1,a\n",
        "no column 'text' (--text-column). The columns are 'id', 'Txt'; did you mean 'Txt'?",
        id="near miss",
    ),
    pytest.param(
        "x.csv",
        b"id,body\n1,a\n",
        "The columns are 'id', 'body'; name one of them with --text-column",
        id="missing column",
    ),
    pytest.param(
        "x.csv",
        b"text\nok\ncaf\xe9\n",
        "not UTF-8 at byte 11 (line 3): byte 0xe9 near 'café\\n'",
        id="latin-1 csv",
    ),
    pytest.param(
        "x.jsonl", b'{"text": "a"}\n{"text": "\xff"}\n', "not UTF-8 at byte 24 (line 2)", id="not UTF-8 jsonl"
    ),
    pytest.param(
        "x.json", b'[{"text": "a"},\n{"text": "\xff"}]', "not UTF-8 at byte 26 (line 2)", id="not UTF-8 json"
    ),
    pytest.param(
        "x.json", b'[{"text": "a\xe2\x82', "not UTF-8 at byte 12 (line 1)", id="json cut inside a character"
    ),
    pytest.param("x.csv", "text\nHello\n".encode("utf-16"), "is UTF-16, not UTF-8", id="utf-16"),
    pytest.param(
        "x.jsonl", b'{"text": "a"}\n{"text": "b"\n', "line 2, column 14: not valid JSON", id="broken line"
    ),
    pytest.param(
        "x.jsonl",
        b'{"text": "a"}\n["b"]\n',
        "line 2 holds an array; every row must be an object",
        id="no object",
    ),
    pytest.param(
        "x.json",
        b'[{"text": "a"},\n {"text" "b"}]',
        "line 2, column 10: not valid JSON: Expecting ':' delimiter",
        id="broken json",
    ),
    pytest.param(
        "x.json",
        b'[{"text": "a"}\n {"text": "b"}]',
        "line 2, column 2: not valid JSON: expected `,` or `]`",
        id="no comma",
    ),
    pytest.param(
        "x.json",
        b'[{"text": "a"}',
        "line 1, column 15: not valid JSON: expected `,` or `]`",
        id="array not closed",
    ),
    pytest.param("x.json", b'[{"text": "a"}] x', "more text after the array", id="more after the array"),
    pytest.param(
        "x.json", b'{"text": "a', "line 1, column 10: not valid JSON: Unterminated string", id="cut json"
    ),
    pytest.param("x.json", b"[" * 100_000, "not valid JSON: maximum recursion depth", id="deep nesting"),
    pytest.param(
        "x.csv",
        b'text\n"never closed\nand on\n',
        "line 2: not valid CSV: unexpected end of data",
        id="open quote",
    ),
    pytest.param(
        "x.csv", b'text\n"a"b\n', "line 2: not valid CSV: ',' expected after '\"'", id="stray quote"
    ),
    pytest.param(
        "x.csv", b"text,id,text\na,1,b\n", "column 'text' occurs twice, as number 1 and 3", id="two of a name"
    ),
    pytest.param("x.parquet", b"PK\x03\x04 a zip", "not a Parquet file", id="not parquet"),
    pytest.param("x.xlsx", b"PK", "not an Excel workbook", id="no workbook"),
    pytest.param("x.docx", b"PK", "cannot tell the format from '.docx'; known are .csv", id="unknown suffix"),
    pytest.param("x.jsonl.gz", b"no gzip", "damaged gzip file", id="not gzip"),
    pytest.param(
        "x.jsonl.gz", gzip.compress(b'{"text": "a"}\n' * 99)[:-20], "damaged gzip file", id="cut gzip"
    ),
]


@pytest.mark.parametrize(("name", "content", "words"), BAD)
def test_a_bad_file_is_refused_before_anything_is_paid(tmp_path, name, content, words):
    """The error leads with the file and says where and what."""
    path = write(tmp_path / name, content)

    with pytest.raises(InputError) as caught:
        open_table(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(("place", "words"), [("none.csv", "no such file"), ("folder.csv", "is a folder")])
def test_a_path_that_is_no_file_is_named(tmp_path, place, words):
    """A path that is no file is named with the reason, not with a traceback."""
    (tmp_path / "folder.csv").mkdir()

    with pytest.raises(InputError, match=words):
        open_table(tmp_path / place)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"id_column": "ID"}, "no column 'ID' \\(--id-column\\).*did you mean 'id'"),
        ({"inputs": {"topic": "motion"}}, "no column 'motion' \\(--input topic=COLUMN\\)"),
    ],
)
def test_id_and_input_columns_are_checked_too(tmp_path, settings, words):
    """Each names its own option."""
    path = write(tmp_path / "x.csv", "id,text\n1,a\n")

    with pytest.raises(InputError, match=words):
        open_table(path, **settings)


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    """Parquet is optional."""
    path = write(tmp_path / "x.parquet", b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)

    with pytest.raises(SettingError, match=r"pip install 'cupel\[parquet\]'"):
        open_table(path)


def test_a_nul_byte_in_a_text_is_left_for_the_row_to_fail(tmp_path):
    """One bad text does not stop a file."""
    path = write(tmp_path / "x.jsonl", b'{"text": "a\\u0000b"}\n{"text": "a\x00b"}\n')

    assert [row.text for row in open_table(path)] == ["a\0b", "a\0b"]


def test_an_object_longer_than_a_chunk_is_read(tmp_path):
    """A JSON array is read in chunks of a megabyte, wherever they fall."""
    rows = [{"text": "ä" * 700_000}, {"text": "x"}, {"text": "€" * 2_000_000, "n": -1.5e-7}]
    path = write(tmp_path / "x.json", json.dumps(rows, ensure_ascii=False))

    assert [row.values for row in open_table(path)] == rows


@pytest.mark.parametrize("name", ["x.csv", "x.json", "x.jsonl", "x.parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path, name):
    """Of twenty megabytes on disk only a few are held in memory."""
    rows = ({"id": str(number), "text": f"{number} " + "word " * 1_000} for number in range(4_000))
    path = tmp_path / name
    if name == "x.csv":
        write(path, "id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in rows))
    elif name == "x.parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    else:
        lines = [json.dumps(row) for row in rows]
        write(path, "\n".join(lines) if name == "x.jsonl" else f"[{','.join(lines)}]")
    tracemalloc.start()
    try:
        count = sum(1 for _ in open_table(path, id_column="id"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert count == 4_000
    assert peak < 8_000_000
