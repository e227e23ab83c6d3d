"""DataFrames: their rows for the runner, and a new frame with the outcomes' columns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from cupel.errors import InputError
from cupel.state import Outcome, Record
from cupel.tables.columns import check_columns, outcome_columns, require_column, task_columns
from cupel.tables.formats import Layout
from cupel.tables.rows import Cells, Ids, Row, Table, id_warnings, name_rows

if TYPE_CHECKING:
    import pandas as pd

_NAME = "the DataFrame"
_NUMBERS = ("confidence", "cost_usd")


def frame_rows(
    df: pd.DataFrame,
    text: Hashable = "text",
    id_column: Hashable | None = None,
    inputs: Mapping[str, Hashable] | None = None,
    limit: int | None = None,
) -> Table:
    """Return a DataFrame's rows as `open_table` returns a file's; `Row.values` stays empty.

    Args:
        df: Any frame; it is never changed. A frame without rows is fine.
        text: The column that holds the documents.
        id_column: The column that holds your ids; without one they are made from the text.
        inputs: Further inputs of the task: name → column.
        limit: Only this many rows, from the top.

    Raises:
        InputError: Naming a column that is not there, and those that are.
    """
    chosen = _choose(df, text, id_column, inputs or {})
    total = len(df) if limit is None else min(limit, len(df))
    names = {name: str(column) for name, column in (inputs or {}).items()}
    ids = Ids()
    if id_column is not None:
        for value in islice(df[id_column], total):
            ids.add(value)

    def read() -> Iterator[Row]:
        rows = name_rows(
            islice(_cells(df, chosen), total),
            text_column=str(text),
            id_column=None if id_column is None else str(id_column),
            inputs=names,
            namer=ids.namer(),
        )
        return (replace(row, values={}) for row in rows)

    warnings = () if id_column is None else id_warnings(ids, source=_NAME, id_column=str(id_column))
    return Table(_NAME, Layout(tuple(str(column) for column in df.columns)), total, warnings, read)


def attach_columns(
    df: pd.DataFrame,
    outcomes: Iterable[Outcome | None],
    task: str,
    *,
    record_of: Callable[[Record], Any] | None = None,
) -> pd.DataFrame:
    """Return a copy of the frame with the task's columns: same index, same rows, same order.

    Args:
        df: The frame the documents came from; it is never changed.
        outcomes: One for each row, in the rows' order; None for a row that was not reached.
        task: Its name leads the new columns.
        record_of: What a record is shown as; itself when left out.

    Returns:
        Records (dicts) and reasons (lists) as objects, confidence and cost as floats with NaN for unknown.

    Raises:
        InputError: If the frame has one of these columns already.
        ValueError: If there are more or fewer outcomes than rows.
    """
    check_columns(df.columns, task, source=_NAME)
    rows = [outcome_columns(outcome, task) for outcome in outcomes]
    if len(rows) != len(df):
        raise ValueError(f"{len(rows)} outcomes for {len(df)} rows")
    result = df.copy()
    for values in rows:
        if record_of is not None and values[task] is not None:
            values[task] = record_of(values[task])
    for column in task_columns(task):
        result[column] = _series([values[column] for values in rows], column, task, index=df.index)
    return result


def _series(values: list[Any], column: str, task: str, *, index: pd.Index[Any]) -> pd.Series[Any]:
    import pandas as pd

    if column.removeprefix(f"{task}_") in _NUMBERS:
        return pd.Series(values, index=index, dtype="float64")
    if column in {task, f"{task}_reasons"}:
        return pd.Series(values, index=index, dtype="object")
    return pd.Series(values, index=index, dtype="object" if pd.__version__.startswith("2.") else "str")


def _choose(
    df: pd.DataFrame, text: Hashable, id_column: Hashable | None, inputs: Mapping[str, Hashable]
) -> list[Hashable]:
    wanted = [(text, "text="), *((column, f"inputs={{{name!r}: …}}") for name, column in inputs.items())]
    if id_column is not None:
        wanted.append((id_column, "id_column="))
    columns: list[Hashable] = list(df.columns)
    for column, option in wanted:
        require_column(column, columns, source=_NAME, option=option)
        if columns.count(column) > 1:
            raise InputError(f"{_NAME}: column {column!r} occurs twice; give each column its own name")
    return [column for column, _ in wanted]


def _cells(df: pd.DataFrame, chosen: list[Hashable]) -> Iterator[Cells]:
    names = [str(column) for column in chosen]
    for values in zip(*(df[column] for column in chosen), strict=True):
        yield Cells(dict(zip(names, values, strict=True)))
