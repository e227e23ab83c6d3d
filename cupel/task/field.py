"""A place of a schema as the one thing it asks for, for those who fill it in, compare it, or give it a column's type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from cupel._memo import Kept
from cupel.task.node import Node, children, is_closed, is_null, kinds_of
from cupel.task.shape import Shape, shape_of

ANYTHING: Node = {}
"""The schema that says nothing."""


class Field:
    """A place of a schema; of a union, its first choice that is not null, or the one a value fits.

    Args:
        shape: The schema as a whole.
        node: The place in it, as it is written there.
        value: What is to stand there, where it is known.
    """

    def __init__(
        self, shape: Shape, node: Any, value: Any = None, *, known: dict[int, Field] | None = None
    ) -> None:
        self._shape, self._node = shape, node
        # every place of the schema is made once, by identity of its node: a schema may lead back to itself
        self._known: dict[int, Field] = {} if known is None else known
        variants = shape.variants(node) if value is None else shape.applying(node, value)
        self.choices = [variant for variant in variants if not is_null(variant)]
        """Of a union, the schemas beside null; else the one there is, and none where nothing but null may stand."""

        self._chosen: Node = self.choices[0] if self.choices else variants[0]

    @cached_property
    def is_nullable(self) -> bool:
        """Whether null may stand here."""
        return self._shape.real(self._node)[1]

    @property
    def kind(self) -> str:
        """`object`, `array`, `string`, `integer`, `number`, `boolean` or `null`; empty where anything may stand."""
        kinds = kinds_of(self._chosen)
        return next((kind for kind in kinds if kind != "null"), kinds[0] if kinds else "")

    @property
    def kinds(self) -> set[str]:
        """Every kind of value that any choice takes, beside null; an empty one stands for anything."""
        return {kind for choice in self.choices for kind in kinds_of(choice) or [""] if kind != "null"}

    @cached_property
    def labels(self) -> tuple[Any, ...]:
        """The values to choose from, null among them where it is one; none where there is no such choice."""
        if "const" in self._chosen:
            return (self._chosen["const"],)
        return tuple(self._chosen.get("enum", ()))

    @property
    def is_choice(self) -> bool:
        """Whether the value is one of a list, be it an empty one."""
        return not self._chosen.keys().isdisjoint(("enum", "const"))

    def mark(self, name: str) -> Any:
        """What the place says by a keyword of ours, such as `x-grounded`; None where it says nothing."""
        return self._chosen.get(name)

    @property
    def item_counts(self) -> tuple[int, int | None]:
        """How many entries a list has at least, and at most; None where there is no such bound."""
        return self._chosen.get("minItems", 0), self._chosen.get("maxItems")

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The smallest and the largest number; None where there is no such bound."""
        return self._chosen.get("minimum"), self._chosen.get("maximum")

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The named fields of an object; none elsewhere."""
        named = self._chosen.get("properties", {})
        return {name: self._at(node) for name, node in named.items()}

    def field(self, name: str) -> Field:
        """A field of an object by its name, also one of any name; of one that is not there nothing is said."""
        return self._at(next(iter(self._shape.members_of(self._chosen, name)), ANYTHING))

    @cached_property
    def required(self) -> frozenset[str]:
        """Names of the fields that may not be left out."""
        return frozenset(self._chosen.get("required", ()))

    @property
    def is_closed(self) -> bool:
        """Whether an object has its named fields and no others."""
        return is_closed(self._chosen)

    def item(self, index: int = 0) -> Field:
        """An entry of a list."""
        return self._at(self._shape.entries_of(self._chosen, index)[0])

    def _at(self, node: Any) -> Field:
        if id(node) not in self._known:
            self._known[id(node)] = Field(self._shape, node, known=self._known)
        return self._known[id(node)]

    @property
    def first(self) -> int:
        """How many entries of a list have a schema of their own, by their place."""
        return len(self._chosen.get("prefixItems", ()))

    def holds(self, mark: str) -> bool:
        """Whether this place, or any in it, has a keyword of ours."""
        waiting, seen = [self], {self}
        while waiting:
            each = waiting.pop()
            if each.mark(mark):
                return True
            inner = {*each._inside()} - seen  # noqa: SLF001 - its own kind
            seen |= inner
            waiting.extend(inner)
        return False

    def _inside(self) -> Iterator[Field]:
        """Every place right inside, by any choice."""
        for choice in self.choices:
            for _, _, node in children(choice):
                yield self._at(node)

    def fitting(self, value: Any) -> Field:
        """The same place by the choice that this value fits."""
        if value is None or len(self.choices) < 2:
            return self
        return Field(self._shape, self._node, value, known=self._known)


_records = Kept[Field]()


def field_of(schema: Node) -> Field:
    """The record as a whole; the same one for the same schema.

    >>> record = field_of({"properties": {"tags": {"type": ["array", "null"], "items": {"enum": ["a", "b"]}}}})
    >>> tags = record.fields["tags"]
    >>> tags.kind, tags.is_nullable, tags.item().labels
    ('array', True, ('a', 'b'))
    """
    return _records.of((schema,), make=lambda: Field(shape_of(schema), schema))
