"""Tables of Python people: their rows for the runner, and a table of the same kind with the outcomes' columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from cupel.errors import InputError
from cupel.state import Outcome, Record
from cupel.tables.columns import check_columns, new_columns, outcome_columns, require_column
from cupel.tables.formats import Layout
from cupel.tables.frame_kinds import OPENED, Column, Frame, open_frame
from cupel.tables.inputs import source_of
from cupel.tables.nested import nested_type
from cupel.tables.rows import Cells, Ids, Row, Table, id_warnings, name_rows


def frame_rows(
    table: Any,
    text: Hashable = "text",
    id_column: Hashable | None = None,
    inputs: Mapping[str, Any] | None = None,
    limit: int | None = None,
    *,
    default_id: Hashable | None = None,
    with_values: bool = False,
) -> Table:
    """Return a frame's rows as `open_table` returns a file's.

    Args:
        table: Anything `open_frame` takes, or what it returned; it is never changed. One without rows is fine.
        text: The column that holds the documents; of a Series, which has one column, it need not be said.
        id_column: The column that holds your ids; without one they are made from the text.
        inputs: Further inputs of the task: name → column, or where else it comes from.
        limit: Only this many rows, from the top.
        default_id: Column to take ids from where it is there, is not the text, and no `id_column` is given.
        with_values: Whether each row also has all of its cells, by column; else `Row.values` stays empty.

    Raises:
        InputError: Naming a column that is not there, and those that are.
    """
    frame = _opened(table)
    text = text if frame.text is None or text in frame.columns else frame.text
    if id_column is None and default_id in frame.columns and default_id != text:
        id_column = default_id
    sources = {name: source_of(told) for name, told in (inputs or {}).items()}
    sources = {name: source for name, source in sources.items() if source.is_there(frame.columns)}
    columns = {name: source.column for name, source in sources.items() if source.file is None}
    chosen = _choose(frame, text, id_column, columns)
    total = len(frame) if limit is None else min(limit, len(frame))
    ids = Ids()
    if id_column is not None:
        for value in islice(frame.values(id_column), total):
            ids.add(value)

    def read() -> Iterator[Row]:
        rows = name_rows(
            islice(_cells(frame, chosen), total),
            text_column=str(text),
            id_column=None if id_column is None else str(id_column),
            inputs=sources,
            namer=ids.namer(),
        )
        if not with_values:
            return (replace(row, values={}) for row in rows)
        cells = zip(*(frame.values(column) for column in frame.columns), strict=True)
        every = [str(column) for column in frame.columns]
        return (
            replace(row, values=dict(zip(every, map(_plain, values), strict=True)))
            for row, values in zip(rows, cells, strict=False)
        )

    warnings = () if id_column is None else id_warnings(ids, source=frame.name, id_column=str(id_column))
    return Table(frame.name, Layout(tuple(str(column) for column in frame.columns)), total, warnings, read)


def attach_columns(
    table: Any,
    outcomes: Iterable[Outcome | str | None],
    lead: str,
    *,
    schema: Mapping[str, Any] | None = None,
    record_of: Callable[[Record], Any] | None = None,
) -> Any:
    """Return a table of the same kind with the outcomes' columns: same index, same rows, same order.

    The columns of an earlier call, where all of them are there, are replaced.

    Args:
        table: What the documents came from, or what `open_frame` made of it; it is never changed.
        outcomes: One for each row, in the rows' order; for a row that was not reached, why not in a word, or None.
        lead: What the new columns begin with.
        schema: The records': gives them a type where the table has types.
        record_of: What a record is shown as; itself when left out.

    Returns:
        Records (dicts, structs) and reasons (lists), confidence and cost as floats, NaN or null for unknown.

    Raises:
        InputError: If the frame has some of these columns already, but not all.
        ValueError: If there are more or fewer outcomes than rows.
    """
    frame = _opened(table)
    check_columns(frame.columns, lead, source=frame.name)
    rows = [outcome_columns(outcome, lead) for outcome in outcomes]
    if len(rows) != len(frame):
        raise ValueError(f"{len(rows)} outcomes for {len(frame)} rows")
    for values in rows:
        if record_of is not None and values[lead] is not None:
            values[lead] = record_of(values[lead])
    nested = nested_type(schema) if schema else None
    return frame.attach(
        {
            name: Column(
                kind,
                [values[name] for values in rows],
                nested=nested if kind == "record" else None,
                as_objects=kind == "record" and record_of is not None,
            )
            for name, kind in new_columns([lead]).items()
        }
    )


def _opened(table: Any) -> Frame:
    frame: Frame = table if isinstance(table, OPENED) else open_frame(table)
    return frame


def _choose(
    frame: Frame, text: Hashable, id_column: Hashable | None, inputs: Mapping[str, Hashable]
) -> list[Hashable]:
    wanted = [(text, "text="), *((column, f"inputs={{{name!r}: …}}") for name, column in inputs.items())]
    if id_column is not None:
        wanted.append((id_column, "doc_id="))
    if not frame.columns and not len(frame):  # an empty list has no keys to name
        return [column for column, _ in wanted]
    for column, option in wanted:
        require_column(column, frame.columns, source=frame.name, option=option)
        if frame.columns.count(column) > 1:
            raise InputError(f"{frame.name}: column {column!r} occurs twice; give each column its own name")
    return [column for column, _ in wanted]


def _cells(frame: Frame, chosen: list[Hashable]) -> Iterator[Cells]:
    names = [str(column) for column in chosen]
    for values in zip(*(frame.values(column) for column in chosen), strict=True):
        yield Cells(dict(zip(names, values, strict=True)))


def _plain(cell: Any) -> Any:
    """A cell as Python has it: what is missing is None, and numbers are no numpy's."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(cell, float) and math.isnan(cell):
        return None
    return cell.item() if hasattr(cell, "item") and not isinstance(cell, str | bytes) else cell
