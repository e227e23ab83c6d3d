"""Every kind of table a person may hold: read, given back as the same kind, and unchanged."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pyarrow as pa
import pytest

from cupel.errors import InputError
from cupel.tables.columns import task_columns
from cupel.tables.frame_kinds import open_frame
from cupel.tables.frames import attach_columns, frame_rows
from tests.unit.tables.factory import SCHEMA, outcome

TEXTS = ["One.", None, "Three."]
COLUMNS = {"text": TEXTS, "key": [7, 8, 9], "share": [0.5, None, 1.5]}
OUTCOMES = [outcome(), None, outcome(record=None, status="failed", confidence=None)]


def two_levels():
    """A frame under an index of two levels."""
    return pd.DataFrame(COLUMNS).set_index(
        pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["x", "y"])
    )


PANDAS = {
    "plain": lambda: pd.DataFrame(COLUMNS),
    "an index of two levels": two_levels,
    "columns of two levels": lambda: pd.DataFrame(
        [[*row, 1] for row in zip(*COLUMNS.values(), strict=True)],
        columns=pd.MultiIndex.from_tuples([("text", ""), ("key", ""), ("share", ""), ("more", "a")]),
    ),
    "a repeated index": lambda: pd.DataFrame(COLUMNS, index=["x", "x", "z"]),
    "categories": lambda: pd.DataFrame(COLUMNS).astype({"text": "category", "key": "category"}),
    "arrow": lambda: pd.DataFrame(COLUMNS).convert_dtypes(dtype_backend="pyarrow"),
    "nullable": lambda: pd.DataFrame(COLUMNS).convert_dtypes(),
    "one row": lambda: pd.DataFrame(COLUMNS).head(1),
    "empty": lambda: pd.DataFrame(COLUMNS).head(0),
    "sorted backwards": lambda: pd.DataFrame(COLUMNS)[::-1],
}


@pytest.mark.parametrize("made", PANDAS.values(), ids=PANDAS.keys())
def test_pandas_keeps_index_order_and_dtypes(made):
    """The result begins with the very frame that was given, which is not changed."""
    frame = made()
    before, texts = frame.copy(), [None if pd.isna(text) else text for text in frame["text"]]
    rows = list(frame_rows(frame, id_column="key"))
    result = attach_columns(frame, OUTCOMES[: len(frame)], "stance", schema=SCHEMA)

    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(result.iloc[:, : frame.shape[1]], before)
    assert [None if pd.isna(row.text) else row.text for row in rows] == texts
    assert len(result.columns) == frame.shape[1] + 7
    if len(frame):
        assert result["stance"].iloc[0] == OUTCOMES[0]["record"]


def test_polars_gets_structs_and_keeps_its_dtypes():
    """Records are structs as their schema says, of the same dtype whatever is in them."""
    frame = pl.DataFrame(COLUMNS, schema_overrides={"key": pl.UInt16})
    before = frame.clone()
    result = attach_columns(frame, OUTCOMES, "stance", schema=SCHEMA)

    polars.testing.assert_frame_equal(frame, before)
    polars.testing.assert_frame_equal(result.select(frame.columns), before)
    assert result.columns == [*frame.columns, *task_columns("stance")]
    assert result["stance"].dtype == pl.Struct(
        {"stance": pl.String, "evidence": pl.List(pl.Struct({"quote": pl.String})), "share": pl.Float64}
    )
    assert result["stance"].to_list() == [OUTCOMES[0]["record"], None, None]
    assert result["stance_confidence"].to_list() == [0.875, None, None]
    assert (
        attach_columns(frame.head(0), [], "stance", schema=SCHEMA)["stance"].dtype == result["stance"].dtype
    )
    assert [row.text for row in frame_rows(frame)] == TEXTS


def test_a_lazy_frame_comes_back_lazy():
    """Its plan is carried out once, for the run."""
    result = attach_columns(pl.LazyFrame(COLUMNS), OUTCOMES, "stance", schema=SCHEMA)

    assert isinstance(result, pl.LazyFrame)
    assert result.collect()["stance_status"].to_list() == ["accepted", None, "failed"]


def test_arrow_gets_structs():
    """An arrow Table has no index, and its metadata stay."""
    table = pa.table(COLUMNS).replace_schema_metadata({"made": "by us"})
    result = attach_columns(table, OUTCOMES, "stance", schema=SCHEMA)

    assert result.select(table.column_names).equals(table)
    assert result.schema.metadata == {b"made": b"by us"}
    assert result["stance"].to_pylist() == [OUTCOMES[0]["record"], None, None]
    assert [row.text for row in frame_rows(table)] == TEXTS
    again = attach_columns(result, [outcome(status="needs_review")] * 3, "stance", schema=SCHEMA)
    assert (again.column_names, again["stance_status"][0].as_py()) == (result.column_names, "needs_review")


@pytest.mark.parametrize("kind", [pl.DataFrame, pa.table], ids=["polars", "arrow"])
@pytest.mark.parametrize("schema", [None, {"type": "object"}, SCHEMA], ids=["none", "open", "typed"])
def test_records_without_a_type_are_json_text(kind, schema):
    """A value that no typed column holds makes it text as well; nothing of it is lost."""
    odd = outcome(record={"stance": "support", "evidence": [], "share": 2**70})
    result = attach_columns(kind({"text": ["a"]}), [odd], "stance", schema=schema)

    assert list(result["stance"].to_pylist() if kind is pa.table else result["stance"]) == [
        '{"stance": "support", "evidence": [], "share": 1180591620717411303424}'
    ]


def test_a_list_of_dicts_gives_a_list_of_dicts():
    """A key that a row does not have is an empty cell there, and stays away."""
    rows = [{"text": "One.", "n": 1}, {"text": "Two."}]
    result = attach_columns(rows, [outcome(), "budget"], "stance")

    assert rows == [{"text": "One.", "n": 1}, {"text": "Two."}]
    assert (result[0]["n"], result[0]["stance_status"]) == (1, "accepted")
    assert ("n" in result[1], result[1]["stance_reasons"]) == (False, ["not run: budget"])
    assert attach_columns([], [], "stance") == []
    assert list(frame_rows([])) == []


@pytest.mark.parametrize(
    ("texts", "column"),
    [
        (pd.Series(TEXTS, index=[3, 3, 1], name="speech"), "speech"),
        (pd.Series(TEXTS), "text"),
        (pl.Series("speech", TEXTS), "speech"),
        (pl.Series(TEXTS), "text"),
        (TEXTS, "text"),
    ],
    ids=["pandas", "pandas unnamed", "polars", "polars unnamed", "list"],
)
def test_texts_alone_become_the_one_column_of_a_table(texts, column):
    """A Series has no other column, so its name need not be said."""
    assert [None if row.text in (None, np.nan) else row.text for row in frame_rows(texts)] == TEXTS
    result = attach_columns(texts, OUTCOMES, "stance", schema=SCHEMA)
    assert next(iter(result[0] if isinstance(result, list) else result.columns)) == column
    if isinstance(texts, pd.Series):
        assert result.index.equals(texts.index)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("debates.csv", r"str is no table .* A file is read first"),
        ({"text": ["a"]}, "dict is no table that can be given back: take a pandas or polars DataFrame"),
        (None, "NoneType is no table"),
        (np.array(["a"]), "numpy.ndarray is no table"),
        ([{"text": "a"}, "b"], "the list: entry 1 is str: give dicts, or texts alone"),
        (pa.array(["a"]), r"pyarrow.StringArray is no table.*has .to_pandas\(\)"),
        (pd.DataFrame(COLUMNS).groupby("key"), "is no table"),
    ],
)
def test_anything_else_is_refused(table, words):
    """With what is taken, and the way out where it is plain."""
    with pytest.raises(InputError, match=words):
        open_frame(table)


def test_no_library_is_imported_to_see_what_a_table_is():
    """Whoever hands in a polars frame has imported it; nobody else waits for it."""
    script = (
        "import sys; from cupel.tables import attach_columns, frame_rows; list(frame_rows([{'text': 'a'}]));"
        "attach_columns([{'text': 'a'}], [None], 'stance'); print([n for n in ('pandas', 'polars', 'pyarrow') if n in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert shown.stdout.strip() == "[]"
