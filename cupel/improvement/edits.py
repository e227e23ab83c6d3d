"""How a rewriter may change a prompt: edits of its rules, label definitions and examples, applied by code; the contract stays."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, get_args

from cupel.task import Example, Rule, TaskSpec, tags_of
from cupel.text import visible, words

T = TypeVar("T")

Action = Literal["add", "replace", "delete"]

Part = Literal["rule", "label", "example"]
"""What of a prompt may be edited."""

NAMED_BY: Mapping[Part, str] = {"rule": "rule_id", "label": "label", "example": "example_id"}
"""Under which key a rewriter's reply names what it edits, and so says which part it is of."""

MAX_EDITS = 5
MAX_WORDS: Mapping[Part, int] = {"rule": 60, "label": 60, "example": 150}
"""Longest text of a part; an example is a passage, not a document."""

_ID = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one rule, label definition or example.

    Attributes:
        action: `add`, `replace` or `delete`.
        name: A rule's or example's id, a label as FIELD.LABEL; a new one for `add`, a known one otherwise.
        text: The new rule, definition or example text; empty for `delete`.
        why: What the change is for.
        failures: Ids of the failures it answers.
        part: What it is an edit of.
        record: The record an example shows for its text.
    """

    action: Action
    name: str
    text: str
    why: str
    failures: tuple[str, ...]
    part: Part = "rule"
    record: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The edit as a rewriter's reply has it.

        >>> Edit("delete", "skip", "", "says nothing", ()).to_json()["rule_id"]
        'skip'
        """
        told = {
            "why": self.why, "failures": list(self.failures), "action": self.action, NAMED_BY[self.part]: self.name,
            "text": self.text,
        }  # fmt: skip
        return {**told, "record": self.record} if self.part == "example" else told


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


def locked_parts(task: TaskSpec, *, by_gold: bool) -> dict[Part, str]:
    """The parts of a prompt that a rewriter may not edit, each with the reason.

    Args:
        task: The task; a part its contract does not show reaches no model.
        by_gold: Whether gold decides: a judge reads the labels, and would judge two prompts by different words.
    """
    shown, told = tags_of(task.prompts["extract"]), tags_of(task.prompts.get("improve", ""))
    reasons: dict[Part, str] = {}
    if not by_gold:
        reasons["label"] = "labels are read by the judge too, so without gold no definition may change"
    elif "labels" not in shown:
        reasons["label"] = "the contract shows no {{labels}}"
    if "examples" not in shown:
        reasons["example"] = "the contract shows no {{examples}}"
    elif "examples" not in told:
        reasons["example"] = "improve.md shows a rewriter no {{examples}}"
    return reasons


def texts_of(task: TaskSpec, part: Part) -> list[tuple[str, str]]:
    """What may be edited of a part: name and text, in order.

    A label is named FIELD.LABEL.
    """
    if part == "rule":
        return [(rule.id, rule.text) for rule in task.rules]
    if part == "example":
        return [(example.id, example.text) for example in task.examples]
    return [(f"{name}.{label}", text) for name, own in task.labels.items() for label, text in own.items()]


def contents_of(task: TaskSpec) -> dict[tuple[Part, str], Any]:
    """What each piece of a prompt that may be edited says, by part and name."""
    said: dict[tuple[Part, str], Any] = {
        (part, name): text for part in get_args(Part) for name, text in texts_of(task, part)
    }
    return said | {("example", each.id): (each.text, each.record) for each in task.examples}


def read_edits(
    reply: object, task: TaskSpec, *, most: int = MAX_EDITS, locked: Mapping[Part, str] | None = None
) -> ReadEdits:
    """Read a rewriter's reply into edits that can be applied to a prompt.

    A reply of any other shape (a refusal, nothing, a whole new prompt) gives no edit and says so; it raises
    nothing.

    Args:
        reply: The parsed reply.
        task: The prompt as it is.
        most: Edits taken; more are dropped.
        locked: Parts that may not be edited, each with the reason.
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
        if edit is None:
            reason = "not an edit: it needs action (add, replace, delete), rule_id, label or example_id, text, why and failures"
        else:
            reason = (
                f"one more than {most} edits"
                if len(edits) >= most
                else _objection(edit, task, edits, locked or {})
            )
        if edit is None or reason:
            dropped.append(DroppedEdit(_show(item), reason))
        else:
            edits.append(edit)
    return ReadEdits(tuple(edits), tuple(dropped))


def _read(item: object) -> Edit | None:
    if not isinstance(item, Mapping) or item.get("action") not in get_args(Action):
        return None
    part = next((part for part, key in NAMED_BY.items() if isinstance(item.get(key), str)), None)
    if part is None:
        return None
    failures = item.get("failures")
    told = [name for name in failures if isinstance(name, str)] if isinstance(failures, list) else []
    text, why = (value if isinstance(value, str) else "" for value in (item.get("text"), item.get("why")))
    text = "" if item["action"] == "delete" else visible(text).strip()
    record = item.get("record") if part == "example" and text else None
    return Edit(
        item["action"], item[NAMED_BY[part]].strip(), text if part == "example" else " ".join(text.split()), why.strip(),
        tuple(dict.fromkeys(told)), part, _clean(record) if isinstance(record, Mapping) else None,
    )  # fmt: skip


def _clean(value: Any) -> Any:
    """JSON without invisible characters, as its text is: a quote is looked for in it."""
    if isinstance(value, Mapping):
        return {name: _clean(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_clean(each) for each in value]
    return visible(value) if isinstance(value, str) else value


def _objection(edit: Edit, task: TaskSpec, before: Sequence[Edit], locked: Mapping[Part, str]) -> str:
    what, known = f"{edit.part} {edit.name!r}", dict(texts_of(task, edit.part))
    old, is_new, is_kept = (
        contents_of(task).get((edit.part, edit.name)), edit.action == "add", edit.action != "delete",
    )  # fmt: skip
    most, said = MAX_WORDS[edit.part], [words(text) for text in known.values()]
    checks = (
        (edit.part in locked, locked.get(edit.part, "")),
        (not edit.why, "it gives no reason"),
        (any((edit.part, edit.name) == (e.part, e.name) for e in before), f"a second edit of {what}"),
        (is_new and old is not None, f"{what} is there already"),
        (is_new and edit.part != "label" and not _ID.fullmatch(edit.name), f"{edit.name!r} is no {edit.part} id (a-z, 0-9, _, -)"),
        (is_new and edit.part == "label" and "." not in edit.name, f"{edit.name!r} is no label: write FIELD.LABEL"),
        (not is_new and old is None, f"no {what}; there are {sorted(known)}"),
        (is_kept and not edit.text, f"the {edit.part} has no text"),
        (is_kept and edit.part == "example" and edit.record is None, "the example has no record"),
        (len(words(edit.text)) > most, f"the {edit.part} is longer than {most} words"),
        (is_kept and old is not None and not _changes(edit, old), "it changes nothing"),
        (is_new and edit.part != "label" and words(edit.text) in said, f"another {edit.part} says that already"),
    )  # fmt: skip
    return next((reason for wrong, reason in checks if wrong), "")


def _changes(edit: Edit, old: Any) -> bool:
    says: Any = (edit.text, edit.record) if edit.part == "example" else edit.text
    return bool(old != says)


def _show(item: object) -> str:
    return str(item)[:200]


def apply_edits(task: TaskSpec, edits: Sequence[Edit]) -> TaskSpec:
    """Apply edits to a prompt: what is replaced keeps its place, what is new goes last.

    Raises:
        ValueError: If an edit does not fit the prompt; `read_edits` returns none of those.
    """
    for edit in edits:
        task = _APPLY[edit.part](task, edit)
    return task


def _apply_to_rules(task: TaskSpec, edit: Edit) -> TaskSpec:
    old = next((rule for rule in task.rules if rule.id == edit.name), Rule(edit.name, ""))
    new = replace(old, text=edit.text, why=edit.why, failures=edit.failures, effect="")
    rules = _changed([(rule.id, rule) for rule in task.rules], edit, new)
    return replace(task, rules=tuple(rule for _, rule in rules))


def _apply_to_examples(task: TaskSpec, edit: Edit) -> TaskSpec:
    new = Example(edit.name, edit.text, dict(edit.record or {}))
    examples = _changed([(example.id, example) for example in task.examples], edit, new)
    return replace(task, examples=tuple(example for _, example in examples))


def _apply_to_labels(task: TaskSpec, edit: Edit) -> TaskSpec:
    labels: dict[str, dict[str, str]] = {}
    for name, text in _changed(texts_of(task, "label"), edit, edit.text):
        field, label = _split_label(name, task)
        labels.setdefault(field, {})[label] = text
    return replace(task, labels=labels)


def _split_label(name: str, task: TaskSpec) -> tuple[str, str]:
    """Field and label: a field of ours where one begins so, since either may hold a dot."""
    own = [field for field in (*task.labels, *task.fields) if name.startswith(f"{field}.")]
    field = max(own, key=len, default=name.partition(".")[0])
    return field, name[len(field) + 1 :]


_APPLY: Mapping[Part, Callable[[TaskSpec, Edit], TaskSpec]] = {
    "rule": _apply_to_rules,
    "label": _apply_to_labels,
    "example": _apply_to_examples,
}


def _changed(items: Sequence[tuple[str, T]], edit: Edit, new: T) -> list[tuple[str, T]]:
    names = [name for name, _ in items]
    if (edit.action == "add") == (edit.name in names):
        listed = ", ".join(names) or "none"
        raise ValueError(f"cannot {edit.action} {edit.part} {edit.name!r}; there are {listed}")
    if edit.action == "add":
        return [*items, (edit.name, new)]
    at = names.index(edit.name)
    return [*items[:at], *([] if edit.action == "delete" else [(edit.name, new)]), *items[at + 1 :]]


def rules_diff(before: Sequence[Rule], after: Sequence[Rule]) -> str:
    """Return the unified diff of two lists of rules, one line per rule; empty when they say the same."""
    old, new = ([f"{rule.id}: {rule.text}" for rule in rules] for rules in (before, after))
    return "\n".join(difflib.unified_diff(old, new, "before", "after", lineterm="", n=1))
