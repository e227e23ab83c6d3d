"""A task: what to extract, how it is judged, and the identity of its very wording."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cupel.state import JudgeWay, Record
from cupel.task.computed import CONFIRMED, Computed, asked_schema, computed_fields, shown_record
from cupel.task.field import Field, field_of

GENERIC = "_generic"
"""Folder with the prompts of ad-hoc tasks, and of tasks that leave one out."""

UNION_BY = "union by "
"""How a merge rule begins that names the field by which a list's items are one, such as `union by term`."""

ENRICHING = ("extract", "judge", "refine", "repair", "verify")
"""The prompts that decide a document's outcome."""

FURTHER_WAYS = ("judge_items", "adjudicate")
"""The prompts of the judge's other ways; a project made before there were any runs without them."""


ANSWER = "answer"
"""The prompt by which a record's questions are asked back; a project made before there were any runs all the same."""


def judge_prompt_of(way: JudgeWay) -> str:
    """The prompt a way of judging is asked by."""
    return {"criteria": "judge", "items": "judge_items", "adjudicate": "adjudicate"}[way]


RecordCheck = Callable[[Record], str | None]
"""What else is wrong with a record, in words; None where nothing is."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A short instruction that may be added, replaced or dropped by a refinement."""

    id: str
    text: str
    why: str = ""
    failures: tuple[str, ...] = ()
    effect: str = ""


@dataclass(frozen=True, slots=True)
class TaskCriterion:
    """One yes-or-no question the judge answers about a record."""

    id: str
    question: str
    critical: bool = False
    weight: float = 1.0
    way: str = ""
    """The one way of judging that asks it (`criteria`, `items`); empty for both."""

    @property
    def told(self) -> list[Any]:
        """What decides a finding, for an identity; as before there were ways, where it is asked in both."""
        return [self.id, self.question, self.critical, self.weight, *([self.way] if self.way else [])]


GENERIC_CRITERIA = (
    TaskCriterion(
        "supported",
        "Is every value of the record supported by the document, with nothing invented?",
        critical=True,
        way="criteria",
    ),
    TaskCriterion(
        "follows_instructions", "Does the record contain what the instructions ask for?", critical=True
    ),
    TaskCriterion(
        "complete",
        "Is nothing that the instructions ask for, and the document states, missing?",
        way="criteria",
    ),
)
"""What the judge is asked of a one-off task."""


@dataclass(frozen=True, slots=True)
class Example:
    """A worked document shown to the model; its quotes are checked against its own text."""

    id: str
    text: str
    record: Record


@dataclass(frozen=True, slots=True)
class Window:
    """How a long text is cut, in characters."""

    max_chars: int = 12_000
    overlap_chars: int = 600


@dataclass(frozen=True, slots=True)
class Checks:
    """What a task wants of its records beside the schema, as `[checks]` declares it; code looks, and no judge outvotes it.

    Fields are named by the names that lead there, a list's before its items': `events/iso`.
    """

    iso: tuple[str, ...] = ()
    """Fields whose every value is an ISO 8601 date."""

    paths: Mapping[str, str] = field(default_factory=dict)
    """Field → the input, one path a line or indented lines, of which its value is one."""

    values: Mapping[str, str] = field(default_factory=dict)
    """Field → the input, lines or a list with commas, of which its value is one where the input is given."""

    cover: tuple[str, ...] = ()
    """Quotes that stand in the order of the text, the first at its first word."""

    digits: Mapping[str, str] = field(default_factory=dict)
    """Field → the field beside it in which each of its numbers stands."""

    @property
    def told(self) -> dict[str, Any]:
        """What is declared, for an identity; empty where nothing is."""
        every = {
            "iso": self.iso, "paths": dict(self.paths), "values": dict(self.values), "cover": self.cover,
            "digits": dict(self.digits),
        }  # fmt: skip
        return {name: wanted for name, wanted in every.items() if wanted}


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskSpec:
    """Everything a task folder says, or the same made from an ad-hoc schema.

    `prompts` holds the text of `extract`, `judge`, `refine`, `repair`, `improve` and `compare`; `identity`
    changes whenever anything that decides a document's outcome changes.
    """

    name: str
    title: str
    description: str
    schema: dict[str, Any]
    prompts: Mapping[str, str]
    inputs: tuple[str, ...] = ()
    """Every further input by name, those that may be missing last."""

    optional_inputs: frozenset[str] = frozenset()
    """Those of them that a document may come without."""

    output_language: str = "English"
    must_fill: tuple[str, ...] = ()
    metric: str = "record"
    wrong_below: float = 0.5
    window: Window = field(default_factory=Window)
    merge: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    criteria: tuple[TaskCriterion, ...] = ()
    rules: tuple[Rule, ...] = ()
    examples: tuple[Example, ...] = ()
    exclusive: tuple[tuple[str, ...], ...] = ()
    """Groups of lists of which one span may be in one only."""

    min_quote_words: int = 0
    """Words a quote has at least."""

    checks: Checks = field(default_factory=Checks)
    instructions: str = ""
    folder: Path | None = None
    check: RecordCheck | None = None
    """What a record must stand beside the schema: the pydantic class the schema was made of."""

    given: Mapping[str, Any] | None = None
    """An ad-hoc task's schema as it was given."""

    @property
    def fields(self) -> Mapping[str, Field]:
        """What a record has at its top, by name."""
        return field_of(self.schema).fields

    @property
    def required_inputs(self) -> tuple[str, ...]:
        """The further inputs that every document has to come with."""
        return tuple(name for name in self.inputs if name not in self.optional_inputs)

    @functools.cached_property
    def asked(self) -> dict[str, Any]:
        """The schema without the fields that code fills in: what models are asked for, shown, and held to."""
        return asked_schema(self.schema)

    @property
    def asked_fields(self) -> Mapping[str, Field]:
        """What a model fills in at a record's top, by name."""
        return field_of(self.asked).fields

    def shown(self, record: Record) -> Record:
        """A record as a model may see it: without what code computed."""
        shown: Record = shown_record(record, self.schema)
        return shown

    def computes(self, by: str = "") -> bool:
        """Whether code fills in any field; of a kind, where one is named."""
        return any(not by or one.by == by for one in computed_fields(self.schema))

    def key_of(self, name: str) -> str:
        """The field that makes two windows' items of a list one where it has the same value; empty where their places do."""
        rule = self.merge.get(name, "")
        return rule.removeprefix(UNION_BY) if rule.startswith(UNION_BY) else ""

    @property
    def asks_back(self) -> Computed | None:
        """The field that a further question to a model fills in; None where the task has none."""
        return next((one for one in computed_fields(self.schema) if one.by == CONFIRMED), None)

    def is_of(self, schema: Mapping[str, Any], instructions: str) -> bool:
        """Whether this is the ad-hoc task of this schema and these instructions."""
        return self.given == schema and self.instructions == instructions

    def criteria_of(self, way: JudgeWay) -> tuple[TaskCriterion, ...]:
        """The criteria that a way of judging asks; where only differences are decided there are none."""
        return tuple(each for each in self.criteria if way != "adjudicate" and each.way in ("", way))

    @functools.cached_property
    def identity(self) -> str:
        """Twelve hexadecimal digits that stand for this very wording of the task."""
        told = {
            "schema": self.schema, "labels": self.labels,
            "prompts": {kind: self.prompts.get(kind) for kind in ENRICHING},
            "rules": [[rule.id, rule.text] for rule in self.rules], "instructions": self.instructions,
            "examples": [[example.text, example.record] for example in self.examples],
            "criteria": [criterion.told for criterion in self.criteria],
            "window": [self.window.max_chars, self.window.overlap_chars], "merge": dict(self.merge),
            "must_fill": self.must_fill, "language": self.output_language, "inputs": self.inputs,
        }  # fmt: skip
        if ways := {kind: self.prompts[kind] for kind in FURTHER_WAYS if kind in self.prompts}:
            told["ways"] = ways
        if self.check is not None:  # the same schema, held to more
            told["check"] = getattr(self.check, "identity", "")
        if self.exclusive or self.min_quote_words:  # else the tasks that declare neither would all be others
            told["wants"] = [self.exclusive, self.min_quote_words]
        if self.optional_inputs:
            told["optional"] = sorted(self.optional_inputs)
        if checks := self.checks.told:
            told["checks"] = checks
        if self.asks_back is not None:
            told["answer"] = self.prompts.get(ANSWER, "")
        canonical = json.dumps(told, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]
