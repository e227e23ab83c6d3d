"""One place knows JSON Schema: nobody else reads a keyword of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import cupel
from cupel.task.node import LISTED, NAMED, NESTED, OFFERING

HOUSE = Path(cupel.__file__).parent
KEYWORDS = {
    *NAMED, *LISTED, *NESTED, *OFFERING, "$ref", "$id", "$anchor", "type", "enum", "const", "required", "format", "nullable",
    "minItems", "maxItems", "uniqueItems", "minimum", "maximum", "exclusiveMinimum", "additionalItems", "dependencies",
    "patternProperties", "minLength", "maxLength", "minProperties", "discriminator",
}  # fmt: skip
KNOWS = {
    "task/node.py": "what each keyword means",
    "task/shape.py": "the walker",
    "task/field.py": "the walker's view of one place",
    "task/dialect.py": "reads other drafts into the one",
    "task/schema.py": "makes every property required",
    "task/form.py": "writes each keyword in the form that is sent",
    "task/validator.py": "tells a fault of labels from others by the keyword that was broken",
}
"""Modules that may, and why."""

OTHER_WORDS = {
    ("cascade/addendum.py", "not"): "a word of English",
    ("text/duplicates/shingles.py", "not"): "a word of English",
    ("cascade/review.py", "properties"): "the names of a form's fields",
    ("cascade/people.py", "type"): "of a person's answer",
    ("cascade/people.py", "properties"): "a form's fields, of which each is read by its own schema",
    ("cascade/people.py", "$defs"): "what those refer to goes with them",
    ("cascade/people.py", "definitions"): "what those refer to goes with them",
    ("cascade/forms.py", "properties"): "the fields of a form",
    ("cascade/forms.py", "enum"): "the choices of a field",
    ("context.py", "properties"): "the form of the settings",
    ("context.py", "type"): "the form of the settings",
    ("limits/classify.py", "type"): "of a provider's error",
    ("task/settings.py", "items"): "a way of judging",
    ("limits/wording.py", "items"): "of a place that a provider names",
    ("tracing/document_tracer.py", "type"): "who said a message",
    ("task/faults.py", "items"): "the name of a metric",
    ("state/enrich.py", "items"): "the name of a way of judging",
    ("cascade/judge_ways.py", "items"): "the name of a way of judging",
    ("models/idle.py", "items"): "the name of a way of judging",
    ("runs/planning/sizes.py", "items"): "the name of a way of judging",
    ("judging/item_findings.py", "items"): "of a judge's reply",
    ("metrics/gold.py", "items"): "the name of a metric",
    ("models/replies.py", "type"): "of a part of a message",
    ("serve/body.py", "type"): "of a part of a request, as ASGI names it",
    ("serve/tools.py", "properties"): "the fields of a tool's form",
    ("serve/tools.py", "required"): "those of them that a caller has to give",
    ("serve/tools.py", "enum"): "the choices of a field",
    ("serve/refusal.py", "$ref"): "what leads out of a schema that a request brings",
    ("serve/door.py", "type"): "of a connection, as ASGI names it",
    ("serve/policy.py", "type"): "of a fault that pydantic names",
    ("judging/checks.py", "enum"): "the name of a check",
    ("routing/confidence/calibration.py", "format"): "of a policy's file",
    ("routing/text_routers.py", "format"): "of a policy's file",
    ("routing/threshold_cascade.py", "format"): "of a policy's file",
}
"""The same word where it is none of JSON Schema's."""


def keywords_read(source: str) -> Iterator[str]:
    """Keywords that a module looks for; in `{"type": "string"}` it writes one, which anybody may."""
    tree = ast.parse(source)
    written = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for part in (*node.keys, *node.values)
    }
    for node in ast.walk(tree):
        is_word = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_word and id(node) not in written and node.value in KEYWORDS:
            yield node.value


def test_what_reads_a_keyword_is_seen():
    """By whatever way: a subscript, `get`, `in`, or a list of names to look for."""
    source = 'a["items"]; b.get("$ref"); "anyOf" in c; NAMES = ("properties",); made = {"type": "enum"}'

    assert sorted(keywords_read(source)) == ["$ref", "anyOf", "items", "properties"]


MODULES = sorted(path.relative_to(HOUSE).as_posix() for path in HOUSE.rglob("*.py"))


@pytest.mark.parametrize("room", sorted({name.partition("/")[0] for name in MODULES}))
def test_no_other_module_knows_what_a_schema_is_made_of(room):
    """Whoever asks what a schema says of a value, or where it leads, asks `cupel.task`."""
    for name in MODULES:
        if name.partition("/")[0] == room and name not in KNOWS:
            found = {
                word
                for word in keywords_read((HOUSE / name).read_text(encoding="utf-8"))
                if (name, word) not in OTHER_WORDS
            }
            assert not found, f"{name} reads {found}: ask a Shape or a Field of cupel.task"


def test_every_exception_is_still_one():
    """An exception nobody needs any more is taken off the list."""
    for name in KNOWS:
        assert set(keywords_read((HOUSE / name).read_text(encoding="utf-8"))), name
    for name, word in OTHER_WORDS:
        assert word in keywords_read((HOUSE / name).read_text(encoding="utf-8")), (name, word)
