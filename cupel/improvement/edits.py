"""How a rewriter may change a prompt: edits to its rules, applied by code; the contract stays."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from cupel.task import Rule
from cupel.text import visible, words

Action = Literal["add", "replace", "delete"]

MAX_EDITS = 5
MAX_RULE_WORDS = 60
_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one rule.

    Attributes:
        action: `add`, `replace` or `delete`.
        rule_id: The rule; a new id for `add`, a known one otherwise.
        text: Its new text; empty for `delete`.
        why: What the change is for.
        failures: Ids of the failures it answers.
    """

    action: Action
    rule_id: str
    text: str
    why: str
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DroppedEdit:
    """What a rewriter returned that is not applied, shortened, and why."""

    edit: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadEdits:
    """The edits in a rewriter's reply, and what was dropped from it."""

    edits: tuple[Edit, ...]
    dropped: tuple[DroppedEdit, ...]


def edits_schema(rules: Sequence[Rule], failures: Collection[str]) -> dict[str, Any]:
    """Return the strict JSON Schema of a rewriter's reply.

    Args:
        rules: The rules there are; their ids are told in the description.
        failures: Ids of the failures it was shown.
    """
    ids = ", ".join(rule.id for rule in rules) or "none yet"
    item = {
        "type": "object",
        "properties": {
            "why": {"type": "string"},
            "failures": {"type": "array", "items": {"type": "string", "enum": sorted(failures)}},
            "action": {"type": "string", "enum": list(get_args(Action))},
            "rule_id": {"type": "string", "description": f"A new id for add, else one of: {ids}"},
            "text": {"type": "string", "description": "The rule's whole text; empty for delete"},
        },
        "required": ["why", "failures", "action", "rule_id", "text"],
        "additionalProperties": False,
    }
    edits = {"type": "array", "items": item}
    return {
        "type": "object",
        "properties": {"edits": edits},
        "required": ["edits"],
        "additionalProperties": False,
    }


def read_edits(reply: object, rules: Sequence[Rule], *, most: int = MAX_EDITS) -> ReadEdits:
    """Read a rewriter's reply into edits that can be applied to the rules.

    A reply of any other shape (a refusal, nothing, a whole new prompt) gives no edit and says so; it raises
    nothing.

    Args:
        reply: The parsed reply, of `edits_schema`.
        rules: The rules as they are.
        most: Edits taken; more are dropped.
    """
    items = reply.get("edits") if isinstance(reply, Mapping) else None
    if not isinstance(items, list):
        reason = "the rewriter gave no reply" if reply is None else "the reply holds no edits"
        return ReadEdits((), (DroppedEdit(_show(reply), reason),))
    if not items:
        return ReadEdits((), (DroppedEdit("", "the rewriter proposes no edit"),))
    edits: list[Edit] = []
    dropped: list[DroppedEdit] = []
    for item in items:
        edit = _read(item)
        reason = _objection(edit, rules, edits, most)
        if edit is None or reason:
            dropped.append(DroppedEdit(_show(item), reason))
        else:
            edits.append(edit)
    return ReadEdits(tuple(edits), tuple(dropped))


def _read(item: object) -> Edit | None:
    if not isinstance(item, Mapping) or item.get("action") not in get_args(Action):
        return None
    failures = item.get("failures")
    named = [name for name in failures if isinstance(name, str)] if isinstance(failures, list) else []
    values = (item.get(key) for key in ("rule_id", "text", "why"))
    rule_id, text, why = (value if isinstance(value, str) else "" for value in values)
    text = "" if item["action"] == "delete" else " ".join(visible(text).split())
    return Edit(item["action"], rule_id.strip(), text, why.strip(), tuple(dict.fromkeys(named)))


def _objection(edit: Edit | None, rules: Sequence[Rule], before: Sequence[Edit], most: int) -> str:
    if edit is None:
        return "not an edit: it needs action (add, replace, delete), rule_id, text, why and failures"
    ids, adds = {rule.id for rule in rules}, edit.action == "add"
    said = [words(rule.text) for rule in rules]
    checks = (
        (len(before) >= most, f"one more than {most} edits"),
        (not edit.why, "it gives no reason"),
        (any(edit.rule_id == other.rule_id for other in before), f"a second edit of rule {edit.rule_id!r}"),
        (adds and edit.rule_id in ids, f"there is a rule {edit.rule_id!r} already"),
        (adds and not _ID.fullmatch(edit.rule_id), f"{edit.rule_id!r} is no rule id (a-z, 0-9, _)"),
        (not adds and edit.rule_id not in ids, f"no rule {edit.rule_id!r}; there are {sorted(ids)}"),
        (edit.action != "delete" and not edit.text, "the rule has no text"),
        (len(words(edit.text)) > MAX_RULE_WORDS, f"the rule is longer than {MAX_RULE_WORDS} words"),
        (edit.action == "replace" and any(edit.text == rule.text for rule in rules), "it changes nothing"),
        (adds and words(edit.text) in said, "such a rule exists"),
    )
    return next((reason for wrong, reason in checks if wrong), "")


def _show(item: object) -> str:
    return str(item)[:200]


def apply_edits(rules: Sequence[Rule], edits: Sequence[Edit]) -> tuple[Rule, ...]:
    """Apply edits to a list of rules: a replaced rule keeps its place, a new one goes last.

    Raises:
        ValueError: If an edit does not fit the rules; `read_edits` returns none of those.

    >>> old = [Rule("a", "Be exact."), Rule("b", "Be brief.")]
    >>> [rule.text for rule in apply_edits(old, [Edit("delete", "b", "", "says nothing", ())])]
    ['Be exact.']
    """
    after = {rule.id: rule for rule in rules}
    for edit in edits:
        if (edit.action == "add") == (edit.rule_id in after):
            ids = ", ".join(after) or "none"
            raise ValueError(f"cannot {edit.action} rule {edit.rule_id!r}; there are {ids}")
        if edit.action == "delete":
            del after[edit.rule_id]
        else:
            old = after.get(edit.rule_id) or Rule(edit.rule_id, "")
            after[edit.rule_id] = replace(
                old, text=edit.text, why=edit.why, failures=edit.failures, effect=""
            )
    return tuple(after.values())


def rules_diff(before: Sequence[Rule], after: Sequence[Rule]) -> str:
    """Return the unified diff of two lists of rules, one line per rule; empty when they say the same."""
    old, new = ([f"{rule.id}: {rule.text}" for rule in rules] for rules in (before, after))
    return "\n".join(difflib.unified_diff(old, new, "before", "after", lineterm="", n=1))
