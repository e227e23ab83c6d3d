"""Write the rows with their new columns, in any of the formats."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol, Self, cast

from cupel.errors import MachineError, OutputPathError, SettingError, shortage
from cupel.files import full_path
from cupel.tables.cells import cell_text, is_formula, is_number, json_text
from cupel.tables.columns import Kind, check_new, new_columns, task_columns
from cupel.tables.formats import KNOWN, Format, Layout, Style, format_of, require_excel, require_pyarrow
from cupel.tables.part_file import PartFile


class Sink(Protocol):
    """What a format does with rows."""

    def write(self, values: Mapping[str, Any]) -> None:
        """Take one row."""
        ...

    def finish(self) -> None:
        """Write what is left."""
        ...

    def abandon(self) -> None:
        """Let go of the file, whatever is in it."""
        ...


def check_writable(path: Path | str, *, reading: Path | str | None = None, safe_csv: bool = False) -> None:
    """Make sure that a result can be written there, before anything is paid; nothing is left behind.

    Args:
        path: Where the result shall go; whether a file that is there may be replaced, `Output` says.
        reading: The input file, which is never replaced.
        safe_csv: What `open_writer` will be told.

    Raises:
        OutputPathError: Saying what stands in the way.
        SettingError: For Parquet without pyarrow, and for `safe_csv` where no CSV is written.
    """
    path = Path(path)
    if _format(path).name != "csv" and safe_csv:
        raise SettingError(f"--safe-csv is for CSV and TSV, and {path} is neither; leave it out")
    if reading is not None and full_path(path) == full_path(Path(reading)):
        raise OutputPathError(f"{path}: is the input itself, which is never changed; choose another --out")
    PartFile(path).discard()


def open_writer(
    path: Path | str,
    columns: Layout | Sequence[str],
    task: str | Sequence[str],
    *,
    record_schema: Mapping[str, Any] | None = None,
    schemas: Mapping[str, Mapping[str, Any]] | None = None,
    safe_csv: bool = False,
    more: Mapping[str, Kind] | None = None,
) -> RowWriter:
    """Open a result file: the input's columns in their order, then the task's.

    The same rows and outcomes always give the same bytes.

    Args:
        path: Its suffix says the format: .csv, .tsv, .json, .jsonl (these also with .gz), .parquet or .xlsx.
        columns: The input's `layout` (Parquet then keeps its types), or the names alone.
        task: Its name leads the new columns; several names make several sets of them.
        record_schema: The records' JSON Schema: gives a Parquet record column its type.
        schemas: Where tasks have one each, by the name that leads their columns.
        safe_csv: Put `'` before a cell of CSV or TSV that a spreadsheet would run as a formula.
        more: Columns after those, and what they hold.

    Raises:
        OutputPathError: If it cannot be written, or another run is writing it.
        InputError: If the input has one of the new columns already.
    """
    layout = columns if isinstance(columns, Layout) else Layout(tuple(columns))
    tasks = [task] if isinstance(task, str) else list(task)
    added = new_columns(tasks, more)
    for name in tasks:
        check_new(layout.columns, task_columns(name), name)
    check_new(layout.columns, more or (), tasks[0])
    of_all = {} if record_schema is None else dict.fromkeys(tasks, record_schema)
    return RowWriter(Path(path), layout, added, {**of_all, **(schemas or {})}, safe_csv=safe_csv)


def open_tidy_writer(
    path: Path | str, columns: Layout | Sequence[str], added: Mapping[str, Kind], *, safe_csv: bool = False
) -> RowWriter:
    """Open a file of tidy rows: the documents' columns in their order, then these.

    Raises:
        OutputPathError: If it cannot be written, or another run is writing it.
        InputError: If the documents have one of the new columns already.
    """
    layout = columns if isinstance(columns, Layout) else Layout(tuple(columns))
    check_new(layout.columns, added, "tidy")
    return RowWriter(Path(path), layout, added, {}, safe_csv=safe_csv)


def tidy_path(path: Path, task: str = "") -> Path:
    """Where the items of a result are written, beside it.

    Args:
        path: The result.
        task: Whose items, where the result is of several tasks: each has a file of its own.

    >>> tidy_path(Path("debates.arguments.csv.gz")).name
    'debates.arguments.tidy.csv.gz'
    >>> tidy_path(Path("out.csv"), "stance").name
    'out.stance.tidy.csv'
    """
    zipped = path.name[-3:] if path.name.lower().endswith(".gz") else ""
    name = Path(path.name[: len(path.name) - len(zipped)])
    of_task = f".{task}" if task else ""
    return path.with_name(f"{name.stem}{of_task}.tidy{name.suffix}{zipped}")


class RowWriter:
    """Takes rows in order; the target is replaced at `close`, or not at all.

    As a context manager it closes at the end, and leaves the target alone if it was abandoned or an error passes
    through.
    """

    def __init__(
        self,
        path: Path,
        layout: Layout,
        added: Mapping[str, Kind],
        schemas: Mapping[str, Mapping[str, Any]],
        *,
        safe_csv: bool = False,
    ) -> None:
        format_ = _format(path)
        self.path = path
        self.rows = 0
        self._safe_csv = safe_csv
        self.is_abandoned = False
        self._part = PartFile(path)
        self._file = self._part.file
        if format_.gzipped:
            # Neither name nor time in the header: the same rows, the same bytes.
            self._file = cast("IO[bytes]", gzip.GzipFile("", "wb", fileobj=self._part.file, mtime=0))
        self._sink = self._open_sink(format_, layout, added, schemas)

    def write(self, row_values: Mapping[str, Any], outcome_columns: Mapping[str, Any]) -> None:
        """Write one row: the input's cells, then `outcome_columns(outcome, task)`."""
        with _name_errors(self.path):
            self._sink.write({**row_values, **outcome_columns})
        self.rows += 1

    @property
    def notes(self) -> list[str]:
        """What a reader of the file should know of how it was written."""
        if self.formulas:
            return [
                (
                    f"{self.formulas:,} cells begin with = + - or @, which a spreadsheet may run as a formula; "
                    "--safe-csv writes them as text"
                )
            ]
        return list(getattr(self._sink, "notes", ()))

    @property
    def formulas(self) -> int:
        """Cells written so far that a spreadsheet would run as formulas."""
        return self._sink.formulas if isinstance(self._sink, _CsvSink) else 0

    def close(self) -> Path:
        """Finish the file and put it in the target's place; returns the target."""
        try:
            with _name_errors(self.path):
                self._sink.finish()
                if self._file is not self._part.file:
                    self._file.close()
                self._part.publish()
        except BaseException:
            self.abandon()
            raise
        return self.path

    def abandon(self) -> None:
        """Remove what was written; the target stays as it was."""
        self.is_abandoned = True
        with contextlib.suppress(OSError):
            self._sink.abandon()
        self._part.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        if kind is not None:
            self.abandon()
        elif not self.is_abandoned:
            self.close()

    def _open_sink(
        self,
        format_: Format,
        layout: Layout,
        added: Mapping[str, Kind],
        schemas: Mapping[str, Mapping[str, Any]],
    ) -> Sink:
        match format_.name:
            case "csv":
                style = layout.style.of(format_) if layout.style else Style(format_.delimiter)
                return _CsvSink(self._file, [*layout.columns, *added], style, safe=self._safe_csv)
            case "xlsx":
                from cupel.tables.excel import ExcelSink

                return ExcelSink(self._file, [*layout.columns, *added], path=self.path)
            case "jsonl":
                return _JsonlSink(self._file)
            case "json":
                return _JsonSink(self._file)
            case "parquet":
                from cupel.tables.parquet import ParquetSink

                return ParquetSink(self._file, layout, added, schemas, path=self.path)


class _TextSink:
    """Writes a row at a time, so that nothing is left to finish or to let go of."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def finish(self) -> None:
        pass

    def abandon(self) -> None:
        pass

    def put(self, text: str) -> None:
        self.file.write(text.encode("utf-8"))


class _CsvSink(_TextSink):
    """Cells as they are; JSON in a cell for what is not text. Lines end in a plain line feed."""

    def __init__(self, file: IO[bytes], columns: Sequence[str], style: Style, *, safe: bool) -> None:
        super().__init__(file)
        self.columns, self.style, self.safe = columns, style, safe
        self.formulas = 0
        if style.has_mark:
            file.write(codecs.BOM_UTF8)
        self._line(columns)

    def write(self, values: Mapping[str, Any]) -> None:
        self._line(cell_text(values.get(column)) for column in self.columns)

    def _line(self, cells: Iterable[str]) -> None:
        self.put(self.style.delimiter.join(map(self._quote, cells)) + "\n")

    def _quote(self, cell: str) -> str:
        if is_formula(cell):
            if self.safe:
                cell = f"'{cell}"
            else:
                self.formulas += 1
        # csv.writer leaves a lone carriage return unquoted when lines end in a line feed (Python 3.11).
        if self._is_quoted(cell) or any(sign in cell for sign in (self.style.delimiter, '"', "\n", "\r")):
            return '"' + cell.replace('"', '""') + '"'
        return cell

    def _is_quoted(self, cell: str) -> bool:
        """Whether a cell stands in quotes though it need not."""
        match self.style.quoting:
            case "all":
                return True
            case "text":
                return bool(cell) and not is_number(cell)
        return False


class _JsonlSink(_TextSink):
    """One object a line."""

    def write(self, values: Mapping[str, Any]) -> None:
        self.put(json_text(values) + "\n")


class _JsonSink(_TextSink):
    """One array, an object a line."""

    before = "[\n"

    def write(self, values: Mapping[str, Any]) -> None:
        self.put(self.before + json_text(values))
        self.before = ",\n"

    def finish(self) -> None:
        self.put("[]\n" if self.before == "[\n" else "\n]\n")


def _format(path: Path) -> Format:
    format_ = format_of(path)
    if format_ is None:
        suffix = path.suffix or "a name without a suffix"
        raise OutputPathError(f"{path}: cannot tell the format from {suffix!r}; choose one of {KNOWN}")
    if format_.name == "parquet":
        require_pyarrow(path)
    if format_.name == "xlsx":
        require_excel(path)
    return format_


@contextlib.contextmanager
def _name_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        again = "the same command again asks nothing that was answered"
        short = shortage(error)
        if short is not None:
            raise MachineError(f"{path}: {short}; {again}") from None
        raise OutputPathError(
            f"{path}: could not be written: {error.strerror or error}. Choose another --out: {again}"
        ) from None
