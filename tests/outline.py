"""A small task with everything a folder may declare for code to do: computed fields, checks, inputs that may be missing."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

from cupel.project import Project
from cupel.task import TaskSpec
from cupel.task.folder import load_task
from tests.conftest import ROOT

TEXT = (
    "Madam President, we must build more homes. Rents rose by 40 % last year, as Article 12(3) foresaw. "
    "Now to the farms. Three days ago the prices fell."
)
TAXONOMY = "Society\n  Housing\n  Farming\nLaw"

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "sections": {"type": "array", "items": {
            "type": "object",
            "properties": {
                "begins": {"type": "string", "x-grounded": True},
                "path": {"type": "string"},
                "span": {"type": "object", "properties": {"start": {"type": "integer"}, "end": {"type": "integer"}},
                         "x-computed": {"by": "section", "of": "begins"}},
            },
            "required": ["begins", "path"],
        }},
        "events": {"type": "array", "items": {
            "type": "object",
            "properties": {
                "when": {"type": "string", "x-grounded": True},
                "iso": {"type": ["string", "null"]},
                "unit": {"type": ["string", "null"], "enum": ["day", "week", "year", None]},
                "shift": {"type": ["integer", "null"]},
                "date": {"type": ["string", "null"], "x-computed": {
                    "by": "date", "of": {"said": "when", "iso": "iso", "unit": "unit", "shift": "shift"}}},
            },
            "required": ["when"],
        }},
        "citations": {"type": "array", "items": {
            "type": "object",
            "properties": {"quote": {"type": "string", "x-grounded": True}, "normal": {"type": "string"}},
            "required": ["quote", "normal"],
        }},
        "themes": {"type": "array", "items": {"type": "string"}},
        "is_calm": {"type": ["boolean", "null"]},
        "is_fair": {"type": ["string", "null"], "enum": ["yes", "no", None]},
        "calm_and_fair": {"type": "number", "x-computed": {"by": "share", "of": ["is_calm", "is_fair"]}},
        "reading": {"type": "object",
                    "properties": {"words": {"type": "integer"}, "lix": {"type": "number"}, "reading_ease": {"type": "number"}},
                    "x-computed": {"by": "readability"}},
    },
    "required": ["sections", "events", "citations", "themes"],
}  # fmt: skip

SETTINGS = """
title = "Outline"
optional_inputs = ["date", "taxonomy", "topics"]
metric = "record"

[merge]
sections = "union"

[window]
max_chars = 600
overlap_chars = 0

[checks]
iso = ["events/iso"]
paths = { "sections/path" = "taxonomy" }
values = { "themes" = "topics" }
cover = ["sections/begins"]
digits = { "citations/normal" = "citations/quote" }

[[criteria]]
id = "told_apart"
question = "Does each section have one matter?"
critical = true
"""

HIDDEN = ('"span"', "span:", "calm_and_fair", '"reading"', "reading:", "reading_ease", '"lix"')
"""Words that only computed fields have: no model may read one."""


def record() -> dict[str, Any]:
    """What a model says of the text."""
    return {
        "sections": [
            {"begins": "Madam President", "path": "Society > Housing"},
            {"begins": "Now to the farms", "path": "Society > Farming"},
        ],
        "events": [
            {"when": "last year", "iso": None, "unit": "year", "shift": -1},
            {"when": "Three days ago", "iso": None, "unit": "day", "shift": -3},
        ],
        "citations": [{"quote": "Article 12(3)", "normal": "Art. 12(3)"}],
        "themes": ["Homes"],
        "is_calm": True,
        "is_fair": "no",
    }


def spoiled(*path: str | int, to: Any) -> dict[str, Any]:
    """The same with another value at one place."""
    made = record()
    holder: Any = made
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = to
    return made


def write_task(folder: Path, *, schema: dict[str, Any] = SCHEMA, settings: str = SETTINGS) -> Path:
    """A prompts folder with the task `outline`, and the generic prompts."""
    (folder / "outline").mkdir(parents=True, exist_ok=True)
    if not (folder / "_generic").exists():
        shutil.copytree(ROOT / "prompts" / "_generic", folder / "_generic")
    (folder / "outline" / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
    (folder / "outline" / "task.toml").write_text(settings, encoding="utf-8")
    return folder


def outline(folder: Path, **changes: Any) -> TaskSpec:
    """The task as it is read."""
    return load_task("outline", write_task(folder, **changes))


def project_in(folder: Path) -> Project:
    """A project of its own with that task."""
    for name in ("graphs", "nodes"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "langgraph.json", folder)
    write_task(folder / "prompts")
    return Project(folder, folder / ".cupel")


def schema_with(path: tuple[str, ...], told: Any) -> dict[str, Any]:
    """The schema with another value at one place of it; None takes it out."""
    made = copy.deepcopy(SCHEMA)
    holder = made
    for step in path[:-1]:
        holder = holder[step]
    if told is None:
        del holder[path[-1]]
    else:
        holder[path[-1]] = told
    return made
