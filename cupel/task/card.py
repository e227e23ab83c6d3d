"""What a task's folder says to people: when to use it, what it cannot see, what was measured, one real output.

`card.toml` and `output.json` are read for the pages about tasks. Neither is sent to a model or is part of the task's identity.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cupel.errors import TaskError
from cupel.files import read_text
from cupel.task.fit import schema_faults
from cupel.task.spec import TaskSpec

NAME = "card.toml"
KEYS = ("use_when", "cannot_see", "measured", "example", "group")
REQUIRED = KEYS[:2]
GROUPS = ("content", "semantics", "structure", "quality", "synthesis")
"""What a task may be grouped under, in the order of the page."""

UNMEASURED = "not measured yet"


@dataclass(frozen=True, slots=True)
class Output:
    """One real output of a task."""

    doc_id: str
    source: str
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What the folder says to people."""

    use_when: str
    cannot_see: str
    measured: str = UNMEASURED
    group: str | None = None
    output: Output | None = None


def read_card(task: TaskSpec) -> Card | None:
    """The card of a task; None where its folder has none.

    Raises:
        TaskError: For what cannot be read, an unknown or missing key, an unknown group, or an output that is no record of the task.
    """
    path = None if task.folder is None else task.folder / NAME
    if path is None or not path.is_file():
        return None
    told = _read_toml(path)
    example = told.pop("example", "")
    return Card(**told, output=_read_output(path.parent / example, task) if example else None)


def _read_toml(path: Path) -> dict[str, str]:
    try:
        told = tomllib.loads(read_text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise TaskError(f"not valid TOML: {error}", path=path) from error
    for name, value in told.items():
        if name not in KEYS:
            raise TaskError(f"unknown key {name!r} (keys: {', '.join(KEYS)})", path=path)
        if not isinstance(value, str) or not value.strip():
            raise TaskError(f"{name} = {value!r}: needs a text; write one, or leave {name} out", path=path)
    if missing := [name for name in REQUIRED if name not in told]:
        raise TaskError(f"no {missing[0]}: a card says {' and '.join(REQUIRED)}", path=path)
    if (group := told.get("group")) not in (None, *GROUPS):
        raise TaskError(f"group = {group!r}: one of {', '.join(GROUPS)}, or leave it out", path=path)
    return {name: " ".join(value.split()) for name, value in told.items()}


def _read_output(path: Path, task: TaskSpec) -> Output:
    try:
        told = json.loads(read_text(path))
        made = Output(str(told["doc_id"]), str(told["source"]), dict(told["record"]))
    except FileNotFoundError as error:
        raise TaskError(
            'missing; it is the example that card.toml names: {"doc_id", "source", "record"}', path=path
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TaskError(f"needs a JSON object with doc_id, source and record ({error})", path=path) from error
    for fault in schema_faults(made.record, task.schema):
        raise TaskError(
            f"the record does not fit schema.json: {fault.words} (at {fault.where or 'top level'})", path=path
        )
    return made
