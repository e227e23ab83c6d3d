"""Ids and what refers to them: a reference to nothing and an id given twice are wrong whatever anyone thinks of the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cupel.state import Record
from cupel.task import Part, as_key, shape_of, without_indexes


def reference_faults(record: Record, schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each fault as the check it fails, `id` or `reference`, and what is wrong in words; none for a sound record.

    An id (`x-id`) is its list's; a reference (`x-refers-to`) names the list and its id field, and null refers to nothing.

    >>> claim = {"type": "object", "properties": {"id": {"type": "integer", "x-id": True}}}
    >>> back = {"type": "object", "properties": {"of": {"type": "integer", "x-refers-to": "claims/id"}}}
    >>> schema = {"type": "object", "properties": {"claims": {"type": "array", "items": claim},
    ...     "premises": {"type": "array", "items": back}}}
    >>> list(reference_faults({"claims": [{"id": 1}, {"id": 1}], "premises": [{"of": 8}]}, schema))
    [('id', '/claims/1/id: 1 is the id of /claims/0 too'), ('reference', '/premises/0/of refers to 8, and there is no claims/id 8')]
    """
    parts = shape_of(schema).parts(record)
    seen: dict[tuple[str, Any], Part] = {}
    for part in parts:
        if part.value is None or not part.mark("x-id"):
            continue
        key = (without_indexes(part.pointer), as_key(part.value))
        first = seen.setdefault(key, part)
        if first is not part:
            yield "id", f"{part.pointer}: {part.value!r} is the id of {first.pointer.rpartition('/')[0]} too"
    for part in parts:
        target = part.mark("x-refers-to")
        if part.value is None or not target or isinstance(part.value, list | dict):
            continue
        if (str(target).strip("/"), as_key(part.value)) not in seen:
            yield (
                "reference",
                f"{part.pointer} refers to {part.value!r}, and there is no {target} {part.value!r}",
            )
