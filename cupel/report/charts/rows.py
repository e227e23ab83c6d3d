"""The rows of a tidy table as charts read them: columns by a short name, documents apart, values as texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cupel.errors import InputError
from cupel.report.charts.spec import words

MAX_LABELS = 12
DATE = re.compile(r"\d{4}-\d{2}(?:-\d{2})?(?=\Z|[T ])", re.ASCII)
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""What an SVG may not hold, and what would turn the words around it."""


def plain(value: Any, longest: int = 60) -> str:
    r"""A value as a label: one line, cut.

    >>> plain("We  must\nact"), plain(None), plain(True), plain("x" * 100, 5)
    ('We must act', '(none)', 'yes', 'xxxx…')
    """
    if is_nothing(value):
        return "(none)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = " ".join(_UNSEEN.sub(" ", str(value)).split()) or "(empty)"
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def shown(text: str) -> str:
    """A text with what no picture can hold replaced, sign by sign."""
    return _UNSEEN.sub("\u00b7", text)


def is_nothing(value: Any) -> bool:
    """Whether a cell is empty, in the words of whichever library."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value  # noqa: PLR0124 - NaN alone is not itself


@dataclass(slots=True)
class Rows:
    """A tidy table.

    Attributes:
        rows: One for each item, and one for a document without any.
        columns: Their columns, in order.
        text: The column with the texts.
    """

    rows: list[dict[str, Any]]
    columns: list[str]
    text: str
    _ids: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], text: str) -> Rows:
        """Read the rows; columns that hold objects are opened: `meta.group`."""
        flat = [dict(_flat(row)) for row in rows]
        columns = list(dict.fromkeys(name for row in flat for name in row))
        found = cls(flat, columns, text)
        found._ids = found._name()
        return found

    def _name(self) -> list[str]:
        """The document of each row: its id, or its text, which is the same in all of its rows."""
        column = next((name for name in self.columns if name.endswith("_doc_id")), None) or (
            "doc_id" if "doc_id" in self.columns else None
        )
        names, numbers = list[str](), dict[Any, str]()
        for row in self.rows:
            key = row.get(column) if column else row.get(self.text)
            starts = row.get("item_pointer") is None and column is None
            if starts or key not in numbers:
                numbers[key] = str(key) if column else str(len(numbers) + 1)
            names.append(numbers[key])
        return names

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        return zip(self._ids, self.rows, strict=True)

    @property
    def documents(self) -> list[str]:
        """Every document's name, in order."""
        return list(dict.fromkeys(self._ids))

    def of_document(self, wanted: str | int | None) -> tuple[str, list[dict[str, Any]]]:
        """The rows of one document: by its id, or its number from 1; the one with most items where None.

        Raises:
            InputError: If there is no such document.
        """
        names = self.documents
        if wanted is None:
            items = Counter(name for name, row in self if not is_nothing(row.get("item_pointer")))
            wanted = max(names, key=lambda name: items[name], default=None)
        elif wanted not in names and str(wanted).isdecimal() and 0 < int(wanted) <= len(names):
            wanted = names[int(wanted) - 1]
        if wanted is None or str(wanted) not in names:
            listed = ", ".join(plain(name, 40) for name in names[:5])
            raise InputError(
                f"no document {plain(wanted, 80)!r}: give an id (such as {listed}) or a number from 1 to {len(names)}"
            )
        return str(wanted), [row for name, row in self if name == str(wanted)]

    def column(self, wanted: str, option: str) -> str:
        """A column by its name, with or without `record_`, `item_` or the object it stands in.

        Raises:
            InputError: If there is none, or there are several.
        """
        named = [f"record_{wanted}", f"item_{wanted}"]
        for name in [*named, wanted] if option == "field" else [wanted, *named]:
            if name in self.columns:
                return name
        ends = [name for name in self.columns if name.endswith(f".{wanted}")]
        if len(ends) == 1:
            return ends[0]
        there = ", ".join(repr(name) for name in (ends or self.columns) if name != self.text)
        raise InputError(
            f"{option}={wanted!r}: {'several columns' if ends else 'no column'} of that name; take one of {there}"
        )

    def values(self, column: str) -> Iterator[tuple[str, Any]]:
        """The documents' names and values of a column: of an item's column each item's, of any other each document's once."""
        seen = set()
        for name, row in self:
            value = row.get(column)
            if column.startswith("item_"):
                if not is_nothing(row.get("item_pointer")) and not is_nothing(value):
                    yield name, value
            elif name not in seen:
                seen.add(name)
                if not is_nothing(value):
                    yield name, value

    def say(self, column: str) -> str:
        """A column as a title has it: items are called by their list."""
        lists = {
            str(row.get("item_list")).replace("_", " ")
            for row in self.rows
            if not is_nothing(row.get("item_list"))
        }
        return (
            " and ".join(sorted(plain(name) for name in lists))
            if column in ("item_text", "item_list")
            else words(column)
        )

    def labels(self, column: str) -> Counter[str]:
        """How often each value of a column is there."""
        return Counter(plain(value) for _, value in self.values(column))

    def are_labels(self, column: str) -> bool:
        """Whether a column has so few values that each can be a colour."""
        counts = self.labels(column)
        return 1 <= len(counts) <= MAX_LABELS and (len(counts) <= 4 or 2 * len(counts) <= counts.total())

    def default_field(self) -> str:
        """What is counted where nothing is named: the first label of the record, or of its items; else their lists."""
        named = [name for name in self.columns if name.startswith("record_") and not name.endswith("_count")]
        named += [name for name in self.columns if name.startswith("item_") and name not in _PLACE]
        of_text = [
            name
            for name in named
            if all(isinstance(value, str) for _, value in self.values(name)) and self.are_labels(name)
        ]
        # of two or three documents a free text has as few values as a label has; a label is a word or two
        brief = [
            name for name in of_text if all(len(label.split()) <= _LABEL_WORDS for label in self.labels(name))
        ]
        return next(iter([*brief, *of_text]), "item_list")

    def own(self) -> list[str]:
        """The documents' own columns."""
        lead = next((name.removesuffix("_doc_id") for name in self.columns if name.endswith("_doc_id")), None)
        ours = tuple(f"{lead}_{word}" for word in _OURS) if lead else ()
        return [
            name for name in self.columns
            if not name.startswith(("record_", "item_")) and name not in (*ours, self.text, "id", "doc_id")
        ]  # fmt: skip

    def dates(self) -> str | None:
        """The first own column whose values are dates."""
        for name in self.own():
            values = [str(value) for _, value in self.values(name)]
            if values and all(DATE.match(value) for value in values):
                return name
        return None


_LABEL_WORDS = 3
_PLACE = (
    "item_list",
    "item_pointer",
    "item_parent",
    "item_text",
    "item_start",
    "item_end",
    "item_match",
    "item_parts",
    "item_quote",
)
_OURS = ("status", "confidence", "model", "cost_usd", "reasons", "doc_id")


def _flat(row: Mapping[str, Any], lead: str = "", levels: int = 3) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping) and levels and not str(name).startswith(("item_", "record_")):
            yield from _flat(value, f"{lead}{name}.", levels - 1)
        else:
            yield f"{lead}{name}", value
