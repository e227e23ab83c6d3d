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
from cupel.models.offline.schema import (
    MAX_DEPTH,
    Schema,
    is_nullable,
    is_quote_name,
    item_of,
    labels_of,
    resolve,
    type_of,
    within,
)
from cupel.models.offline.sentences import Unit, sentence_spans, units
from cupel.models.offline.similarity import Nearness, content_words

KEY_SENTENCES = 5
"""Items of a list that no label definition fills, such as key points."""
EVIDENCE_SENTENCES = 3

_REFERENCES = ("supports", "attacks", "refers_to", "claim", "claim_id", "parent", "parent_id")
_NOT_A_TOPIC = frozenset(("topic", "target", "towards"))


@dataclass
class Filler:
    """Fills one schema from one document. Make a new one for each."""

    teaching: Teaching
    schema: Schema
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
        properties = resolve(self.schema, self.schema).get("properties", {})
        nodes = {name: resolve(node, self.schema) for name, node in properties.items()}
        shared = self._share_out([name for name, node in nodes.items() if type_of(node) == "array"])
        values = {
            name: self._top(nodes[name], name, shared)
            for name in sorted(nodes, key=lambda n: self._turn(nodes[n]))
        }
        return {name: values[name] for name in nodes}

    def _turn(self, node: Schema) -> int:
        """Labels first, then lists with ids, then what may refer to them."""
        if "enum" in node:
            return 0
        return 1 if "id" in item_of(node, self.schema).get("properties", {}) else 2

    def _top(self, node: Schema, name: str, shared: Mapping[str, list[Unit]]) -> Any:
        if "enum" in node:
            return self._top_label(node, name)
        if type_of(node) != "array":
            return self._value(node, name, self._telling)
        item = item_of(node, self.schema)
        kinds = self._kinds(item, name)
        if kinds:
            items = [self._of_name(item, each, kinds) for each in self._names if _wants(each, name, kinds)]
        else:
            chosen = shared[name] if name in shared else self._units_for(item)
            items = [self._item(item, name, unit, number) for number, unit in enumerate(chosen, 1)]
        return within(node, items, spare=lambda: self._value(item, name, []))

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

    def _units_for(self, item: Schema) -> list[Unit]:
        """Sentences for a list the prompt does not define."""
        if any(labels_of(resolve(node, self.schema)) for node in item.get("properties", {}).values()):
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

    def _kinds(self, item: Schema, name: str) -> dict[str, str]:
        """Labels of kinds of names, where a list is one of names: by its items' labels or its own name."""
        for node in item.get("properties", {}).values():
            kinds = label_kinds(labels_of(resolve(node, self.schema)))
            if len(kinds) > 1:
                return kinds
        return {} if labels_of(item) else label_kinds([name])

    # one value

    def _top_label(self, node: Schema, name: str) -> Any:
        sides = poles(labels_of(node))
        if sides is None:
            return self._label(node, name, self._sentences)
        label = leaning_label(self._on_topic, sides)
        self._pole = sides[label] if self._pole is None else self._pole
        return label

    def _label(self, node: Schema, name: str, source: Sequence[Unit]) -> Any:
        labels, null = labels_of(node), None in node["enum"]
        if not labels:
            return None if null else node["enum"][0]
        sides = poles(labels)
        if sides is not None:
            return leaning_label(leanings(source), sides)
        whole = Unit(0, " ".join(unit.text for unit in source), "", asserts=True)
        label, score = self._nearness.nearest(whole, name, labels)
        return None if null and score <= 0 else label

    def _of_name(self, item: Schema, name: Name, kinds: Mapping[str, str]) -> Any:
        label = kinds.get(name.kind) or kinds.get("MISC") or next(iter(kinds.values()))
        return self._value(item, "", [Unit(name.start, name.text, "", asserts=True)], label=label)

    def _item(self, node: Schema, name: str, unit: Unit, number: int) -> Any:
        value = self._value(node, name, [unit], number=number)
        if isinstance(value, dict) and isinstance(value.get("id"), int):
            self._placed.append((unit.start, value["id"]))
        return value

    def _value(
        self,
        node: Schema,
        name: str,
        source: Sequence[Unit],
        depth: int = 0,
        *,
        label: str = "",
        number: int = 0,
    ) -> Any:
        node = resolve(node, self.schema)
        if "const" in node:
            return node["const"]
        if "enum" in node:
            return label if label in node["enum"] else self._label(node, name, source)
        if depth >= MAX_DEPTH and is_nullable(node):
            return None
        if type_of(node) == "object":
            fields = node.get("properties", {}).items()
            return {
                key: self._value(child, key, source, depth + 1, label=label, number=number)
                for key, child in fields
            }
        if type_of(node) == "array":
            return self._inner_list(node, name, source, depth)
        return self._scalar(node, name, source, number)

    def _inner_list(self, node: Schema, name: str, source: Sequence[Unit], depth: int) -> list[Any]:
        item = item_of(node, self.schema)
        quotes = type_of(item) == "string" and "enum" not in item and is_quote_name(name)
        items = [self._value(item, name, [unit], depth + 1) for unit in (source if quotes else ())]
        return within(node, items, spare=lambda: self._value(item, name, source, depth + 1))

    def _scalar(self, node: Schema, name: str, source: Sequence[Unit], number: int) -> Any:
        kind = type_of(node)
        if kind in ("integer", "number"):
            return self._number(node, name, source, number)
        if kind == "boolean":
            return None if is_nullable(node) else False
        if kind == "null" or (is_nullable(node) and not is_quote_name(name)):
            return None
        return source[0].text if source else None if is_nullable(node) else ""

    def _number(self, node: Schema, name: str, source: Sequence[Unit], number: int) -> Any:
        if name == "id" and number:
            return number
        if is_nullable(node):
            return self._nearest_id(source) if name in _REFERENCES else None
        stated = re.search(r"\d+", source[0].text) if source else None
        value = max(int(stated[0]) if stated else 0, node.get("minimum", 0))
        return min(value, node.get("maximum", value))

    def _nearest_id(self, source: Sequence[Unit]) -> int | None:
        """The id of the item that stands nearest in the document."""
        if not self._placed or not source:
            return None
        return min(self._placed, key=lambda place: abs(place[0] - source[0].start))[1]


def _wants(name: Name, field_name: str, kinds: Mapping[str, str]) -> bool:
    """A list called `people` takes people only; a list of all kinds takes every name."""
    return field_name not in kinds.values() or name.kind in kinds
