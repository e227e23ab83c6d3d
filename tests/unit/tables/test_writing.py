"""Results in every format: nothing of the input changed, nothing half-written."""

import csv
import datetime as dt
import gzip
import json
import subprocess
import sys
import textwrap
import tracemalloc
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cupel.errors import InputError, OutputPathError
from cupel.tables.columns import outcome_columns, task_columns
from cupel.tables.parquet import record_type
from cupel.tables.reading import open_table
from cupel.tables.writing import check_writable, open_writer
from tests.unit.tables.factory import SCHEMA, outcome

OUTCOMES = [
    outcome(),
    outcome(
        doc_id="d2",
        status="needs_review",
        confidence=None,
        cost_usd=None,
        reasons=["judge: unknown", 'said "no"'],
    ),
    outcome(doc_id="d3", status="failed", record=None, confidence=None, model=None, reasons=["no text"]),
]


def rewritten(source, target, outcomes=OUTCOMES, **settings):
    """Pass a file through with its outcomes."""
    table = open_table(source)
    with open_writer(target, table.layout, "stance", **settings) as writer:
        for row, found in zip(table, outcomes, strict=True):
            writer.write(row.values, outcome_columns(found, "stance"))
    return target


@pytest.fixture
def source(tmp_path):
    """Three rows with cells that are easily changed by accident."""
    path = tmp_path / "in.csv"
    path.write_bytes(
        'code,text,note\n007,"a, ""b""\r\nc",NA\n1.0, padded ,\n-,x\ry,“ü”\n'.encode().replace(
            b"x\ry", b'"x\ry"'
        )
    )
    return path


@pytest.mark.parametrize(
    "suffix", ["csv", "tsv", "json", "jsonl", "parquet", "csv.gz", "jsonl.gz", "json.gz"]
)
def test_the_input_comes_back_unchanged_with_the_outcome_beside_it(source, tmp_path, suffix):
    """Whatever the format, the same cells come back in the same order, then the task's columns."""
    back = open_table(rewritten(source, tmp_path / f"out.{suffix}", record_schema=SCHEMA))
    before = [row.values for row in open_table(source)]

    assert back.columns == ("code", "text", "note", *task_columns("stance"))
    assert [{key: row.values[key] for key in before[0]} for row in back] == before
    assert [row.values["stance_status"] for row in back] == ["accepted", "needs_review", "failed"]
    assert [row.values["stance_doc_id"] for row in back] == ["d1", "d2", "d3"]


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet", "xlsx", "csv.gz"])
def test_the_same_outcomes_give_the_same_bytes(source, tmp_path, suffix):
    """No time, no name and no order of a set is in the file."""
    first = rewritten(source, tmp_path / f"one.{suffix}").read_bytes()

    assert rewritten(source, tmp_path / f"two.{suffix}").read_bytes() == first


def test_csv_holds_json_in_cells(source, tmp_path):
    """Records and reasons are JSON; unknown is an empty cell; numbers are written in full."""
    with rewritten(source, tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    assert json.loads(rows[0]["stance"]) == OUTCOMES[0]["record"]
    assert (rows[0]["stance_confidence"], rows[0]["stance_cost_usd"], rows[0]["stance_reasons"]) == (
        "0.875",
        "0.00012",
        "[]",
    )
    assert json.loads(rows[1]["stance_reasons"]) == ["judge: unknown", 'said "no"']
    assert (rows[2]["stance"], rows[2]["stance_confidence"], rows[2]["stance_model"]) == ("", "", "")


def test_jsonl_holds_nested_objects(source, tmp_path):
    """Records are objects, reasons lists, unknown null; letters are letters."""
    lines = rewritten(source, tmp_path / "out.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]

    assert rows[0]["stance"] == OUTCOMES[0]["record"]
    assert rows[1]["stance_confidence"] is None
    assert rows[2]["stance_reasons"] == ["no text"]
    assert "“we”" in lines[0]


def test_jsonl_rows_keep_their_own_keys_and_types(tmp_path):
    """Nothing is filled in, nothing converted, big numbers included."""
    source = tmp_path / "in.jsonl"
    rows = [
        {"text": "a", "n": 2**70, "x": 1.0, "meta": {"k": [None, True]}},
        {"text": "b"},
        {"y": 1e-7, "text": "\ud800"},
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    written = rewritten(source, tmp_path / "out.jsonl").read_text()
    back = [json.loads(line) for line in written.splitlines()]

    assert [
        {key: value for key, value in row.items() if not key.startswith("stance")} for row in back
    ] == rows
    assert '"x": 1.0' in written


def test_jsonl_to_parquet_types_what_it_can(tmp_path):
    """Integers, floats and booleans get their types, mixed columns are JSON text."""
    source = tmp_path / "in.jsonl"
    rows = [
        {"text": "a", "n": 1, "x": 1, "b": True, "mixed": 1, "meta": {"k": 1}},
        {"text": "b", "n": None, "x": 0.5, "b": None, "mixed": "one", "big": 2**70},
        {"text": "c", "n": 2**60, "none": None},
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = pq.read_table(rewritten(source, tmp_path / "out.parquet"))

    assert {field.name: str(field.type) for field in table.schema if "stance" not in field.name} == {
        "text": "string",
        "n": "int64",
        "x": "double",
        "b": "bool",
        "mixed": "string",
        "meta": "string",
        "big": "string",
        "none": "string",
    }
    assert table["n"].to_pylist() == [1, None, 2**60]
    assert table["mixed"].to_pylist() == ["1", "one", None]
    assert table["meta"].to_pylist()[0] == '{"k": 1}'


def test_parquet_to_parquet_keeps_types_values_and_metadata(tmp_path):
    """Timestamps in nanoseconds, decimals, dictionaries, lists and bytes come back the same."""
    fields = {
        "text": pa.array(["a", None, "c"]),
        "when": pa.array([1, None, 1_700_000_000_123_456_789], pa.timestamp("ns", tz="UTC")),
        "day": pa.array([dt.date(2025, 3, 10), None, None]),
        "price": pa.array([Decimal("1.10"), None, Decimal("2.00")], pa.decimal128(6, 2)),
        "group": pa.array(["x", "y", "x"]).dictionary_encode(),
        "tags": pa.array([["a"], [], None]),
        "raw": pa.array([b"\xff", None, b""]),
        "small": pa.array([1, 2, None], pa.int8()),
        "share": pa.array([1.5, float("nan"), None], pa.float32()),
    }
    source = tmp_path / "in.parquet"
    pq.write_table(pa.table(fields).replace_schema_metadata({"made by": "a test"}), source)
    before = pq.read_table(source)
    after = pq.read_table(rewritten(source, tmp_path / "out.parquet", record_schema=SCHEMA))

    assert after.select(list(fields)).schema.equals(before.schema, check_metadata=True)
    assert after.drop_columns(["share", *task_columns("stance")]).equals(before.drop_columns(["share"]))
    assert str(after["share"].to_pylist()) == "[1.5, nan, None]"
    assert after["stance"].to_pylist() == [outcome["record"] for outcome in OUTCOMES]
    assert pa.types.is_struct(after.schema.field("stance").type)
    assert after["stance_confidence"].to_pylist() == [0.875, None, None]
    assert after["stance_reasons"].to_pylist() == [[], ["judge: unknown", 'said "no"'], ["no text"]]


def test_parquet_values_have_a_form_in_text_formats(tmp_path):
    """Times are written in ISO form, decimals as text, bytes as text or base64."""
    source = tmp_path / "in.parquet"
    values = {
        "text": ["a"],
        "when": [dt.datetime(2025, 3, 10, 18, 0, tzinfo=dt.UTC)],
        "price": [Decimal("1.10")],
        "raw": [b"\xff"],
        "share": [float("nan")],
    }
    pq.write_table(pa.table(values), source)
    line = json.loads(rewritten(source, tmp_path / "out.jsonl", OUTCOMES[:1]).read_text())
    with rewritten(source, tmp_path / "out.csv", OUTCOMES[:1]).open(newline="") as file:
        cells = next(csv.DictReader(file))

    assert {key: line[key] for key in values} == {
        "text": "a", "when": "2025-03-10T18:00:00+00:00", "price": "1.10", "raw": "/w==", "share": None,
    }  # fmt: skip
    assert {key: cells[key] for key in values} == {
        "text": "a", "when": "2025-03-10T18:00:00+00:00", "price": "1.10", "raw": "/w==", "share": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param(SCHEMA, "struct<stance: string, evidence: list<item: struct<quote: string>>, share: double>", id="typed"),
        pytest.param({"type": "object", "properties": {"a": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}}, "$defs": {"n": {"type": "integer"}}}, "struct<a: int64>", id="reference and null"),
        pytest.param({"type": "object", "properties": {"a": {"enum": ["x", None]}}}, "struct<a: string>", id="enum without a type"),
        pytest.param({"type": "object", "properties": {"a": {"type": ["string", "integer"]}}}, None, id="union"),
        pytest.param({"type": "object", "additionalProperties": {"type": "string"}}, None, id="open object"),
        pytest.param({"type": "object", "properties": {"a": {"type": "array"}}}, None, id="items unknown"),
        pytest.param({"$ref": "#/$defs/t", "$defs": {"t": {"type": "object", "properties": {"c": {"type": "array", "items": {"$ref": "#/$defs/t"}}}}}}, None, id="recursive"),
    ],
)  # fmt: skip
def test_a_record_column_is_typed_where_the_schema_allows(schema, expected):
    """Elsewhere it is JSON text."""
    found = record_type(schema)

    assert (None if found is None else str(found)) == expected


def test_a_record_of_an_open_schema_is_json_text_in_parquet(source, tmp_path):
    """Nothing of it is lost."""
    table = pq.read_table(rewritten(source, tmp_path / "out.parquet", record_schema={"type": "object"}))

    assert json.loads(table["stance"][0].as_py()) == OUTCOMES[0]["record"]


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"stance": "support", "evidence": "none"}, id="a person's edit"),
        pytest.param({"stance": "support", "evidence": [], "share": 2**70}, id="more than 64 bits"),
        pytest.param(
            {"stance": "support", "evidence": [], "other": 1}, id="a field the schema does not know"
        ),
    ],
)
def test_one_record_that_fits_no_typed_column_makes_it_json_text(tmp_path, odd):
    """The file is written all the same, in what was written before as well, and nothing of any record is lost."""
    path, count = tmp_path / "out.parquet", 2_030
    records = [
        {"stance": "support", "evidence": [{"quote": f"Yes {n}."}], "share": n / 2} for n in range(count)
    ]
    records[2_020] = odd
    with open_writer(path, ["text"], "stance", record_schema=SCHEMA) as writer:
        for number, record in enumerate(records):
            writer.write({"text": str(number)}, outcome_columns(outcome(record=record), "stance"))
    table = pq.read_table(path)

    assert [json.loads(text) for text in table["stance"].to_pylist()] == records
    assert table["text"].to_pylist() == [str(number) for number in range(count)]
    assert [note.split(" is JSON text")[0] for note in writer.notes] == [f"column 'stance' of {path}"]


def test_the_target_is_replaced_only_at_the_end(source, tmp_path):
    """A run that stops half-way leaves the earlier result alone, and no litter."""
    target = tmp_path / "out.jsonl"
    target.write_text("earlier\n")
    with pytest.raises(ZeroDivisionError), open_writer(target, ["text"], "stance") as writer:
        writer.write({"text": 1 / writer.rows}, outcome_columns(OUTCOMES[0], "stance"))

    assert target.read_text() == "earlier\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.jsonl"]


def test_what_a_killed_run_left_is_written_anew(source, tmp_path):
    """A stale part file is in nobody's way."""
    (tmp_path / ".out.csv.part").write_text("half a result that is longer than the whole\n" * 100)

    assert rewritten(source, tmp_path / "out.csv").read_text().startswith("code,text,note,stance,")
    assert not (tmp_path / ".out.csv.part").exists()


def test_two_runs_cannot_write_the_same_file(tmp_path):
    """The second is told so, and the first is not disturbed."""
    target = tmp_path / "out.jsonl"
    with open_writer(target, ["text"], "stance") as writer:
        writer.write({"text": "a"}, outcome_columns(OUTCOMES[0], "stance"))
        script = f"from cupel.tables import open_writer; open_writer({str(target)!r}, ['text'], 'stance')"
        second = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert "another run is writing it" in second.stderr
    assert len(target.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("missing/out.csv", "there is no folder", id="no folder"),
        pytest.param("folder.csv", "is a folder", id="a folder"),
        pytest.param("in.csv/out.csv", "there is no folder", id="a file in the way"),
        pytest.param("out.docx", "cannot tell the format from '.docx'", id="unknown suffix"),
        pytest.param("out", "a name without a suffix", id="no suffix"),
        pytest.param("link.csv", "is the input itself", id="the input under another name"),
        pytest.param("pipe.csv", "is not a regular file", id="a pipe"),
    ],
)
def test_an_impossible_output_is_refused_before_anything_is_paid(source, tmp_path, name, words):
    """Nothing is left behind."""
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "link.csv").symlink_to(source)
    __import__("os").mkfifo(tmp_path / "pipe.csv")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(OutputPathError, match=words):
        check_writable(tmp_path / name, reading=source)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_possible_output_is_accepted_and_left_alone(tmp_path):
    """An earlier result stays until there is a new one."""
    (tmp_path / "out.csv").write_text("earlier")
    check_writable(tmp_path / "out.csv", reading=tmp_path / "in.csv")

    assert [path.read_text() for path in tmp_path.iterdir()] == ["earlier"]


def test_a_full_disk_says_so(source, tmp_path):
    """A full disk is said with the way on, and the part file goes."""
    script = """
        import resource, signal
        from cupel.errors import MachineError
        from cupel.tables import open_writer
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            with open_writer("out.jsonl", ["text"], "stance") as writer:
                for _ in range(1000):
                    writer.write({"text": "a" * 100}, {})
        except MachineError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(__import__("pathlib").Path.cwd())},
    )  # fmt: skip

    assert "out.jsonl: no room is left to write (File too large)" in done.stdout, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_an_input_with_the_tasks_columns_is_refused(tmp_path):
    """A result read as input would lose its earlier columns."""
    with pytest.raises(InputError, match="columns 'stance', 'stance_status' already"):
        open_writer(tmp_path / "out.csv", ["text", "stance", "stance_status"], "stance")
    assert list(tmp_path.iterdir()) == []


def test_gzip_is_gzip(source, tmp_path):
    """It opens with the usual tools."""
    assert gzip.decompress(rewritten(source, tmp_path / "out.jsonl.gz").read_bytes()).count(b"\n") == 3


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "jsonl.gz", "parquet", "xlsx"])
def test_memory_does_not_grow_with_what_is_written(tmp_path, suffix):
    """Of twenty megabytes written, less than one is held at any time."""
    added = outcome_columns(OUTCOMES[0], "stance")
    with open_writer(tmp_path / f"out.{suffix}", ["text"], "stance", record_schema=SCHEMA) as writer:
        writer.write({"text": "what is needed is loaded"}, added)
        tracemalloc.start()
        for number in range(2_000):
            writer.write({"text": f"{number} " + "a" * 10_000}, added)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 1_000_000


def test_rows_reach_parquet_in_groups_of_a_thousand(tmp_path):
    """Every row in its place, whatever waits in memory before it is written."""
    with open_writer(tmp_path / "out.parquet", ["text"], "stance") as writer:
        for number in range(2_345):
            writer.write({"text": str(number)}, outcome_columns(OUTCOMES[0], "stance"))
    file = pq.ParquetFile(tmp_path / "out.parquet")

    groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert groups == [1_000, 1_000, 345]
    assert file.read()["text"].to_pylist() == [str(number) for number in range(2_345)]


def test_parquet_is_written_without_loading_pandas(tmp_path):
    """Where the process is ours this saves 45 MB that only a DataFrame needs; one that comes later still works."""
    script = """
        import sys
        from cupel.tables import open_writer
        from cupel.tables.parquet import do_without_pandas
        do_without_pandas()
        with open_writer("out.parquet", ["text"], "stance") as writer:
            writer.write({"text": "a"}, {})
        print("pandas" in sys.modules)
        import pyarrow.parquet
        print(len(pyarrow.parquet.read_table("out.parquet").to_pandas()))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )  # fmt: skip

    assert done.stdout.split() == ["False", "1"], done.stderr


@pytest.mark.parametrize("name", ["out.csv", "out.tsv"])
def test_cells_that_a_spreadsheet_would_run_are_counted_or_written_as_text(tmp_path, name):
    """Numbers are numbers; the header counts too; nothing else changes."""
    cells = ["=cmd|' /C calc'!A0", "+49 30 1", "-3.5", "@x", "- a point", "\tx", "plain", "", "1e5", "-"]
    written = {}
    for safe in (False, True):
        path = tmp_path / f"{safe}-{name}"
        with open_writer(path, ["=id", "text"], "t", safe_csv=safe) as writer:
            for cell in cells:
                writer.write({"=id": cell, "text": "x"}, {})
            counted = writer.formulas
        delimiter = "," if name.endswith("csv") else "\t"
        with path.open(newline="", encoding="utf-8") as file:
            written[safe] = [row[0] for row in csv.reader(file, delimiter=delimiter)]
        assert counted == (0 if safe else 7)

    assert written[False] == ["=id", *cells]
    assert [now for now, was in zip(written[True], written[False], strict=True) if now != was] == [
        f"'{cell}" for cell in ["=id", *(cells[n] for n in (0, 1, 3, 4, 5, 9))]
    ]


@pytest.mark.parametrize(
    ("head", "name", "out", "same"),
    [
        pytest.param(
            b'\xef\xbb\xbf"code";"text";"n"\n"1";"a ""b"";c";"2"\n',
            "in.csv",
            "out.csv",
            True,
            id="all quoted",
        ),
        pytest.param(
            b'"code";"text";"n"\n"x";"a";2.5\n', "in.csv", "out.csv", True, id="all but numbers quoted"
        ),
        pytest.param(b"code;text;n\nx;a,b;2\n", "in.csv", "out.csv", True, id="semicolons"),
        pytest.param(b"code\ttext\tn\nx\ta\t2\n", "in.tsv", "out.tsv", True, id="tabs"),
        pytest.param(b"code\ttext\tn\nx\ta\t2\n", "in.tsv", "out.csv", False, id="tabs to commas"),
    ],
)
def test_csv_keeps_delimiter_quotes_and_byte_order_mark(tmp_path, head, name, out, same):
    """Whoever reads the input with certain settings reads the output with them."""
    (tmp_path / name).write_bytes(head)
    table = open_table(tmp_path / name)
    with open_writer(tmp_path / out, table.layout, "stance") as writer:
        for row in table:
            writer.write(row.values, outcome_columns(outcome(reasons=[]), "stance"))
    written = (tmp_path / out).read_bytes()

    lines = head.decode("utf-8-sig").splitlines()
    ours = written.decode("utf-8-sig").splitlines()
    assert written.startswith(b"\xef\xbb\xbf") == head.startswith(b"\xef\xbb\xbf")
    assert [line.startswith(begun) for line, begun in zip(ours, lines, strict=True)] == [same] * len(lines)
    assert [row.values["text"] for row in open_table(tmp_path / out)] == [row.text for row in table]
