"""Faults of a task folder that no model and no parser would complain of: what is written there and has no effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cupel.errors import TaskError
from cupel.task.field import Field, field_of
from cupel.task.spec import Rule, TaskSpec
from cupel.task.tags import tags_of

MAX_RULE_TOKENS = 600
"""Of one rule, at four characters each: it says one thing, and every document pays for it."""

MAX_RULES_TOKENS = 2_000
"""Of all rules of a prompt."""

WHOLE_METRICS = ("record", "exact", "items")
"""What compares records as a whole; the name of a field is a metric too."""


def check_rules(told: Mapping[str, Any], rules: Sequence[Rule], path: Path) -> None:
    """Rules that are read as they were meant: under the right name, each with words, and not too many.

    Raises:
        TaskError: For the first that is not, with what to write.
    """
    if unknown := [name for name in told if name != "rules"]:
        raise TaskError(
            f"unknown key {unknown[0]!r}: rules stand under [[rules]], each with id and text", path=path
        )
    for number, rule in enumerate(rules, start=1):
        for name in ("id", "text"):
            value = getattr(rule, name)
            if not isinstance(value, str) or not value.strip():
                raise TaskError(
                    f"rule {number} has no {name}: {value!r}; write one, or take the rule out", path=path
                )
        if (tokens := _tokens(rule.text)) > MAX_RULE_TOKENS:
            raise TaskError(
                f"rule {rule.id!r} takes about {tokens} tokens, {MAX_RULE_TOKENS} are the most: a rule says one thing; "
                "what every document needs belongs into extract.md",
                path=path,
            )
    if (tokens := sum(_tokens(rule.text) for rule in rules)) > MAX_RULES_TOKENS:
        raise TaskError(
            f"the rules take about {tokens} tokens together, {MAX_RULES_TOKENS} are the most", path=path
        )


def _tokens(text: str) -> int:
    return -(-len(text) // 4)


def check_effect(spec: TaskSpec, folder: Path) -> None:
    """What the folder says reaches the model, and the judge can decide by it.

    Raises:
        TaskError: For rules, labels or examples that the prompt does not show; a judge without a criterion, with one twice
            or with none that rejects; a label that no record can hold; a metric there is not.
    """
    _check_shown(spec, folder)
    _check_criteria(spec, folder)
    for name, labels in spec.labels.items():
        _check_labels(spec, name, labels, folder / "task.toml")
    if spec.metric not in WHOLE_METRICS and spec.metric not in spec.fields:
        known = ", ".join((*WHOLE_METRICS, *spec.fields))
        raise TaskError(f"metric = {spec.metric!r}: use one of {known}", path=folder / "task.toml")


def _check_shown(spec: TaskSpec, folder: Path) -> None:
    shown = tags_of(spec.prompts["extract"])
    wanted = {"rules": True, "labels": bool(spec.labels), "examples": bool(spec.examples)}
    for name, is_there in wanted.items():
        if is_there and name not in shown:
            what = (
                "rules.toml"
                if name == "rules"
                else "[labels] of task.toml"
                if name == "labels"
                else "examples.jsonl"
            )
            raise TaskError(
                f"shows no {{{{{name}}}}}: what {what} says would never reach the model; put it into the system part",
                path=folder / "extract.md",
            )


def _check_criteria(spec: TaskSpec, folder: Path) -> None:
    toml, ids = folder / "task.toml", [criterion.id for criterion in spec.criteria]
    if not ids:
        raise TaskError(
            "no [[criteria]]: the judge would have nothing to judge by; write some, each with id, question and critical",
            path=toml,
        )
    if twice := [name for name, count in Counter(ids).items() if count > 1]:
        raise TaskError(f"two criteria are called {twice[0]!r}; give each its own id", path=toml)
    for criterion in spec.criteria:
        if not criterion.id.strip() or not criterion.question.strip():
            raise TaskError(f"criterion {criterion.id!r} has no id or no question", path=toml)
    if not any(criterion.critical for criterion in spec.criteria):
        raise TaskError(
            f"none of the criteria {', '.join(ids)} has critical = true: no fault alone could reject a record",
            path=toml,
        )
    if "criteria" not in tags_of(spec.prompts["judge"]):
        raise TaskError(
            "shows no {{criteria}}: the judge would not know what it is asked; put it into the system part",
            path=folder / "judge.md",
        )


def _check_labels(spec: TaskSpec, name: str, labels: Mapping[str, str], path: Path) -> None:
    places = list(_places(field_of(spec.schema), name))
    if not places:
        if lone := [label for label in labels if label not in spec.fields]:
            raise TaskError(
                f"[labels.{name}]: the record has no field {name!r}, and no list {lone[0]!r} either; it has "
                f"{', '.join(spec.fields)}",
                path=path,
            )
        return
    for place in places:
        known = [str(label) for label in place.labels if label is not None]
        if outside := [label for label in labels if place.is_choice and label not in known]:
            near = get_close_matches(outside[0], known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TaskError(
                f"[labels.{name}]: no record can hold {outside[0]!r}{hint} The schema has {', '.join(known)}",
                path=path,
            )


def _places(record: Field, name: str) -> Iterator[Field]:
    """Every field of that name, however deep."""
    return (place for own, place in _every_field(record) if own == name)


def labels_in(schema: Mapping[str, Any]) -> frozenset[str]:
    """Every label that a record of this schema may hold, in whichever field.

    >>> sorted(labels_in({"properties": {"mood": {"enum": ["joy", None]}, "tags": {"type": "array", "items": {"enum": ["a"]}}}}))
    ['a', 'joy']
    """
    places = [place for _, place in _every_field(field_of(schema))]
    items = [place.item() for place in places if place.kind == "array"]
    return frozenset(str(label) for place in (*places, *items) for label in place.labels if label is not None)


def _every_field(record: Field) -> Iterator[tuple[str, Field]]:
    """Every field with its name, however deep; each place once."""
    waiting, seen = [record], {id(record)}
    while waiting:
        each = waiting.pop()
        inner = [*each.fields.items(), *([("", each.item())] if each.kind == "array" else [])]
        for name, place in inner:
            if id(place) not in seen:
                seen.add(id(place))
                waiting.append(place)
                if name:
                    yield name, place
