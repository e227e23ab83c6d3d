"""From judged items to instructions for one document: code writes them, word for word what was found and no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cupel.judging import EXTRA, LIST, Item, kinds_of
from cupel.state import FindingRecord
from cupel.task import compact, holder_of
from cupel.text import forbidden

MOST_LINES = 40
"""Of a record that is wrong throughout the first are told; the next round tells the rest."""

MOST_KEPT = 6_000
"""Characters of what was right that a prompt is shown again."""

_QUOTED_WORDS = 80
_ENDS = 8
"""Words shown of either end of a longer quote. What is to be copied has to be there: a middle left out is copied as left out."""

_REASON_WORDS = 40
_END_MARKS = ".!?…;:,"
_LEAST_REST = 3
"""Words that are left of a quote when it is cut, from which they may be a statement of their own."""


@dataclass(frozen=True, slots=True)
class Mending:
    """Instructions written by code: each with the kind of fault it answers, and what may not enter a prompt."""

    lines: Sequence[tuple[str, str]]
    """Kind of fault and instruction."""

    kept: str
    """What was right, to stay as it is; empty where nothing was."""

    dropped: Sequence[str]

    @property
    def told(self) -> list[str]:
        """The instructions as a prompt has them, what stays last."""
        stays = (
            [f"The rest was right and stays as it is; what is new takes ids not used in it: {self.kept}"]
            if self.kept
            else []
        )
        return [*(line for _, line in self.lines), *stays]

    @property
    def answered(self) -> list[str]:
        """What each of them answers."""
        return [*(kind for kind, _ in self.lines), *(["kept"] if self.kept else [])]


def write_mending(
    findings: Sequence[FindingRecord],
    items: Sequence[Item],
    record: Mapping[str, Any],
    schema: Mapping[str, Any],
) -> Mending:
    """What is to be dropped, corrected and added, an instruction each, and what is to stay.

    A quote of the document in them is the document's own, and goes to a model that reads it there; what a judge worded is
    told only of texts, where nothing else says what is wrong. Neither may hold what no text from elsewhere may.

    Args:
        findings: The judge's on items and on what is missing; those without a path are criteria, and not looked at.
        items: The record's.
        record: The record.
        schema: The task's.
    """
    writer, lines, dropped = _Writer(items, schema), list[tuple[str, str]](), list[str]()
    failed = [one for one in findings if one["finding"] == "fail" and "path" in one]
    for finding in failed:
        line = writer.line(finding)
        if (fault := forbidden(line)) is not None:
            dropped.append(f"{finding['criterion']}: contains {fault}")
        elif len(lines) == MOST_LINES:
            dropped.append(f"{finding['criterion']}: one more than {MOST_LINES}")
        else:
            lines.append((finding["criterion"], line))
    right = [one["path"] for one in findings if one["finding"] == "pass" and "path" in one]
    return Mending(lines, _kept(right, failed, items, record, schema) if lines else "", dropped)


class _Writer:
    """Words for what was found of a record's items."""

    def __init__(self, items: Sequence[Item], schema: Mapping[str, Any]) -> None:
        self.by_path = {item.path: item for item in items}
        self.by_number = {item.number: item for item in items}
        self.kinds = kinds_of(schema)
        self.schema = schema

    def line(self, finding: FindingRecord) -> str:
        """One instruction."""
        item = self.by_path.get(finding["path"])
        if item is None:
            return self._missing(finding)
        what, field, should_be = _name(item), finding["field"], finding["should_be"]
        if field == EXTRA:
            return f"{what} is not one of {item.name}: leave it out."
        if field == LIST:
            return f"{what} belongs into {should_be or 'another list'}, not into {item.name}."
        part = self.kinds.place(item, field)
        if part.mark("x-grounded"):
            return self._cut(item, should_be)
        if part.mark("x-refers-to"):
            return self._reference(item, field, should_be)
        return self._value(item, field, finding)

    def _reference(self, item: Item, field: str, should_be: Any) -> str:
        named = self.by_number.get(should_be) if isinstance(should_be, int) else None
        if named is not None:
            return f"`{field}` of {_name(item)} is {self._id(named)}."
        return f"`{field}` of {_name(item)} is wrong as {compact(item.part(field))}: choose anew, or null where none fits."

    def _id(self, item: Item) -> str:
        """An item as a reference names it: by its id, where it has one."""
        given = next((item.part(name) for name in _linking(item, self.schema, "x-id")), None)
        return _name(item) if given is None else f"{compact(given)}, {_name(item)}"

    def _missing(self, finding: FindingRecord) -> str:
        name = finding["path"].strip("/")
        label = f"{finding['should_be']}, as in " if finding["should_be"] is not None else ""
        return f"Add to {name}: {label}{_words(finding['evidence_quote'] or '')}."

    def _cut(self, item: Item, should_be: Any) -> str:
        what = _words(item.quote) if item.quote else _name(item)
        # of a long quote only the ends are shown, and they would look the same
        if should_be and should_be == item.quote.rstrip(_END_MARKS):
            return f"Quote {what} without the mark at its end."
        if should_be:
            rest = _rest(item.quote, str(should_be))
            # a judge has one place for what is right, and a quote of two statements has two
            apart = (
                f" The rest of it, {_words(rest)}, is one of its own, or is left out: decide." if rest else ""
            )
            return f"Instead of {what} quote {_words(str(should_be))}.{apart}"
        return f"{what} is not one whole: see where it begins and ends."

    def _value(self, item: Item, field: str, finding: FindingRecord) -> str:
        where = f"`{field}` of {_name(item)}" if item.is_entry else f"`{field}`"
        value = item.part(field)
        if not self.kinds.place(item, field).is_choice and isinstance(value, str):
            reason = finding["reasoning"].split()
            return f"{where} was wrong: {' '.join(reason[:_REASON_WORDS])}"
        if finding["should_be"] is None:
            return f"{where} is not {value}: look again."
        return f"{where} is {finding['should_be']}, not {value}."


def _name(item: Item) -> str:
    if item.quote:
        return _words(item.quote.removesuffix("."))  # as it should be quoted: a name is copied too
    return f"“{item.value}”" if item.is_entry else f"`{item.name}`"


def _words(quote: str) -> str:
    words = quote.split()
    if len(words) > _QUOTED_WORDS:
        return f"the passage from “{' '.join(words[:_ENDS])}” to “{' '.join(words[-_ENDS:])}”"
    return f"“{' '.join(words)}”"


def _rest(quote: str, part: str) -> str:
    """What a quote says beside a part of it; empty where that is next to nothing, or stands on both sides.

    >>> _rest("It is late, and they know it.", "It is late")
    'and they know it.'
    """
    before, found, after = quote.partition(part)
    sides = [side.strip(f"{_END_MARKS} ") for side in (before, after)] if found else []
    rest = "".join(sides) if "" in sides else ""
    if len(rest.split()) < _LEAST_REST:
        return ""
    return (before or after).strip(" ,;:") if rest else ""


def _kept(
    paths: Sequence[str],
    findings: Sequence[FindingRecord],
    items: Sequence[Item],
    record: Mapping[str, Any],
    schema: Mapping[str, Any],
) -> str:
    """What was right, as JSON by list or field, ids and all; without a reference to what goes, or goes elsewhere."""
    shown: dict[str, Any] = {}
    by_path = {item.path: item for item in items}
    going = {one["path"] for one in findings if one.get("field") in (EXTRA, LIST)}
    gone = [
        (item.name, item.part(name))
        for item in (by_path[path] for path in going if path in by_path)
        for name in _linking(item, schema, "x-id")
    ]
    for item in (by_path[path] for path in paths if path in by_path):
        holder, key = holder_of(dict(record), item.path)
        value = _without(holder[key], item, schema, gone)
        if forbidden(compact(value)) is not None:
            continue
        if item.is_entry:
            shown.setdefault(item.name, []).append(value)
        else:
            shown[item.name] = value
    told = compact(shown)
    return told if shown and len(told) <= MOST_KEPT else ""


def _without(value: Any, item: Item, schema: Mapping[str, Any], gone: Sequence[tuple[str, Any]]) -> Any:
    """An entry without references to entries that are gone."""
    if not isinstance(value, Mapping) or not gone:
        return value
    ids = [given for _, given in gone]
    refers = set(_linking(item, schema, "x-refers-to"))
    return {name: part for name, part in value.items() if name not in refers or part not in ids}


def _linking(item: Item, schema: Mapping[str, Any], mark: str) -> Iterator[str]:
    for name, place in kinds_of(schema).place(item).fields.items():
        if place.mark(mark):
            yield name
