"""Parquet: read in batches, written with types where the values and the task's schema allow them."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from cupel.errors import InputError, OutputPathError
from cupel.tables.cells import json_text, text_of
from cupel.tables.columns import Kind
from cupel.tables.formats import Layout
from cupel.tables.nested import SINGLES, Nested, nested_type
from cupel.tables.rows import Cells

_BATCH_ROWS = 256
_GROUP_ROWS = 1_000
_WAITING_ROWS = 50
"""Rows held as Python objects before they become Arrow's, which take a tenth of the room."""

_SCALARS = {"string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}


def do_without_pandas() -> None:
    """Let pyarrow find, once for this process, that there is no pandas; for a process that is ours alone.

    It would import it, 45 MB, only to ask whether a list of ours is a Series. What does need pandas still gets it.
    """
    if "pandas" in sys.modules:
        return
    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(hidden)


class _Hidden(MetaPathFinder):
    """While it is asked first, pandas is not installed."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


class ParquetReader:
    """A Parquet file; values come as Python objects and keep their column's type for writing."""

    notes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.schema = pq.read_schema(path)
        except pa.ArrowInvalid as error:
            raise InputError(f"{path}: not a Parquet file: {error}") from None

    def cells(self) -> Iterator[Cells]:
        """Yield the rows, a batch in memory at a time."""
        try:
            # pre_buffer would hold a whole row group's pages: with one group, the whole file.
            with pq.ParquetFile(self.path, pre_buffer=False) as file:
                for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                    yield from map(Cells, batch.to_pylist())
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self.path}: damaged Parquet file: {error}") from None

    def layout(self, cells: Iterator[Cells]) -> Layout:
        """Return the columns and their types, as the file declares them."""
        for _ in cells:
            pass
        return Layout(tuple(self.schema.names), arrow=self.schema)


class ParquetSink:
    """Rows collected into row groups of a thousand; no more than a few of them as Python objects."""

    def __init__(
        self,
        target: Any,
        layout: Layout,
        added: Mapping[str, Kind],
        record_schemas: Mapping[str, Mapping[str, Any]],
        *,
        path: Path,
    ) -> None:
        self.path, self.target = path, target
        records = {name: nested_type(schema) for name, schema in record_schemas.items()}
        own = {
            name: records.get(name) if kind == "record" else SINGLES.get(kind) for name, kind in added.items()
        }
        self.nested = {name: of_kind for name, of_kind in own.items() if of_kind}
        """Columns that have a type of their own, so far."""

        self.notes: list[str] = []
        self.schema = _input_schema(layout)
        for field in _new_fields(
            added, {name: arrow_type(typed) for name, typed in records.items() if typed}
        ):
            self.schema = self.schema.append(field)
        self.writer = pq.ParquetWriter(target, self.schema)
        self.rows: list[Mapping[str, Any]] = []
        self.batches: list[Any] = []
        self.taken = 0

    def write(self, values: Mapping[str, Any]) -> None:
        """Take one row."""
        self.rows.append(values)
        if len(self.rows) == _WAITING_ROWS:
            self._pack()
            if self.taken % _GROUP_ROWS == 0:
                self._flush()

    def finish(self) -> None:
        """Write what is left, and the footer."""
        self._pack()
        self._flush()
        self.writer.close()

    def abandon(self) -> None:
        """Let go of the file, whatever is in it."""
        self.writer.close()

    def _pack(self) -> None:
        if self.rows:
            for name, nested in list(self.nested.items()):
                if not all(nested.fits(row.get(name)) for row in self.rows):
                    self._widen(name)
            columns = [self._column(field) for field in self.schema]
            self.batches.append(pa.RecordBatch.from_arrays(columns, schema=self.schema))
            self.taken += len(self.rows)
            self.rows.clear()

    def _flush(self) -> None:
        if self.batches:
            self.writer.write_table(pa.Table.from_batches(self.batches, schema=self.schema))
            self.batches.clear()

    def _widen(self, name: str) -> None:
        """Make a column of records JSON text, in what is written already too: one value in it has no place in its type."""
        del self.nested[name]
        self._flush()
        self.writer.close()
        before, place = self.schema, self.schema.get_field_index(name)
        self.schema = before.set(place, pa.field(name, pa.string()))
        self.notes.append(
            f"column {name!r} of {self.path} is JSON text: one of its values, such as an integer of more than 64 bits, has "
            "no place in a typed column"
        )
        with tempfile.TemporaryFile() as kept:
            self.target.seek(0)
            shutil.copyfileobj(self.target, kept)
            self.target.seek(0)
            self.target.truncate(0)
            self.writer = pq.ParquetWriter(self.target, self.schema)
            with pq.ParquetFile(kept, pre_buffer=False) as file:
                for group in range(file.num_row_groups):
                    written = file.read_row_group(group)
                    texts = [
                        None if value is None else json_text(value) for value in written[name].to_pylist()
                    ]
                    self.writer.write_table(
                        written.set_column(
                            place, self.schema.field(place), [pa.array(texts, type=pa.string())]
                        )
                    )

    def _column(self, field: Any) -> Any:
        values = [row.get(field.name) for row in self.rows]
        if pa.types.is_string(field.type):
            values = [None if value is None else text_of(value) for value in values]
        try:
            return pa.array(values, type=field.type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            first = self.taken + 1
            raise OutputPathError(
                f"{self.path}: column {field.name!r}, rows {first} to {first + len(values) - 1}: a value does not fit its Parquet "
                f"type {field.type}: {error}. Choose a .jsonl output; what was answered is not asked again"
            ) from None


def record_type(schema: Mapping[str, Any]) -> Any | None:
    """The Arrow type of records of a JSON Schema, None where JSON text is the only way (`nested_type`)."""
    nested = nested_type(schema)
    return None if nested is None else arrow_type(nested)


def arrow_type(nested: Nested) -> Any:
    """The same type as Arrow has it."""
    if nested.kind == "struct":
        return pa.struct([(name, arrow_type(child)) for name, child in nested.fields])
    return _SCALARS[nested.kind] if nested.item is None else pa.list_(arrow_type(nested.item))


def _input_schema(layout: Layout) -> Any:
    if layout.arrow is not None:
        return layout.arrow
    return pa.schema(
        [(name, _SCALARS.get(layout.kinds.get(name, "string"), pa.string())) for name in layout.columns]
    )


def _new_fields(added: Mapping[str, Kind], records: Mapping[str, Any]) -> list[Any]:
    text = pa.string()
    types = {
        "record": text,
        "text": text,
        "number": pa.float64(),
        "whole": pa.int64(),
        "texts": pa.list_(text),
    }
    return [pa.field(name, records.get(name) or types[kind]) for name, kind in added.items()]
