"""One walker of JSON Schema: whoever asks what a schema says about a value, or where it leads, asks here.

It knows every keyword that leads from a value to a value inside it (`properties`, `patternProperties`,
`additionalProperties`, `items`, `prefixItems`), every one that offers several schemas for one value (`anyOf`, `oneOf`,
`allOf`, `if`), and references: chains, with siblings, escaped, recursive, at the root. A quote marked `x-grounded` is
seen wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from cupel._memo import Kept
from cupel.errors import TaskError
from cupel.task.node import (
    OFFERING,
    Node,
    allows_null,
    children,
    entries,
    is_null,
    may_be,
    members,
    merge,
    rebuild,
)
from cupel.task.validator import Validator, in_root

_INDEX = re.compile(r"/\d+(?=/|$)")
_LONGEST_CHAIN = 64
MAX_VARIANTS = 256


class Part(NamedTuple):
    """A value of a record, where it stands, and every schema that speaks of it."""

    pointer: str
    """JSON pointer; empty for the record itself."""

    value: Any
    schemas: tuple[Node, ...]
    """References resolved, of unions only the choices the value fits (all, where it fits none)."""

    def mark(self, name: str) -> Any:
        """What the first schema that has this keyword says by it; None where none has."""
        for schema in self.schemas:
            if name in schema:
                return schema[name]
        return None

    @property
    def labels(self) -> Sequence[Any]:
        """The values that may stand here, where the schema lists them; null among them where it is one."""
        return self.mark("enum") or ()

    @property
    def is_free(self) -> bool:
        """Whether whoever wrote the record worded it: it is no quote, label, id or reference."""
        said = ("x-grounded", "x-id", "x-refers-to", "enum", "const")
        return all(schema.keys().isdisjoint(said) for schema in self.schemas)


class Shape:
    """A JSON Schema as a whole.

    Args:
        root: The schema; not to be changed afterwards.
    """

    def __init__(self, root: Node) -> None:
        self.root = root
        # by identity of a node, which is kept so that the identity stays its own
        self._opened: dict[int, tuple[Any, list[Node]]] = {}
        self._validators: dict[int, tuple[Any, Validator]] = {}
        self._entries: dict[tuple[int, int], tuple[Any, list[Any]]] = {}

    # ---- one node

    def resolve(self, node: Any) -> Node:
        """A node without `$ref`: what it refers to, with what stands beside the reference on top.

        Raises:
            TaskError: For a reference that leads nowhere, in a circle, or to an address.
        """
        siblings: Node = {}
        for _ in range(_LONGEST_CHAIN):
            if not isinstance(node, Mapping):
                return siblings
            if "$ref" not in node:
                return merge(node, siblings) if siblings else node
            siblings = merge({name: value for name, value in node.items() if name != "$ref"}, siblings)
            node = self.look_up(node["$ref"])
        raise TaskError("the schema's references lead in a circle", path="schema")

    def look_up(self, reference: Any) -> Any:
        """What a reference names, as it is written there.

        Raises:
            TaskError: For one that leads nowhere, or to an address.
        """
        from referencing.exceptions import Unresolvable

        if not isinstance(reference, str) or not reference.startswith("#"):
            raise TaskError(
                f"$ref {reference!r}: only references into the schema itself (#/$defs/…) are followed, nothing is fetched; "
                "copy what it names into $defs",
                path="schema",
            )
        try:
            return self._resolver.lookup(reference).contents
        except Unresolvable as error:
            raise TaskError(f"$ref {reference!r} leads to nothing in the schema", path="schema") from error

    @cached_property
    def _resolver(self) -> Any:
        from referencing import Registry
        from referencing.jsonschema import DRAFT202012

        resource = DRAFT202012.create_resource({k: v for k, v in self.root.items() if k != "$id"})
        return Registry().with_resource("", resource).resolver()

    def variants(self, node: Any) -> list[Node]:
        """Every schema a value here may follow: `allOf` merged, unions opened, what all of them share put into each.

        Null is a variant like any other. Of unions in unions there are as many as their choices multiply to.

        Raises:
            TaskError: For references or unions that lead in a circle, or to more variants than anyone would fill.
        """
        opened = self._opened.get(id(node))
        if opened is None:
            opened = self._opened[id(node)] = (node, self._variants(node, 0))
        return opened[1]

    def _variants(self, node: Any, depth: int) -> list[Node]:
        if depth > _LONGEST_CHAIN:
            raise TaskError("the schema's unions lead in a circle", path="schema")
        plain = self.resolve(node)
        made: list[Node] = [{k: v for k, v in plain.items() if k not in OFFERING}]
        offers = [[part] for part in plain.get("allOf", ())]
        offers += [plain[word] for word in ("anyOf", "oneOf") if plain.get(word)]
        if "if" in plain:
            offers.append([plain.get("then", {}), plain.get("else", {})])
        offers += [[child, {}] for child in plain.get("dependentSchemas", {}).values()]
        for choices in offers:
            inner = [variant for choice in choices for variant in self._variants(choice, depth + 1)]
            made = [merge(one, variant) for one in made for variant in inner]
            if len(made) > MAX_VARIANTS:
                raise TaskError(
                    f"the schema's unions make more than {MAX_VARIANTS} variants of one value", path="schema"
                )
        return made

    def real(self, node: Any) -> tuple[Node, bool]:
        """The first variant that is not null, and whether null is one; for those who need a single shape."""
        variants = self.variants(node)
        nullable = any(allows_null(variant) for variant in variants)
        chosen = next((variant for variant in variants if not is_null(variant)), variants[0])
        return chosen, nullable

    def applying(self, node: Any, value: Any) -> list[Node]:
        """The variants that hold this value; all of them where none does."""
        variants = self.variants(node)
        if len(variants) == 1:
            return variants
        may = [variant for variant in variants if may_be(variant, value)] or variants
        if len(may) == 1:
            return may
        return [variant for variant in may if self._fits(variant, value)] or may

    def may_only_be_left_out(self, schemas: Sequence[Node], name: str) -> bool:
        """Whether an object of these schemas knows a property, need not have it, and may not have null there."""
        for schema in schemas:
            child = schema.get("properties", {}).get(name)
            if child is not None and name not in schema.get("required", ()):
                return not any(allows_null(variant) for variant in self.variants(child))
        return False

    def _fits(self, variant: Node, value: Any) -> bool:
        held = self._validators.get(id(variant))
        if held is None:
            held = self._validators[id(variant)] = (variant, Validator(_within("", variant), root=self.root))
        return held[1].fits(value)

    # ---- a record

    def parts(self, record: Any) -> list[Part]:
        """Every value of a record in reading order, the record first."""
        parts: list[Part] = []
        self._walk(record, (self.root,), "", parts)
        return parts

    def _walk(self, value: Any, nodes: Sequence[Any], pointer: str, parts: list[Part]) -> None:
        if len(nodes) == 1:  # nearly always: no union, or one that was settled above
            schemas = tuple(self.applying(nodes[0], value))
        else:
            schemas = tuple(schema for node in nodes for schema in self.applying(node, value))
        parts.append(Part(pointer, value, schemas))
        if isinstance(value, dict):
            for name, item in value.items():
                inner = [child for schema in schemas for child in self.members_of(schema, name)]
                self._walk(item, inner, f"{pointer}/{_escape(name)}", parts)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                inner = [child for schema in schemas for child in self.entries_of(schema, index)]
                self._walk(item, inner, f"{pointer}/{index}", parts)

    def members_of(self, schema: Node, name: str) -> list[Any]:
        """The schemas a property of this name follows by one schema of its object."""
        named = schema.get("properties")
        if named is not None and name in named and "patternProperties" not in schema:
            return [named[name]]
        return members(schema, name)

    def entries_of(self, schema: Node, index: int) -> list[Any]:
        """The schemas an entry of a list follows by one schema of the list; the same objects each time."""
        key = (id(schema), min(index, len(schema.get("prefixItems", ()))))
        kept = self._entries.get(key)
        if kept is None:
            kept = self._entries[key] = (schema, entries(schema, index))
        return kept[1]

    # ---- the schema itself

    def nodes(self) -> Iterator[tuple[str, Node]]:
        """Every schema in the whole, definitions included, with its JSON pointer; the root first."""
        waiting: list[tuple[str, Any]] = [("", self.root)]
        while waiting:
            where, node = waiting.pop(0)
            if not isinstance(node, Mapping):
                continue
            yield where, node
            for word, name, child in children(node):
                waiting.append((f"{where}/{word}" + (f"/{_escape(name)}" if name else ""), child))

    def check(self) -> None:
        """Follow every reference once.

        Raises:
            TaskError: For one that leads to an address, to nothing, or in a circle; it names the place.
        """
        for where, node in self.nodes():
            if "$ref" in node:
                try:
                    self.variants(node)
                except TaskError as error:
                    problem = str(error).removeprefix("schema: ")
                    raise TaskError(f"{problem} (at {where or 'top level'})", path="schema") from error


_shapes = Kept[Shape]()


def shape_of(schema: Node) -> Shape:
    """The same one for the same schema."""
    return _shapes.of((schema,), make=lambda: Shape(schema))


def _within(_keyword: str, node: Any) -> Any:
    """A node by itself, its references still leading into the whole."""
    if not isinstance(node, Mapping):
        return node
    made = rebuild(node, _within)
    return {**made, "$ref": in_root(made["$ref"])} if isinstance(made.get("$ref"), str) else made


def holder_of(record: Any, pointer: str) -> tuple[Any, Any]:
    """What holds the value at a JSON pointer, and under which name or number there.

    >>> holder_of({"a": [{"b/c": 1}]}, "/a/0/b~1c")
    ({'b/c': 1}, 'b/c')
    """
    holder: Any = {"": record}
    key: Any = ""
    for step in pointer.split("/")[1:]:
        holder = holder[key]
        key = int(step) if isinstance(holder, list) else step.replace("~1", "/").replace("~0", "~")
    return holder, key


def without_indexes(pointer: str) -> str:
    """A place by the names that lead there, as a reference says it (`x-refers-to`).

    >>> without_indexes("/claims/0/id")
    'claims/id'
    """
    return _INDEX.sub("", pointer).strip("/")


def as_key(value: Any) -> str:
    """An id to look up: 1 and "1" are two ids, as JSON has them."""
    return f"{type(value).__name__}:{value}"


def _escape(name: str) -> str:
    """A name as a step of a JSON pointer."""
    return name if "~" not in name and "/" not in name else name.replace("~", "~0").replace("/", "~1")
