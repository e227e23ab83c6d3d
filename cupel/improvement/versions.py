"""Versions of a task's prompt: named by what is sent, kept in the ledger, written back into the task's folder."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cupel.errors import OutputPathError, TaskError, UsageError
from cupel.files import SHARED, full_path, make_folder, read_text, write_whole
from cupel.improvement.edits import rules_diff
from cupel.improvement.guards import prompt_objection
from cupel.improvement.ledger import Entry, Ledger
from cupel.judging import check_task
from cupel.runlog import now
from cupel.task import (
    SENT,
    Rule,
    TaskCriterion,
    TaskSpec,
    compact,
    parse_rules,
    prompt_version,
    read_template,
    stable_values,
    template_of,
    with_files,
)


def version_of(task: TaskSpec) -> str:
    """Twelve hexadecimal digits of what an extracting model is sent besides the document.

    The same ones stand with every record and failure of a model with structured output of its own.
    """
    return prompt_version(template_of(task, "extract"), stable_values(task), task.asked)


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
    """How two versions differ, and in what: rules, labels, examples, schema and contract, each under its name."""
    parts = (
        ("rules", rules_diff(old.rules, new.rules).splitlines()),
        ("labels", _diff(_label_lines(old), _label_lines(new), "labels")),
        ("examples", _diff(_example_lines(old), _example_lines(new), "examples")),
        ("schema", _diff(_schema_lines(old), _schema_lines(new), "schema.json")),
        (
            "contract",
            _diff(old.prompts["extract"].splitlines(), new.prompts["extract"].splitlines(), "extract.md"),
        ),
    )
    changed = [name for name, lines in parts if lines]
    lines = [line for _, found in parts for line in found]
    return "\n".join([f"changed: {', '.join(changed)}", *lines] if changed else [])


def _diff(before: Sequence[str], after: Sequence[str], name: str) -> list[str]:
    return list(difflib.unified_diff(before, after, f"before/{name}", f"after/{name}", lineterm="", n=1))


def _label_lines(task: TaskSpec) -> list[str]:
    return [
        f"{field}.{label}: {words}"
        for field, labels in task.labels.items()
        for label, words in labels.items()
    ]


def _example_lines(task: TaskSpec) -> list[str]:
    return [f"{each.id}: {each.text} → {compact(each.record)}" for each in task.examples]


def _schema_lines(task: TaskSpec) -> list[str]:
    return json.dumps(task.schema, indent=1, ensure_ascii=False).splitlines()


def parts_of(task: TaskSpec) -> dict[str, Any]:
    """All of a version that is sent besides the document, as the ledger keeps it; the judge's criteria stand beside it.

    What its folder says in the same words is kept word for word, comments included.
    """
    return {
        "rules": rule_rows(task.rules), "extract": task.prompts["extract"],
        "labels": [[name, [list(pair) for pair in labels.items()]] for name, labels in task.labels.items()],
        "criteria": [_criterion_row(criterion) for criterion in task.criteria],
        "examples": _own_text(task, "examples.jsonl", "examples") or _examples_text(task),
        "schema": _own_text(task, "schema.json", "schema") or json.dumps(task.schema, indent=2, ensure_ascii=False) + "\n",
        "rules_text": _own_text(task, "rules.toml", "rules") or rules_toml(task.rules),
    }  # fmt: skip


def _criterion_row(criterion: TaskCriterion) -> dict[str, Any]:
    return {name: value for name, value in asdict(criterion).items() if name != "way" or value}


def _own_text(task: TaskSpec, name: str, part: str) -> str:
    """A file of the task's folder as it is, where it says what the task says; else nothing."""
    path = task.folder / name if task.folder is not None else None
    if path is None or not path.is_file():
        return ""
    text = read_text(path)
    try:
        said = with_files(task, {name: text}, path.parent)
    except TaskError:
        return ""
    return text if getattr(said, part) == getattr(task, part) else ""


def _examples_text(task: TaskSpec) -> str:
    """Examples as examples.jsonl has them: a line of the folder's that says one of them stays as it is."""
    path = task.folder / "examples.jsonl" if task.folder is not None else None
    own = _lines_by_example(read_text(path)) if path is not None and path.is_file() else {}
    rows = [{"id": each.id, "text": each.text, "record": each.record} for each in task.examples]
    return "".join(own.get(compact(row), json.dumps(row, ensure_ascii=False)) + "\n" for row in rows)


def _lines_by_example(text: str) -> dict[str, str]:
    """Each line by what it says of an example; what else it says, such as a source, stays in it."""
    lines: dict[str, str] = {}
    for line in text.splitlines():
        with contextlib.suppress(ValueError, AttributeError):  # a file that is being edited now
            row = json.loads(line)
            lines.setdefault(compact({name: row.get(name) for name in ("id", "text", "record")}), line)
    return lines


def rule_rows(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """Rules as plain JSON."""
    return [{**asdict(rule), "failures": list(rule.failures)} for rule in rules]


def rules_of(rows: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Rules from plain JSON."""
    return tuple(Rule(**{**row, "failures": tuple(row.get("failures", ()))}) for row in rows)


def keep_edit(ledger: Ledger, task: TaskSpec) -> str | None:
    """Keep what a person wrote into a task's folder as a version of theirs, where the ledger does not know it yet.

    Returns:
        Its version; None where it was known.
    """
    version = version_of(task)
    if any(entry.key == version for entry in ledger.entries(task=task.name, kind="version")):
        return None
    parent = ledger.active(task.name)
    data = {"version": version, "parent": parent, "author": "human", **parts_of(task)}
    ledger.append("version", task=task.name, key=version, at=now(), data=data)
    return version


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
    """The task with all a candidate, or a version's entry in the ledger, says; what an old entry lacks is the task's own."""
    kept = {"examples.jsonl": version.get("examples"), "schema.json": version.get("schema")}
    texts = {name: text for name, text in kept.items() if text is not None}
    labels = version.get("labels")
    # pairs, since a ledger sorts the keys of its objects, and a model reads labels in their order
    own = replace(task, labels={name: dict(pairs) for name, pairs in labels}) if labels is not None else task
    own = replace_prompt(own, rules_of(version["rules"]), version["extract"])
    return with_files(own, texts, task.folder or Path(task.name)) if texts else own


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


def publish(
    task: TaskSpec, rules: Sequence[Rule], extract: str, *, against: str, version: Mapping[str, Any] | None = None,
    aside: Path | None = None,
) -> None:  # fmt: skip
    """Write a version into its task's folder, file by file where it says something else; nothing is lost by it.

    Args:
        task: The task as its folder has it now.
        rules: The version's rules.
        extract: Its contract.
        against: The version the folder must be at; a prompt edited since then is not overwritten.
        version: All that the ledger keeps of it.
        aside: Folder in which a file that is replaced is kept.

    Raises:
        UsageError: If the folder is at another version.
        OutputPathError: If it cannot be written.
    """
    kept = dict(version or {})
    wanted = as_version(task, {**kept, "rules": rule_rows(rules), "extract": extract})
    folder_at = version_of(task)
    if task.folder is None:
        raise TaskError("an ad-hoc task has no folder to promote into")
    if folder_at not in (against, version_of(wanted)):
        raise UsageError(
            f"{task.folder}: its prompt is at {folder_at} now, edited since {against} was compared; test it with "
            "`cupel improve --candidate`, or put the files back"
        )
    path = task.folder / "rules.toml"
    texts = {"rules.toml": rules_toml(rules, _header(path))}
    if (own := kept.get("rules_text")) and parse_rules(own, "rules.toml") == tuple(rules):
        texts["rules.toml"] = own
    if extract != task.prompts["extract"]:
        texts["extract.md"] = extract
    for name, part in (("examples.jsonl", "examples"), ("schema.json", "schema")):
        if getattr(wanted, part) != getattr(task, part):
            texts[name] = kept[part]
    if wanted.labels != task.labels:
        toml = task.folder / "task.toml"
        texts["task.toml"] = relabel(read_text(toml), wanted.labels, toml)
    for name, text in texts.items():
        _replace(task.folder / name, text, aside)


def relabel(toml: str, labels: Mapping[str, Mapping[str, str]], path: Path) -> str:
    """A task.toml with other labels, and everything else in it as it was, comments too.

    Raises:
        TaskError: Where it is written in a way that cannot be edited so; it says what to write by hand.
    """
    lines, kept, inside = toml.splitlines(), list[str](), False
    at: int | None = None
    for line in lines:
        if line.lstrip().startswith("["):
            inside = bool(re.match(r"\s*\[labels[.\]]", line))
            at = len(kept) if inside and at is None else at
        if not inside:
            kept.append(line)
    blocks = [
        "\n".join(
            [
                f"[labels.{_key(name)}]",
                *(f"{_key(label)} = {_toml(words)}" for label, words in own.items()),
                "",
            ]
        )
        for name, own in labels.items()
    ]
    place = len(kept) if at is None else at
    text = "\n".join([*kept[:place], *blocks, *kept[place:]]) + "\n"
    before, after = tomllib.loads(toml), tomllib.loads(text)
    others = [{name: value for name, value in each.items() if name != "labels"} for each in (before, after)]
    if others[0] != others[1] or after.get("labels", {}) != labels:
        raise TaskError(
            "its labels cannot be replaced by code; write them by hand:\n" + "\n".join(blocks), path=path
        )
    return text


def _key(name: str) -> str:
    """A key of TOML, in quotes where it needs them."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _header(path: Path) -> str:
    """The comments a rules.toml begins with."""
    if not path.is_file():
        return ""
    comments = re.match(r"(?:[ \t]*(?:#[^\n]*)?\n)*", read_text(path))
    return comments[0] if comments else ""


def _replace(path: Path, text: str, aside: Path | None) -> None:
    try:
        if path.is_file() and (old := path.read_bytes()) != text.encode():
            if aside is not None:
                kept = aside / f"{hashlib.sha256(old).hexdigest()[:12]}-{path.name}"
                make_folder(aside)
                write_whole(kept, old)
            write_whole(path, text, permissions=SHARED)
        elif not path.is_file():
            write_whole(path, text, permissions=SHARED)
    except OSError as error:
        raise OutputPathError(f"{path}: cannot be written ({error.strerror or error})") from error


def read_candidate(path: Path, task: TaskSpec) -> TaskSpec:
    """The task with what a person edited: a rules.toml, an extract.md, or a folder with any file that is sent.

    Raises:
        TaskError: If it is none of these, or changes how records are judged or compared, which no gate could weigh.
    """
    if path.is_dir():
        return _read_folder(path, task)
    if not path.is_file():
        raise TaskError(
            "no such file or folder; a candidate is a rules.toml, an extract.md or a folder of them",
            path=path,
        )
    if path.suffix == ".md":
        return replace_prompt(task, task.rules, read_text(path))
    if path.suffix == ".toml":
        text = read_text(path)
        if not parse_rules(text, str(path)):
            raise TaskError(
                "holds no [[rules]]: a candidate is a rules.toml, an extract.md or a folder of them",
                path=path,
            )
        return replace_prompt(task, parse_rules(text, str(path)))
    raise TaskError("a candidate is a rules.toml, an extract.md or a folder of them", path=path)


def is_path(name: str, folder: Path) -> bool:
    """Whether a candidate's name is of a file or folder rather than of a version."""
    path = folder / name
    return bool(Path(name).suffix) or len(Path(name).parts) > 1 or path.exists()


def _read_folder(path: Path, task: TaskSpec) -> TaskSpec:
    files = {
        each.name: read_text(each)
        for each in sorted(path.iterdir())
        if each.is_file() and each.suffix in (".md", ".toml", ".json", ".jsonl") and each.name != "README.md"
    }
    own = task.folder or path
    sent = {name: text for name, text in files.items() if name in (*SENT, "task.toml")}
    for name in files.keys() - sent.keys():
        same = own / name
        if not same.is_file() or read_text(same) != files[name]:
            raise TaskError(
                f"is not sent to the extracting model: a candidate is made of {', '.join(SENT)} and the labels of task.toml. "
                "What judges a record is changed in the task's folder, or the candidate would be judged by itself",
                path=path / name,
            )
    if not sent:
        raise TaskError(f"holds none of {', '.join((*SENT, 'task.toml'))}: no candidate", path=path)
    candidate = replace(with_files(task, sent, path), folder=path)
    check_task(candidate)
    return candidate


def copy_prompt(task: TaskSpec, folder: Path) -> list[str]:
    """Copy the files that are sent into a folder to edit; the names of those copied.

    Raises:
        OutputPathError: If the folder holds anything, or cannot be written.
    """
    if task.folder is None:
        raise TaskError("an ad-hoc task has no folder to copy")
    folder = full_path(folder)  # "new/../mine" is mine
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputPathError(f"{folder}: is there and not empty; choose another folder")
    names = [name for name in (*SENT, "task.toml") if (task.folder / name).is_file()]
    try:
        make_folder(folder)
        for name in names:
            write_whole(folder / name, (task.folder / name).read_bytes(), permissions=SHARED)
        if "extract.md" not in names:
            write_whole(folder / "extract.md", task.prompts["extract"], permissions=SHARED)
            names.append("extract.md")
    except OSError as error:
        raise OutputPathError(f"{folder}: cannot be written ({error.strerror or error})") from error
    return names
