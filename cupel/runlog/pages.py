"""The rows of an SQLite file read off its pages, where SQLite itself finds its way no more.

A table's rows lie in leaf pages, each with a list of where its cells begin; a long row goes on in a chain of overflow
pages. That is all that has to be whole: neither header, nor schema, nor the tree above. https://www.sqlite.org/fileformat2.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

HEADER_BYTES = 100
DEFAULT_PAGE_BYTES = 4096
_LEAF = 0x0D
_MAGIC = b"SQLite format 3\x00"
_LONGEST_ROW = 64 * 1024**2

Value = int | float | bytes | None
_WIDTHS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Bytes of an integer, by its serial type."""


class _Varint(NamedTuple):
    value: int
    end: int


def mend_header(data: bytes) -> bytes:
    """The file with a first page that SQLite accepts, as far as it tells what kind of file it is."""
    fixed = _MAGIC + struct.pack(">HBBBBBB", DEFAULT_PAGE_BYTES, 1, 1, 0, 64, 32, 32)
    rest = bytearray(data[len(fixed) : HEADER_BYTES])
    rest[28 - len(fixed) : 32 - len(fixed)] = struct.pack(">I", len(data) // DEFAULT_PAGE_BYTES)
    rest[44 - len(fixed) : 48 - len(fixed)] = struct.pack(">I", 4)
    rest[56 - len(fixed) : 60 - len(fixed)] = struct.pack(">I", 1)  # UTF-8
    return fixed + bytes(rest) + data[HEADER_BYTES:]


def leaf_rows(data: bytes) -> Iterator[list[Value]]:
    """Every row on every leaf page, whatever table it is of; a cell that makes no sense is passed over."""
    size = _page_bytes(data)
    for start in range(0, len(data), size):
        page = data[start : start + size]
        header = HEADER_BYTES if start == 0 else 0
        if len(page) < header + 8 or page[header] != _LEAF:
            continue
        count = int.from_bytes(page[header + 3 : header + 5])
        for number in range(count):
            at = header + 8 + 2 * number
            cell = int.from_bytes(page[at : at + 2])
            try:
                row = _row(data, page, cell, size)
            except (IndexError, ValueError, struct.error):
                continue
            yield row


def _page_bytes(data: bytes) -> int:
    size = int.from_bytes(data[16:18])
    size = 65536 if size == 1 else size
    sane = data.startswith(_MAGIC) and 512 <= size <= 65536 and size & (size - 1) == 0
    return size if sane else DEFAULT_PAGE_BYTES


def _row(data: bytes, page: bytes, at: int, size: int) -> list[Value]:
    length, at = _varint(page, at)
    _, at = _varint(page, at)  # the rowid
    if not 0 < length <= min(_LONGEST_ROW, len(data)):
        raise ValueError(length)
    return list(_values(_payload(data, page, at, length, size)))


def _payload(data: bytes, page: bytes, at: int, length: int, size: int) -> bytes:
    # how much of a row stays on its leaf is a formula of the file format
    most = size - 35
    if length <= most:
        return page[at : at + length]
    least = (size - 12) * 32 // 255 - 23
    kept = least + (length - least) % (size - 4)
    kept = kept if kept <= most else least
    parts, left = [page[at : at + kept]], length - kept
    following = int.from_bytes(page[at + kept : at + kept + 4])
    while left > 0:
        start = (following - 1) * size
        if following < 1 or start + size > len(data):
            raise ValueError(following)
        following = int.from_bytes(data[start : start + 4])
        parts.append(data[start + 4 : start + 4 + min(left, size - 4)])
        left -= size - 4
    return b"".join(parts)


def _values(payload: bytes) -> Iterator[Value]:
    header, at = _varint(payload, 0)
    body, types = header, []
    while at < header:
        kind, at = _varint(payload, at)
        types.append(kind)
    for kind in types:
        width = _WIDTHS.get(kind, 8 if kind == 7 else (kind - 12) // 2 if kind >= 12 else 0)
        piece = payload[body : body + width]
        if len(piece) != width:
            raise ValueError(kind)
        body += width
        yield _value(kind, piece)


def _value(kind: int, piece: bytes) -> Value:
    if kind == 0:
        return None
    if kind in (8, 9):
        return kind - 8
    if kind == 7:
        return float(struct.unpack(">d", piece)[0])
    return piece if kind >= 12 else int.from_bytes(piece, signed=True)


def _varint(data: bytes, at: int) -> _Varint:
    value = 0
    for number in range(9):
        byte = data[at + number]
        if number == 8:
            return _Varint(value << 8 | byte, at + 9)
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return _Varint(value, at + number + 1)
    raise ValueError(at)
