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

_QUOTED_WORDS = 24
_ENDS = 6
"""Words shown of either end of a longer quote; its middle is marked as left out."""

_REASON_WORDS = 40
_END_MARKS = ".!?…;:,"


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
        stays = [f"The rest was right and stays as it is: {self.kept}"] if self.kept else []
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
    return Mending(lines, _kept(right, items, record, schema) if lines else "", dropped)


class _Writer:
    """Words for what was found of a record's items."""

    def __init__(self, items: Sequence[Item], schema: Mapping[str, Any]) -> None:
        self.by_path = {item.path: item for item in items}
        self.by_number = {item.number: item for item in items}
        self.kinds = kinds_of(schema)

    def line(self, finding: FindingRecord) -> str:
        """One instruction."""
        item = self.by_path.get(finding["path"])
        if item is None:
            return self._missing(finding)
        what, field, should_be = _name(item), finding["field"], finding["should_be"]
        if field == EXTRA:
            return f"{what} is none of {item.name}: leave it out."
        if field == LIST:
            return f"{what} belongs into {should_be or 'another list'}, not into {item.name}."
        part = self.kinds.place(item, field)
        if part.mark("x-grounded"):
            return self._cut(item, should_be)
        if part.mark("x-refers-to"):
            named = self.by_number.get(should_be) if isinstance(should_be, int) else None
            return f"`{field}` of {what} is {_name(named) if named else 'not what it was; see what it names, if anything'}."
        return self._value(item, field, finding)

    def _missing(self, finding: FindingRecord) -> str:
        name = finding["path"].strip("/")
        label = f"{finding['should_be']}, as in " if finding["should_be"] is not None else ""
        return f"Add to {name}: {label}{_words(finding['evidence_quote'] or '')}."

    def _cut(self, item: Item, should_be: Any) -> str:
        what = _name(item)
        # of a long quote only the ends are shown, and they would look the same
        if should_be and should_be == item.quote.rstrip(_END_MARKS):
            return f"Quote {what} without the mark at its end."
        if should_be:
            return f"Instead of {what} quote {_words(str(should_be))}."
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
    return _words(item.quote) if item.quote else f"“{item.value}”" if item.is_entry else f"`{item.name}`"


def _words(quote: str) -> str:
    words = quote.split()
    if len(words) > _QUOTED_WORDS:
        words = [*words[:_ENDS], "…", *words[-_ENDS:]]
    return f"“{' '.join(words)}”"


def _kept(
    paths: Sequence[str], items: Sequence[Item], record: Mapping[str, Any], schema: Mapping[str, Any]
) -> str:
    """What was right, as JSON by list or field; entries without ids and references, which the next record has its own of."""
    shown: dict[str, Any] = {}
    by_path = {item.path: item for item in items}
    for item in (by_path[path] for path in paths if path in by_path):
        holder, key = holder_of(dict(record), item.path)
        value = _bare(holder[key], item, schema)
        if forbidden(compact(value)) is not None:
            continue
        if item.is_entry:
            shown.setdefault(item.name, []).append(value)
        else:
            shown[item.name] = value
    told = compact(shown)
    return told if shown and len(told) <= MOST_KEPT else ""


def _bare(value: Any, item: Item, schema: Mapping[str, Any]) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {name: part for name, part in value.items() if name not in set(_linking(item, schema))}


def _linking(item: Item, schema: Mapping[str, Any]) -> Iterator[str]:
    for name, place in kinds_of(schema).place(item).fields.items():
        if place.mark("x-id") or place.mark("x-refers-to"):
            yield name
