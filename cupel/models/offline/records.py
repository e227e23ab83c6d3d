"""The record: every place of a schema filled from one document."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cupel.models.offline.examples import Teaching
from cupel.models.offline.names import Name, label_kinds, names
from cupel.models.offline.polarity import furthest, leaning_label, leanings, poles
from cupel.models.offline.schema import MAX_DEPTH, is_quote_name, kind_of, labels_of, within
from cupel.models.offline.sentences import Unit, sentence_spans, units
from cupel.models.offline.similarity import Nearness, content_words
from cupel.task import Field, field_of

KEY_SENTENCES = 5
"""Items of a list that no label definition fills, such as key points."""
EVIDENCE_SENTENCES = 3

_REFERENCES = ("supports", "attacks", "refers_to", "claim", "claim_id", "parent", "parent_id", "head", "tail")
_SECOND = frozenset(("tail",))
"""References of which an item has two: they are not the same one."""

_NOT_A_TOPIC = frozenset(("topic", "target", "towards"))


@dataclass
class Filler:
    """Fills one schema from one document. Make a new one for each."""

    teaching: Teaching
    schema: Mapping[str, Any]
    document: str
    topic: str = ""
    """What the user message says before the document."""

    _pole: int | None = field(default=None, init=False)
    """Of the first leaning label given at the top."""
    _placed: list[tuple[int, int]] = field(default_factory=list, init=False)
    """Position in the document and id of every item with an id."""

    def __post_init__(self) -> None:
        self._spans = sentence_spans(self.document)
        self._sentences = units(self.document, self._spans, clauses=False)
        self._nearness = Nearness(self.teaching, self._sentences)

    def record(self) -> dict[str, Any]:
        """The record, made in an order that lets later fields lean on earlier ones."""
        places = field_of(self.schema).fields
        shared = self._share_out([name for name, place in places.items() if kind_of(place) == "array"])
        values = {
            name: self._top(places[name], name, shared)
            for name in sorted(places, key=lambda n: self._turn(places[n]))
        }
        return {name: values[name] for name in places}

    def _turn(self, place: Field) -> int:
        """Labels first, then lists with ids, then what may refer to them."""
        if place.is_choice:
            return 0
        return 1 if "id" in place.item().fields else 2

    def _top(self, place: Field, name: str, shared: Mapping[str, list[Unit]]) -> Any:
        if place.is_choice:
            return self._top_label(place, name)
        if kind_of(place) != "array":
            return self._value(place, name, self._telling)
        item = place.item()
        kinds = self._kinds(item, name)
        if kinds:
            wanted = [each for each in self._names if _wants(each, name, kinds)]
            items = [self._of_name(item, each, kinds, number) for number, each in enumerate(wanted, 1)]
        elif len(self._placed) < 2 and _needs_two(item):
            items = []
        else:
            chosen = shared[name] if name in shared else self._units_for(item)
            items = [self._item(item, name, unit, number) for number, unit in enumerate(chosen, 1)]
        return within(place, items, spare=lambda: self._value(item, name, []))

    @functools.cached_property
    def _clauses(self) -> list[Unit]:
        return units(self.document, self._spans, clauses=True)

    # which sentences go where

    def _share_out(self, lists: Sequence[str]) -> dict[str, list[Unit]]:
        """Clauses shared out among the lists the prompt defines, such as claims and premises."""
        shares: dict[str, list[Unit]] = {name: [] for name in lists if self.teaching.defines(name)}
        for unit in self._clauses if shares else ():
            name, score = self._nearness.nearest(unit, "", list(shares))
            if unit.asserts and score > 0:
                shares[name].append(unit)
        return shares

    def _units_for(self, item: Field) -> list[Unit]:
        """Sentences for a list the prompt does not define."""
        if any(map(labels_of, item.fields.values())):
            return [unit for unit in self._clauses if unit.asserts]
        if self._pole is not None:
            return furthest(self._on_topic, self._pole, EVIDENCE_SENTENCES)
        return sorted(self._nearness.most_telling(KEY_SENTENCES), key=lambda unit: unit.start)

    @functools.cached_property
    def _telling(self) -> list[Unit]:
        """Sentences for a field that stands alone: evidence where a label was given, else the most telling."""
        if self._pole is not None:
            return furthest(self._on_topic, self._pole, EVIDENCE_SENTENCES)
        return self._nearness.most_telling(EVIDENCE_SENTENCES)

    @functools.cached_property
    def _on_topic(self) -> list[tuple[float, Unit]]:
        """How the statements lean; where a topic is given, those with a word of it."""
        topic = content_words(self.topic) - _NOT_A_TOPIC
        statements = [unit for unit in self._sentences if unit.asserts]
        return leanings([unit for unit in statements if not topic or topic & content_words(unit.text)])

    @functools.cached_property
    def _names(self) -> list[Name]:
        return names(self.document, self._spans)

    def _kinds(self, item: Field, name: str) -> dict[str, str]:
        """Labels of kinds of names, where a list is one of names: by its items' labels or its own name."""
        for place in item.fields.values():
            kinds = label_kinds(labels_of(place))
            if len(kinds) > 1:
                return kinds
        return {} if labels_of(item) else label_kinds([name])

    # one value

    def _top_label(self, place: Field, name: str) -> Any:
        sides = poles(labels_of(place))
        if sides is None:
            return self._label(place, name, self._sentences)
        label = leaning_label(self._on_topic, sides)
        self._pole = sides[label] if self._pole is None else self._pole
        return label

    def _label(self, place: Field, name: str, source: Sequence[Unit]) -> Any:
        labels, null = labels_of(place), None in place.labels
        if not labels:
            return None if null else place.labels[0]
        sides = poles(labels)
        if sides is not None:
            return leaning_label(leanings(source), sides)
        whole = Unit(0, " ".join(unit.text for unit in source), "", asserts=True)
        label, score = self._nearness.nearest(whole, name, labels)
        return None if null and score <= 0 else label

    def _of_name(self, item: Field, name: Name, kinds: Mapping[str, str], number: int) -> Any:
        label = kinds.get(name.kind) or kinds.get("MISC") or next(iter(kinds.values()))
        return self._item(item, "", Unit(name.start, name.text, "", asserts=True), number, label=label)

    def _item(self, place: Field, name: str, unit: Unit, number: int, *, label: str = "") -> Any:
        value = self._value(place, name, [unit], label=label, number=number)
        if isinstance(value, dict) and isinstance(value.get("id"), int):
            self._placed.append((unit.start, value["id"]))
        return value

    def _value(
        self,
        place: Field,
        name: str,
        source: Sequence[Unit],
        depth: int = 0,
        *,
        label: str = "",
        number: int = 0,
    ) -> Any:
        if place.is_choice:
            return label if label in place.labels else self._label(place, name, source)
        if depth >= MAX_DEPTH and place.is_nullable:
            return None
        if kind_of(place) == "object":
            return {
                key: self._value(child, key, source, depth + 1, label=label, number=number)
                for key, child in place.fields.items()
            }
        if kind_of(place) == "array":
            return self._inner_list(place, name, source, depth)
        return self._scalar(place, name, source, number)

    def _inner_list(self, place: Field, name: str, source: Sequence[Unit], depth: int) -> list[Any]:
        item = place.item()
        quotes = kind_of(item) == "string" and not item.is_choice and is_quote_name(name)
        items = [self._value(item, name, [unit], depth + 1) for unit in (source if quotes else ())]
        return within(place, items, spare=lambda: self._value(item, name, source, depth + 1))

    def _scalar(self, place: Field, name: str, source: Sequence[Unit], number: int) -> Any:
        kind = kind_of(place)
        if kind in ("integer", "number"):
            return self._number(place, name, source, number)
        if kind == "boolean":
            return None if place.is_nullable else False
        if kind == "null" or (place.is_nullable and not is_quote_name(name)):
            return None
        return source[0].text if source else None if place.is_nullable else ""

    def _number(self, place: Field, name: str, source: Sequence[Unit], number: int) -> Any:
        if name == "id" and number:
            return number
        if name in _REFERENCES and (place.is_nullable or self._placed):
            return self._nearest_id(source, second=name in _SECOND)
        if place.is_nullable:
            return None
        stated = re.search(r"\d+", source[0].text) if source else None
        least, most = place.bounds
        value = max(int(stated[0]) if stated else 0, 0 if least is None else least)
        return value if most is None else min(value, most)

    def _nearest_id(self, source: Sequence[Unit], *, second: bool = False) -> int | None:
        """The id of the item that stands nearest in the document, or next to nearest."""
        if not self._placed or not source:
            return None
        nearest = sorted(self._placed, key=lambda place: abs(place[0] - source[0].start))
        return nearest[min(int(second), len(nearest) - 1)][1]


def _needs_two(item: Field) -> bool:
    """Whether an item of a list cannot do without two others that it refers to."""
    return sum(name in _REFERENCES and not place.is_nullable for name, place in item.fields.items()) > 1


def _wants(name: Name, field_name: str, kinds: Mapping[str, str]) -> bool:
    """A list called `people` takes people only; a list of all kinds takes every name."""
    return field_name not in kinds.values() or name.kind in kinds
