"""Text files as decoded lines and JSON objects, with the place of every fault."""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn, cast

from cupel.errors import InputError, MachineError, shortage
from cupel.files import require_regular
from cupel.tables.cells import is_storable, storable

_CHUNK = 1 << 20
_HEAD = 1 << 16
_LONGEST_VALUE = 64 << 20
"""An unfinished JSON value longer than this is a fault, not a long document."""

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Located(NamedTuple):
    """A JSON object and the line it begins on, counted from 1."""

    line: int
    value: dict[str, Any]


@contextmanager
def open_text(path: Path, *, gzipped: bool) -> Iterator[IO[bytes]]:
    """Open a file for reading; every fault of the file system becomes an `InputError`."""
    try:
        require_regular(path)
        with gzip.open(path) if gzipped else path.open("rb") as file:
            yield cast("IO[bytes]", file)
    except FileNotFoundError:
        msg = f"{path}: no such file"
        raise InputError(msg) from None
    except IsADirectoryError:
        msg = f"{path}: is a folder; name a file in it"
        raise InputError(msg) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"{path}: damaged gzip file ({error}); compress it again, or pass the plain file"
        raise InputError(msg) from None
    except OSError as error:
        if (short := shortage(error)) is not None:
            raise MachineError(f"{path}: {short}") from None
        msg = f"{path}: cannot be read: {error.strerror or error}"
        raise InputError(msg) from None


def decode_lines(path: Path, *, gzipped: bool = False) -> Iterator[str]:
    r"""Yield the lines of a UTF-8 file, line ends kept, without a byte order mark.

    Lines end at `\n` only: a cell may hold a `\r` of its own.
    """
    offset = 0
    with open_text(path, gzipped=gzipped) as file:
        for number, raw in enumerate(file, start=1):
            line = _without_mark(path, raw) if number == 1 else raw
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError as error:
                place = offset + len(raw) - len(line) + error.start
                raise _not_utf8(path, raw=error.object, at=error.start, offset=place, line=number) from None
            offset += len(raw)


def json_lines(path: Path, *, gzipped: bool = False) -> Iterator[Located]:
    """Yield the object of every line of a JSONL file; blank lines are passed over."""
    for number, line in enumerate(decode_lines(path, gzipped=gzipped), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, strict=False)
        except json.JSONDecodeError as error:
            raise _broken(path, number, error.pos + 1, error.msg, line[error.pos :]) from None
        except (ValueError, RecursionError) as error:
            raise _broken(path, number, 1, str(error), line) from None
        yield Located(number, _object(path, number, value))


def json_objects(path: Path, *, gzipped: bool = False) -> Iterator[Located]:
    """Yield the objects of a JSON file: an array of them, or one after another.

    Only the object being read is held in memory.
    """
    scanner = _JsonScanner(path, decode_chunks(path, gzipped=gzipped))
    first = scanner.peek()
    if not first:
        return
    if first != "[":
        while scanner.peek():
            yield scanner.value()
        return
    scanner.skip("[", "an array")
    if scanner.peek() != "]":
        yield scanner.value()
        while scanner.peek() == ",":
            scanner.skip(",", "a comma")
            yield scanner.value()
    scanner.skip("]", "`,` or `]` after an object")
    if scanner.peek():
        scanner.fail("more text after the array")


def decode_chunks(path: Path, *, gzipped: bool) -> Iterator[str]:
    """Yield a UTF-8 file about a megabyte at a time, wherever its lines end, without a byte order mark."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, line = 0, 1
    with open_text(path, gzipped=gzipped) as file:
        while raw := file.read(_CHUNK):
            pending = decoder.getstate()[0]
            fresh = _without_mark(path, raw) if offset == 0 else raw
            yield _decode(
                path, decoder, fresh, start=offset + len(raw) - len(fresh) - len(pending), line=line
            )
            offset += len(raw)
            line += raw.count(b"\n")
        _decode(path, decoder, b"", start=offset - len(decoder.getstate()[0]), line=line, final=True)


def _decode(
    path: Path, decoder: codecs.IncrementalDecoder, raw: bytes, *, start: int, line: int, final: bool = False
) -> str:
    try:
        return decoder.decode(raw, final)
    except UnicodeDecodeError as error:
        line += error.object.count(b"\n", 0, error.start)
        raise _not_utf8(
            path, raw=error.object, at=error.start, offset=start + error.start, line=line
        ) from None


@dataclass(slots=True)
class _JsonScanner:
    """Reads values off a stream of text, and knows on which line it is."""

    path: Path
    chunks: Iterator[str]
    buffer: str = ""
    index: int = 0
    line: int = 1
    counted: int = 0
    """Up to where in the buffer line ends are in `line` already."""

    def peek(self) -> str:
        """Return the next character that is not white space, `""` at the end."""
        while True:
            if found := _VISIBLE.search(self.buffer, self.index):
                self.index = found.start()
                return found.group()
            self.index = len(self.buffer)
            if not self.fill():
                return ""

    def skip(self, expected: str, description: str) -> None:
        if self.peek() != expected:
            self.fail(f"expected {description}")
        self.index += 1

    def value(self) -> Located:
        """Read one object."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.buffer, self.index)
            except json.JSONDecodeError as error:
                if not self._may_go_on(error) or not self.fill():
                    self.index = min(error.pos, len(self.buffer))
                    self.fail(error.msg)
            except (ValueError, RecursionError) as error:
                self.fail(str(error))
            else:
                line = self._count_lines()
                self.index = end
                return Located(line, _object(self.path, line, value))

    def fill(self) -> bool:
        """Read on, and forget what was used; False at the end of the file."""
        chunk = next(self.chunks, None)
        if chunk is None:
            return False
        self._count_lines()
        self.buffer = self.buffer[self.index :] + chunk
        self.index = self.counted = 0
        return True

    def fail(self, problem: str) -> NoReturn:
        line = self._count_lines()
        column = self.index - self.buffer.rfind("\n", 0, self.index)
        raise _broken(self.path, line, column, problem, self.buffer[self.index :])

    def _count_lines(self) -> int:
        self.line += self.buffer.count("\n", self.counted, self.index)
        self.counted = self.index
        return self.line

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        """Whether the fault may only be that the value is not read to its end yet."""
        at_end = error.pos >= len(self.buffer) - 16 or error.msg.startswith("Unterminated string")
        return at_end and len(self.buffer) - self.index < _LONGEST_VALUE


_VISIBLE = re.compile(r"\S")
_DECODER = json.JSONDecoder(strict=False)


def _object(path: Path, line: int, value: object) -> dict[str, Any]:
    if isinstance(value, dict):
        # a column is named in every format, and none but JSON can say half a character
        return (
            value if is_storable("".join(value)) else {storable(name): cell for name, cell in value.items()}
        )
    kind = {list: "an array", str: "a string", type(None): "null", bool: "a boolean"}.get(
        type(value), "a number"
    )
    msg = f'{path}: line {line} holds {kind}; every row must be an object such as {{"id": "1", "text": "…"}}'
    raise InputError(msg)


class Head(NamedTuple):
    """The beginning of a text file."""

    has_mark: bool
    """Whether it begins with the byte order mark of UTF-8."""

    lines: list[str]
    """Its first lines, whole and with their ends."""


def head_of(path: Path, *, gzipped: bool = False) -> Head:
    """The first lines of a file, as far as 64 kB reach; what is no UTF-8 in them is left out."""
    with open_text(path, gzipped=gzipped) as file:
        raw = file.read(_HEAD)
    lines = raw.removeprefix(codecs.BOM_UTF8).decode("utf-8", "ignore").split("\n")
    return Head(
        raw.startswith(codecs.BOM_UTF8), [f"{line}\n" for line in lines[: -1 if len(raw) == _HEAD else None]]
    )


def _without_mark(path: Path, first: bytes) -> bytes:
    if first.startswith(_UTF16):
        msg = f"{path}: is UTF-16, not UTF-8; save it as UTF-8, for example: iconv -f UTF-16 -t UTF-8 {path}"
        raise InputError(msg)
    return first.removeprefix(codecs.BOM_UTF8)


def _not_utf8(path: Path, *, raw: bytes, at: int, offset: int, line: int) -> InputError:
    near = raw[max(0, at - 20) : at + 20].decode("cp1252", "replace")
    return InputError(
        f"{path}: not UTF-8 at byte {offset} (line {line}): byte 0x{raw[at]:02x} near {near!r}. Save it as UTF-8; "
        f"if it reads well as Windows-1252: iconv -f WINDOWS-1252 -t UTF-8 {path} > utf8{path.suffix}"
    )


def _broken(path: Path, line: int, column: int, problem: str, rest: str) -> InputError:
    return InputError(f"{path}: line {line}, column {column}: not valid JSON: {problem}, at {rest[:40]!r}")
