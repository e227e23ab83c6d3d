"""One document's text with the words of its items marked in it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from cupel.errors import InputError
from cupel.report.charts.rows import Rows, is_nothing, plain, shown
from cupel.report.charts.spec import COLOURS, Drawing, at_pixel, in_layers

_WIDTH = 92
"""Signs in a line."""

_SIGN, _LINE = 7.8, 24.0
"""Pixels of a sign at 13, and of a line."""

MAX_CHARS = 12_000
"""Of a text; a picture of more is not looked at."""


class _Word(NamedTuple):
    start: int
    end: int
    line: int
    column: int


def evidence(rows: Rows, doc: str | int | None) -> Drawing:
    """The text of one document, the words of its items marked in the colour of their list.

    Raises:
        InputError: If there is no such document, or no column with its text.
    """
    name, of_document = rows.of_document(doc)
    text = of_document[0].get(rows.text)
    if not isinstance(text, str):
        raise InputError(
            f"no text of {plain(name, 60)!r} in column {rows.text!r}: name the column with text="
        )
    cut = len(text) > MAX_CHARS
    text = text[:MAX_CHARS]
    places = list(_words(text))
    figures, marks, lists = [], [], list[str]()
    for row in of_document:
        if is_nothing(row.get("item_pointer")) or is_nothing(row.get("item_start")):
            continue
        of = plain(str(row["item_list"]).replace("_", " "))
        lists += [of] if of not in lists else []
        parts = row.get("item_parts")
        parts = json.loads(parts) if isinstance(parts, str) and parts else parts
        spans = [(int(row["item_start"]), int(row["item_end"]))]
        if isinstance(parts, Iterable) and not isinstance(parts, str):
            spans = [(int(start), int(end)) for start, end in parts]
        figures.append({
            "list": of, "start": spans[0][0], "end": spans[-1][1], "match": row.get("item_match"), "text": plain(row.get("item_text"), 200),
        })  # fmt: skip
        for start, end in spans:
            marks += [{**box, "list": of} for box in _boxes(text, places, start, end)]
    # items of two lists may stand in the same words: the later list is a line below them, not a second colour over the first
    for box in marks:
        number = lists.index(box["list"])
        box["y"] += 3 if number == 0 else 19 + 2.5 * (number - 1)
        box["y2"] = box["y"] + (17 if number == 0 else 2)
    words = [
        {"x": word.column * _SIGN, "y": word.line * _LINE + 16, "label": shown(text[word.start : word.end])}
        for word in places
    ]
    height = (places[-1].line + 1) * _LINE + 6 if places else _LINE
    # a light shade: the words are read through it
    colours = {"field": "list", "type": "nominal", "title": None, "sort": lists, "legend": {"orient": "top"},
               "scale": {"domain": lists, "range": ["#f3d3bd", *COLOURS[1:]]}}  # fmt: skip
    box = {"x": at_pixel("x"), "y": at_pixel("y"), "x2": {"field": "x2"}, "y2": {"field": "y2"}}
    spec = in_layers(_WIDTH * _SIGN, height, [
        {"data": {"values": marks}, "mark": {"type": "rect"}, "encoding": {**box, "color": colours}},
        {
            "data": {"values": words},
            "mark": {"type": "text", "align": "left", "baseline": "alphabetic", "fontSize": 13, "font": "DejaVu Sans Mono, Menlo, Consolas, monospace"},
            "encoding": {"x": at_pixel("x"), "y": at_pixel("y"), "text": {"field": "label"}},
        },
    ])  # fmt: skip
    return Drawing(f"Marked in {plain(name, 60)}{' (its beginning)' if cut else ''}", figures, spec)


def _words(text: str) -> Iterator[_Word]:
    """Every word with its line and column; one longer than a line is cut."""
    line = column = 0
    start = 0
    while start < len(text):
        if text[start].isspace():
            if text[start] == "\n":
                line, column = line + (column > 0), 0
            elif column:
                column += 1
            start += 1
            continue
        end = start
        while end < len(text) and not text[end].isspace() and _width(text[start : end + 1]) <= _WIDTH:
            end += 1
        end = max(end, start + 1)
        width = _width(text[start:end])
        if column + width > _WIDTH:
            line, column = line + 1, 0
        yield _Word(start, end, line, column)
        column += width
        start = end


def _width(text: str) -> int:
    """How many places a text takes: wide signs take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def _boxes(text: str, words: Sequence[_Word], start: int, end: int) -> Iterator[dict[str, Any]]:
    """A mark for each line that a span takes."""
    of_line: dict[int, list[int]] = {}
    for word in words:
        low, high = max(word.start, start), min(word.end, end)
        if low < high:
            left = word.column + _width(text[word.start : low])
            ends = of_line.setdefault(word.line, [left, 0])
            ends[1] = left + _width(text[low:high])
    for line, (first, last) in of_line.items():
        yield {"x": first * _SIGN, "x2": last * _SIGN, "y": line * _LINE}
