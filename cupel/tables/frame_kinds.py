"""The kinds of table Python people hold, each as columns to read and a table of the same kind to give back.

A library is asked for only where it is imported already: whoever hands a frame in has done so. That takes four short
classes, which keep what a layer between them would not say (an index of several levels, a lazy plan, structs).
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from cupel.errors import InputError
from cupel.tables.cells import json_text
from cupel.tables.columns import Kind
from cupel.tables.nested import SINGLES, Nested

TEXT = "text"
"""The name of a column of texts that has none."""

_ROOTS = ("pandas", "polars", "pyarrow")


class Column(NamedTuple):
    """A column to be added."""

    kind: Kind
    cells: list[Any]
    nested: Nested | None = None
    """Of records, the type their schema gives them; None where they are to stand as they are, or as JSON text."""

    as_objects: bool = False
    """Whether the values are Python's own, such as instances of a class."""


class Frame(Protocol):
    """A table of one kind."""

    name: str
    """What an error calls it."""

    columns: list[Hashable]
    text: Hashable | None
    """The column with the texts, where there is no other; None for a table of several columns."""

    def __len__(self) -> int:
        """How many rows it has."""
        ...

    def values(self, column: Hashable) -> Iterable[Any]:
        """The cells of a column, in order."""
        ...

    def take(self, places: Sequence[int], without: Hashable) -> Frame:
        """The rows at these places, each as often as it is named, without a column."""
        ...

    def attach(self, added: Mapping[str, Column]) -> Any:
        """A table of the same kind with these columns: new ones at the end, those that are there in their place."""
        ...


def open_frame(table: Any) -> Frame:
    """A table of any kind there is a way to give back.

    Raises:
        InputError: For anything else; it says what is taken.
    """
    for root, kinds in _kinds().items():
        library = sys.modules.get(root)
        if library is None:
            continue
        for name, kind in kinds.items():
            if isinstance(table, getattr(library, name)):
                frame: Frame = kind(table)
                return frame
    if isinstance(table, list):
        return _of_list(table)
    raise InputError(f"{_name_of(table)} is no table that can be given back: take {TAKEN}{_way_out(table)}")


def is_frame(table: Any) -> bool:
    """Whether `open_frame` takes it, as far as its type says.

    >>> is_frame([{"text": "We must act."}]), is_frame("debates.csv")
    (True, False)
    """
    return isinstance(table, list) or any(
        isinstance(table, getattr(sys.modules[root], name))
        for root, kinds in _kinds().items()
        if root in sys.modules
        for name in kinds
    )


TAKEN = "a pandas or polars DataFrame, a polars LazyFrame, a pyarrow Table, a Series of texts, or a list of dicts or texts"


def _kinds() -> dict[str, dict[str, Any]]:
    return {
        "pandas": {"DataFrame": PandasFrame, "Series": PandasFrame.of_series},
        "polars": {
            "DataFrame": PolarsFrame,
            "LazyFrame": PolarsFrame.of_lazy,
            "Series": PolarsFrame.of_series,
        },
        "pyarrow": {"Table": ArrowFrame},
    }


class PandasFrame:
    """A pandas DataFrame; its index stays, of whatever levels and however often a label occurs."""

    name = "the DataFrame"

    def __init__(self, table: Any, text: Hashable | None = None) -> None:
        self.table, self.text = table, text
        # where columns have several levels, pandas itself takes the first for one whose others are empty
        self.columns: list[Hashable] = [
            name[0] if isinstance(name, tuple) and name and not any(map(bool, name[1:])) else name
            for name in table.columns
        ]

    @classmethod
    def of_series(cls, series: Any) -> PandasFrame:
        """A Series of texts, as the one column of a frame with its index."""
        name = TEXT if series.name is None else series.name
        return cls(series.to_frame(name=name), text=name)

    def __len__(self) -> int:
        return len(self.table)

    def values(self, column: Hashable) -> Iterable[Any]:
        """The cells of a column."""
        cells: Iterable[Any] = self.table[column]
        return cells

    def take(self, places: Sequence[int], without: Hashable) -> PandasFrame:
        """Rows by their places; an index label is repeated with its row."""
        return PandasFrame(self.table.iloc[list(places)].drop(columns=[without]))

    def attach(self, added: Mapping[str, Column]) -> Any:
        """A copy with these columns: records and lists as objects, unknown numbers NaN."""
        import pandas as pd

        result, levels = self.table.copy(), self.table.columns.nlevels
        for name, column in added.items():
            text = "object" if pd.__version__.startswith("2.") else "str"
            dtypes = {"number": "float64", "whole": "Int64", "flag": "boolean", "text": text}
            dtype = dtypes.get(sound_kind(column), "object")
            place = name if levels == 1 else (name, *[""] * (levels - 1))
            result[place] = pd.Series(column.cells, index=self.table.index, dtype=dtype)
        return result


class PolarsFrame:
    """A polars DataFrame, or the lazy plan of one, which is collected once and given back lazy."""

    name = "the DataFrame"

    def __init__(self, table: Any, text: Hashable | None = None, *, is_lazy: bool = False) -> None:
        self.table, self.text, self.is_lazy = table, text, is_lazy
        self.columns: list[Hashable] = list(table.columns)

    @classmethod
    def of_lazy(cls, plan: Any) -> PolarsFrame:
        """A LazyFrame."""
        return cls(plan.collect(), is_lazy=True)

    @classmethod
    def of_series(cls, series: Any) -> PolarsFrame:
        """A Series of texts, as the one column of a frame."""
        name = series.name or TEXT
        return cls(series.alias(name).to_frame(), text=name)

    def __len__(self) -> int:
        return int(self.table.height)

    def values(self, column: Hashable) -> Iterable[Any]:
        """The cells of a column."""
        cells: Iterable[Any] = self.table[column]
        return cells

    def take(self, places: Sequence[int], without: Hashable) -> PolarsFrame:
        """Rows by their places."""
        return PolarsFrame(self.table.drop(without)[list(places)], is_lazy=self.is_lazy)

    def attach(self, added: Mapping[str, Column]) -> Any:
        """A frame with these columns: records as structs, or as JSON text where their schema gives no type."""
        result = self.table.with_columns([self._series(name, column) for name, column in added.items()])
        return result.lazy() if self.is_lazy else result

    def _series(self, name: str, column: Column) -> Any:
        import polars as pl

        if column.as_objects:
            return pl.Series(name, column.cells, dtype=pl.Object)
        types: dict[str, Any] = {
            "number": pl.Float64, "whole": pl.Int64, "flag": pl.Boolean, "text": pl.String, "texts": pl.List(pl.String),
            "record": pl.String,
        }  # fmt: skip
        kind = sound_kind(column)
        dtype = types[kind]
        if kind == "record" and (nested := _typed(column)):
            return pl.Series(name, column.cells, dtype=_polars_type(nested), strict=False)
        return pl.Series(name, _texts(column) if kind == "record" else column.cells, dtype=dtype)


class ArrowFrame:
    """A pyarrow Table."""

    name = "the Table"
    text: Hashable | None = None

    def __init__(self, table: Any) -> None:
        self.table = table
        self.columns: list[Hashable] = list(table.column_names)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def values(self, column: Hashable) -> Iterable[Any]:
        """The cells of a column."""
        return (cell.as_py() for cell in self.table.column(column))

    def take(self, places: Sequence[int], without: Hashable) -> ArrowFrame:
        """Rows by their places."""
        return ArrowFrame(self.table.drop_columns([without]).take(list(places)))

    def attach(self, added: Mapping[str, Column]) -> Any:
        """A table with these columns: records as structs, or as JSON text where their schema gives no type."""
        import pyarrow as pa

        from cupel.tables.parquet import arrow_type

        types = {
            "number": pa.float64(),
            "whole": pa.int64(),
            "text": pa.string(),
            "texts": pa.list_(pa.string()),
        }
        result = self.table
        for name, column in added.items():
            if column.as_objects:
                raise InputError(
                    f"a pyarrow Table holds no instances of a class: leave instances=True out ({name!r})"
                )
            kind = sound_kind(column)
            if kind != "record":
                made = pa.array(column.cells, type=types[kind])
            elif nested := _typed(column):
                made = pa.array(column.cells, type=arrow_type(nested))
            else:
                made = pa.array(_texts(column), type=pa.string())
            place = result.column_names.index(name) if name in result.column_names else None
            result = (
                result.append_column(name, made) if place is None else result.set_column(place, name, made)
            )
        return result


class ListFrame:
    """A list of dicts; a column is any key that occurs."""

    name = "the list"

    def __init__(self, rows: Sequence[Mapping[str, Any]], text: Hashable | None = None) -> None:
        self.rows, self.text = rows, text
        self.columns: list[Hashable] = list(dict.fromkeys(key for row in rows for key in row))

    def __len__(self) -> int:
        return len(self.rows)

    def values(self, column: Hashable) -> Iterable[Any]:
        """The cells of a column; a row without the key has None there."""
        return (row.get(column) for row in self.rows)  # type: ignore[call-overload]  # any key

    def take(self, places: Sequence[int], without: Hashable) -> ListFrame:
        """Rows by their places."""
        return ListFrame([{k: v for k, v in self.rows[place].items() if k != without} for place in places])

    def attach(self, added: Mapping[str, Column]) -> list[dict[str, Any]]:
        """New dicts: the old keys and these."""
        return [
            {**row, **{name: column.cells[place] for name, column in added.items()}}
            for place, row in enumerate(self.rows)
        ]


OPENED = (PandasFrame, PolarsFrame, ArrowFrame, ListFrame)
"""What `open_frame` returns."""


def _of_list(rows: list[Any]) -> ListFrame:
    if rows and all(row is None or isinstance(row, str) for row in rows):
        return ListFrame([{TEXT: row} for row in rows], text=TEXT)
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InputError(f"the list: entry {place} is {_name_of(row)}: give dicts, or texts alone")
    return ListFrame(rows, text=None if rows else TEXT)


def sound_kind(column: Column) -> Kind:
    """What a column holds; any value, where one of its cells is not of the kind it should be of."""
    single = SINGLES.get(column.kind)
    return "record" if single is not None and not all(map(single.fits, column.cells)) else column.kind


def _typed(column: Column) -> Nested | None:
    """The type of records, where every one of them fits it."""
    fits = column.nested is not None and all(map(column.nested.fits, column.cells))
    return column.nested if fits else None


def _texts(column: Column) -> list[str | None]:
    return [None if value is None else json_text(value) for value in column.cells]


def _polars_type(nested: Nested) -> Any:
    import polars as pl

    if nested.kind == "struct":
        return pl.Struct({name: _polars_type(child) for name, child in nested.fields})
    if nested.item is not None:
        return pl.List(_polars_type(nested.item))
    return {"string": pl.String, "integer": pl.Int64, "number": pl.Float64, "boolean": pl.Boolean}[
        nested.kind
    ]


def _name_of(table: Any) -> str:
    kind = type(table)
    return (
        kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.split('.')[0]}.{kind.__name__}"
    )


def _way_out(table: Any) -> str:
    """What whoever holds something else may do, where that is plain."""
    if isinstance(table, str):
        return (
            ". A file is read first (pandas.read_csv, polars.read_excel …), or enriched by `cupel run FILE`"
        )
    for name in ("to_pandas", "to_arrow", "toPandas"):
        if hasattr(table, name):
            return f". This one has .{name}()"
    return ""
