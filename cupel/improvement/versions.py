"""Versions of a task's prompt: named by what is sent, kept in the ledger, written back into the task's folder."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cupel.errors import OutputPathError, TaskError, UsageError
from cupel.files import SHARED, read_text, write_whole
from cupel.improvement.edits import rules_diff
from cupel.improvement.guards import prompt_objection
from cupel.improvement.ledger import Entry, Ledger
from cupel.task import Rule, TaskSpec, prompt_version, read_rules, read_template, stable_values, template_of


def version_of(task: TaskSpec) -> str:
    """Twelve hexadecimal digits of what an extracting model is sent besides the document.

    The same ones stand with every record and failure of a model with structured output of its own.
    """
    return prompt_version(template_of(task, "extract"), stable_values(task), task.schema)


def replace_prompt(task: TaskSpec, rules: Sequence[Rule], extract: str = "") -> TaskSpec:
    """The task with other rules, and another contract where one is given; nothing is written."""
    prompts = {**task.prompts, "extract": extract} if extract else task.prompts
    return replace(task, rules=tuple(rules), prompts=prompts)


def contract_problem(task: TaskSpec, extract: str) -> str | None:
    """Why an edited contract may not even be tested, or None when it may: its placeholders and parts must stand."""
    if extract == task.prompts["extract"]:
        return None
    if problem := prompt_objection(task.prompts["extract"], extract):
        return problem
    try:
        read_template(extract, "extract", inputs=task.inputs)
    except TaskError as error:
        return str(error)
    return None


def version_diff(old: TaskSpec, new: TaskSpec) -> str:
    """How two versions differ: the rules, line by line, then the contract."""
    before, after = (spec.prompts["extract"].splitlines() for spec in (old, new))
    contract = difflib.unified_diff(before, after, "before/extract.md", "after/extract.md", lineterm="", n=1)
    return "\n".join([*rules_diff(old.rules, new.rules).splitlines(), *contract])


def rule_rows(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """Rules as plain JSON."""
    return [{**asdict(rule), "failures": list(rule.failures)} for rule in rules]


def rules_of(rows: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Rules from plain JSON."""
    return tuple(Rule(**{**row, "failures": tuple(row.get("failures", ()))}) for row in rows)


def known_version(ledger: Ledger, task: str, wanted: str) -> Entry:
    """The ledger's entry of a version, by its id or enough of its beginning.

    Raises:
        UsageError: For no such version, or several; it lists those there are.
    """
    entries = ledger.entries(task=task, kind="version")
    meant = [entry for entry in entries if entry.key.startswith(wanted)] if wanted else []
    if len(meant) == 1:
        return meant[0]
    problem = f"{len(meant)} versions begin with {wanted!r}" if meant else f"no version {wanted!r}"
    listed = ", ".join(entry.key for entry in (meant or entries)) or "none yet; `cupel improve` makes them"
    raise UsageError(f"{problem} of task {task!r} in its ledger (there are: {listed})")


def as_version(task: TaskSpec, version: Mapping[str, Any]) -> TaskSpec:
    """The task with the rules and the contract of a candidate, or of a version's entry in the ledger."""
    return replace_prompt(task, rules_of(version["rules"]), version["extract"])


def rules_toml(rules: Sequence[Rule], header: str = "") -> str:
    """Rules as rules.toml has them, every field kept.

    >>> print(rules_toml([Rule("edges", "Copy exactly.", why="Or it is not found.")]))
    [[rules]]
    id = "edges"
    text = "Copy exactly."
    why = "Or it is not found."
    <BLANKLINE>
    """
    blocks = [
        "\n".join(["[[rules]]", *(f"{name} = {_toml(value)}" for name, value in _fields(rule))])
        for rule in rules
    ]
    return "\n\n".join([*([header.strip()] if header.strip() else []), *blocks]) + "\n"


def _fields(rule: Rule) -> list[tuple[str, str | Sequence[str]]]:
    """A rule's fields, those that say nothing left out."""
    fields = [(name, getattr(rule, name)) for name in ("id", "text", "why", "failures", "effect")]
    return [(name, value) for name, value in fields if value or name in ("id", "text")]


def _toml(value: str | Sequence[str]) -> str:
    """A TOML string or list of strings: JSON's escapes are TOML's, but for the delete character."""
    return json.dumps(value if isinstance(value, str) else list(value), ensure_ascii=False).replace(
        "\x7f", "\\u007f"
    )


def publish(task: TaskSpec, rules: Sequence[Rule], extract: str, *, against: str) -> None:
    """Write a version into its task's folder: rules.toml, and extract.md where the contract differs.

    Args:
        task: The task as its folder has it now.
        rules: The version's rules.
        extract: Its contract.
        against: The version the folder must be at; a prompt edited since then is not overwritten.

    Raises:
        UsageError: If the folder is at another version.
        OutputPathError: If it cannot be written.
    """
    new, folder_at = version_of(replace_prompt(task, rules, extract)), version_of(task)
    if task.folder is None:
        raise TaskError("an ad-hoc task has no folder to promote into")
    if folder_at not in (against, new):
        raise UsageError(
            f"{task.folder}: its prompt is at {folder_at} now, edited since {against} was compared; test it with "
            "`cupel improve --candidate`, or put the files back"
        )
    path = task.folder / "rules.toml"
    _replace(path, rules_toml(rules, _header(path)))
    if extract != task.prompts["extract"]:
        _replace(task.folder / "extract.md", extract)


def _header(path: Path) -> str:
    """The comments a rules.toml begins with."""
    if not path.is_file():
        return ""
    comments = re.match(r"(?:[ \t]*(?:#[^\n]*)?\n)*", read_text(path))
    return comments[0] if comments else ""


def _replace(path: Path, text: str) -> None:
    try:
        write_whole(path, text, permissions=SHARED)
    except OSError as error:
        raise OutputPathError(f"{path}: cannot be written ({error.strerror or error})") from error


def read_candidate(path: Path, task: TaskSpec) -> TaskSpec:
    """The task with a rules.toml or extract.md that a person edited.

    Raises:
        TaskError: If the file is neither.
    """
    if path.suffix == ".toml" and path.is_file():
        return replace_prompt(task, read_rules(path))
    if path.suffix == ".md" and path.is_file():
        return replace_prompt(task, task.rules, read_text(path))
    raise TaskError("no such file; a candidate is a rules.toml or an extract.md", path=path)
