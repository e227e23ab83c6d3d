"""The form of a rewriter's reply: which edits it may propose, and of what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args

from cupel.improvement.edits import NAMED_BY, Action, Part, texts_of
from cupel.task import TaskSpec, apart, object_schema, wire_schema

_NAMES: Mapping[Part, str] = {
    "rule": "A new id for add (a-z, 0-9, _)",
    "label": "A label as FIELD.LABEL, of the schema's",
    "example": "A new id for add (a-z, 0-9, -)",
}
_TEXTS: Mapping[Part, str] = {
    "rule": "The rule's whole text; empty for delete",
    "label": "The label's whole definition; empty for delete",
    "example": "A passage you write for the purpose, of no document; empty for delete",
}


def edits_schema(
    task: TaskSpec, failures: Collection[str], *, locked: Collection[Part] = ()
) -> dict[str, Any]:
    """Return the strict JSON Schema of a rewriter's reply.

    Args:
        task: The prompt as it is; what it has is named in the descriptions.
        failures: Ids of the failures it was shown.
        locked: Parts that may not be edited.
    """
    parts = [part for part in get_args(Part) if part not in locked]
    items = [_item(task, part, failures) for part in parts]
    either = items[0] if len(items) == 1 else {"anyOf": items}
    whole = object_schema({"edits": {"type": "array", "items": either}})
    # a task's schema refers to nothing but its definitions, so they may stand beside those of a larger one
    return {**whole, **({} if "example" in locked else apart(task.asked)[1])}


def _item(task: TaskSpec, part: Part, failures: Collection[str]) -> dict[str, Any]:
    known = [name for name, _ in texts_of(task, part)]
    named = f"{_NAMES[part]}; for replace and delete one of: {', '.join(known)}" if known else _NAMES[part]
    properties: dict[str, Any] = {
        "why": {"type": "string"},
        "failures": {"type": "array", "items": {"type": "string", "enum": sorted(failures)}},
        "action": {"type": "string", "enum": list(get_args(Action)) if known else ["add"]},
        NAMED_BY[part]: {"type": "string", "description": named},
        "text": {"type": "string", "description": _TEXTS[part]},
    }
    if part == "example":
        properties["record"] = {"anyOf": [wire_schema(apart(task.asked)[0]), {"type": "null"}]}
    return object_schema(properties)
