"""A task's folder, read and checked before anything is paid: every error names the file and the fix."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cupel.errors import TaskError
from cupel.files import read_text
from cupel.task.computed import DATE, needed_inputs
from cupel.task.declared import check_declared
from cupel.task.dialect import modern
from cupel.task.faults import check_effect, check_rules
from cupel.task.field import Field, field_of
from cupel.task.fit import schema_faults
from cupel.task.form import strict_form
from cupel.task.rendering import read_template
from cupel.task.schema import grounded_quotes, strict_schema
from cupel.task.settings import check_label_tables, check_settings, parse_toml, read_checks, read_table
from cupel.task.spec import (
    ANSWER,
    ENRICHING,
    FURTHER_WAYS,
    GENERIC,
    GENERIC_CRITERIA,
    UNION_BY,
    Example,
    RecordCheck,
    Rule,
    TaskCriterion,
    TaskSpec,
    Window,
)
from cupel.task.tags import tags_of

LATER_PROMPTS = (*FURTHER_WAYS, ANSWER, "improve", "compare", "packing", "bundle")
"""The prompts that work on the others, or around them; a project made before there were any runs all the same."""

SCALAR_RULES = ("first", "last", "longest", "majority", "join")


def task_names(prompts_folder: Path) -> list[str]:
    """Names of the tasks in a prompts folder, sorted."""
    found = (path.parent.name for path in prompts_folder.glob("*/task.toml") if path.is_file())
    return sorted(name for name in found if not name.startswith("_"))


def load_task(name: str, prompts_folder: Path) -> TaskSpec:
    """Read and check one task folder.

    Raises:
        TaskError: If the folder is missing or a file in it is wrong; the text names the file and the fix.
    """
    folder = prompts_folder / name
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name) or not (folder / "task.toml").is_file():
        raise TaskError(_unknown_task(name, task_names(prompts_folder)), path=prompts_folder)
    return _load(name, prompts_folder, _stamp(folder, prompts_folder / GENERIC))


def _unknown_task(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(known) or "none yet"
    return f"no task {name!r} here (tasks: {listed}){hint} A task is a folder with a task.toml."


def _stamp(*folders: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes of a task's files, so that an edit is seen without a restart."""
    files = sorted(path for folder in folders for path in folder.glob("*.*") if path.is_file())
    return tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)


@functools.lru_cache(maxsize=64)
def _load(name: str, prompts_folder: Path, _stamp: tuple[tuple[str, int, int], ...]) -> TaskSpec:
    folder = prompts_folder / name
    settings = _read_settings(folder / "task.toml")
    schema = strict_schema(_read_schema(folder / "schema.json"), path=folder / "schema.json")
    labels = settings.get("labels", {})
    spec = TaskSpec(
        name=name,
        title=settings.get("title", name),
        description=settings.get("description", ""),
        schema=schema,
        prompts=_read_prompts(folder, prompts_folder / GENERIC),
        inputs=_inputs(settings),
        optional_inputs=frozenset(settings.get("optional_inputs", ())),
        output_language=settings.get("output_language", "English"),
        must_fill=tuple(settings.get("must_fill", ())),
        metric=settings.get("metric", "record"),
        wrong_below=float(settings.get("wrong_below", 0.5)),
        window=read_table(Window, settings.get("window", {}), "[window]", folder / "task.toml"),
        merge=settings.get("merge", {}),
        labels=labels,
        criteria=_criteria(settings, folder / "task.toml"),
        rules=read_rules(folder / "rules.toml"),
        examples=_read_examples(folder / "examples.jsonl"),
        exclusive=tuple(map(tuple, settings.get("exclusive", ()))),
        min_quote_words=settings.get("min_quote_words", 0),
        checks=read_checks(settings.get("checks", {}), folder / "task.toml"),
        folder=folder,
    )
    _check(spec, folder)
    check_effect(spec, folder)
    return spec


def _criteria(settings: Mapping[str, Any], path: Path) -> tuple[TaskCriterion, ...]:
    rows = enumerate(settings.get("criteria", ()), start=1)
    return tuple(
        read_table(TaskCriterion, row, f"[[criteria]] {row.get('id', number)!r}", path)
        for number, row in rows
    )


def _inputs(settings: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*settings.get("inputs", ()), *settings.get("optional_inputs", ()))))


def ad_hoc_task(
    schema: Mapping[str, Any],
    instructions: str,
    prompts_folder: Path,
    *,
    inputs: Iterable[str] = (),
    check: RecordCheck | None = None,
    source: Path | str = "output_schema",
) -> TaskSpec:
    """A task made from a JSON Schema and a sentence or two; its identity carries its hash.

    The schema is rewritten for strict structured output: every property required, optional ones
    nullable, nothing extra allowed. Fields marked `"x-grounded": true` are checked against the text.
    Its inputs are those named, the `{{placeholders}}` of its instructions, and, where there is one, what a computed field reads.

    Args:
        schema: A JSON Schema of any draft.
        instructions: What to extract.
        prompts_folder: Where the generic prompts are.
        inputs: Further columns it is given.
        check: What else a record must stand.
        source: Where the schema came from, for whoever has to mend it.

    Raises:
        TaskError: For a schema that is none, or has no form that models can be held to.
    """
    strict = strict_schema(schema, path=source)
    needed = needed_inputs(strict)
    generic = prompts_folder / GENERIC
    spec = TaskSpec(
        name="ad-hoc",
        title=str(schema.get("title", "Record")),
        description=instructions,
        schema=strict,
        prompts=_read_prompts(generic, generic),
        criteria=GENERIC_CRITERIA,
        instructions=instructions,
        inputs=tuple(sorted({*inputs, *tags_of(instructions), *needed})),
        optional_inputs=frozenset(needed).difference(inputs),
        must_fill=_plainly_required(schema),
        check=check,
        given=schema,
    )
    _check(spec, generic, schema=source)
    return spec


SENT = ("extract.md", "rules.toml", "examples.jsonl", "schema.json")
"""Files of a task's folder that are sent whole to an extracting model; of task.toml the labels are."""


def with_files(task: TaskSpec, files: Mapping[str, str], source: Path) -> TaskSpec:
    """The task with other texts for files of its folder; what is checked as a folder is read is checked here.

    Args:
        task: The task as its folder has it.
        files: Name → text, of `SENT` and `task.toml`, of which nothing but the labels may differ.
        source: Where the texts are from, for messages.

    Raises:
        TaskError: For a file or setting that is not sent to an extracting model, and for what is wrong with one.
    """
    if strange := [name for name in files if name not in (*SENT, "task.toml")]:
        raise TaskError(f"{strange[0]} is none of {', '.join(SENT)} and task.toml", path=source)
    changes: dict[str, Any] = {}
    if (text := files.get("extract.md")) is not None:
        changes["prompts"] = {**task.prompts, "extract": text}
    if (text := files.get("rules.toml")) is not None:
        changes["rules"] = _rules(parse_toml(text, source / "rules.toml"), source / "rules.toml")
    if (text := files.get("examples.jsonl")) is not None:
        changes["examples"] = _examples(text, source / "examples.jsonl")
    if (text := files.get("schema.json")) is not None:
        path = source / "schema.json"
        changes["schema"] = strict_schema(_schema(text, path), path=path)
    if (text := files.get("task.toml")) is not None:
        changes["labels"] = _labels_of(task, parse_toml(text, source / "task.toml"), source / "task.toml")
    spec = replace(task, **changes)
    _check(spec, source)
    check_effect(spec, source)
    read_template(spec.prompts["extract"], "extract", inputs=spec.inputs, path=str(source / "extract.md"))
    return spec


def _labels_of(task: TaskSpec, settings: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    own = _read_settings(task.folder / "task.toml") if task.folder else {}
    others = {name for name in {*settings, *own} if settings.get(name) != own.get(name)} - {"labels"}
    if others:
        raise TaskError(
            f"{', '.join(sorted(others))}: not as in the task's own task.toml. Of it a candidate may change the labels; what "
            "decides how a record is judged or compared is changed in the task's folder",
            path=path,
        )
    labels: Mapping[str, Any] = settings.get("labels", {})
    check_label_tables(labels, path)
    return labels


def _plainly_required(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """What the ad-hoc schema required as given and is neither a list nor may be null: it may not come back empty."""
    record = field_of(modern(schema, path="schema"))
    return tuple(
        name
        for name, field in record.fields.items()
        if name in record.required and not field.is_nullable and field.kind != "array"
    )


def _read_settings(path: Path) -> dict[str, Any]:
    settings = _read_toml(path)
    check_settings(settings, path)
    return settings


def _read_text(path: Path) -> str:
    try:
        return read_text(path)
    except FileNotFoundError:
        raise  # what it is for, whoever needs it says
    except OSError as error:
        raise TaskError(
            f"cannot be read: {error.strerror or error}; it is a text in UTF-8", path=path
        ) from error


def _read_toml(path: Path) -> dict[str, Any]:
    return parse_toml(_read_text(path), path)


def _read_schema(path: Path) -> dict[str, Any]:
    try:
        return _schema(_read_text(path), path)
    except FileNotFoundError as error:
        raise TaskError("missing; a task needs the JSON Schema of its record", path=path) from error


def _schema(text: str, path: Path) -> dict[str, Any]:
    try:
        schema = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise TaskError(f"not valid JSON: {error}", path=path) from error
    if not isinstance(schema, dict):
        raise TaskError("the schema must be a JSON object", path=path)
    return schema


def _read_prompts(folder: Path, generic: Path) -> dict[str, str]:
    texts = {}
    for name in (*ENRICHING, *LATER_PROMPTS):
        candidates = [folder / f"{name}.md", generic / f"{name}.md"]
        found = next((path for path in candidates if path.is_file()), None)
        if found is None and name in LATER_PROMPTS:
            continue
        if found is None:
            raise TaskError("missing, and so is the generic one", path=candidates[0])
        texts[name] = _read_text(found)
    return texts


def read_rules(path: Path) -> tuple[Rule, ...]:
    """The rules of a rules.toml; none where there is no such file."""
    return _rules(_read_toml(path), path) if path.is_file() else ()


def parse_rules(text: str, source: str) -> tuple[Rule, ...]:
    r"""The rules in a text as rules.toml has them.

    Raises:
        TaskError: If they cannot be read; it says why, and where they came from.

    >>> [rule.id for rule in parse_rules('[[rules]]\nid = "edges"\ntext = "Copy exactly."', "an edit")]
    ['edges']
    """
    return _rules(parse_toml(text, Path(source)), Path(source))


def _rules(told: Mapping[str, Any], path: Path) -> tuple[Rule, ...]:
    rows = told.get("rules", [])
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise TaskError("needs [[rules]] tables, each with id and text", path=path)
    rules = tuple(
        read_table(
            Rule,
            {**row, "failures": tuple(row.get("failures", ()))},
            f"[[rules]] {row.get('id', at)!r}",
            path,
        )
        for at, row in enumerate(rows, start=1)
    )
    ids = [rule.id for rule in rules]
    if len(set(ids)) < len(ids):
        raise TaskError(f"rule ids must be unique, found {ids}", path=path)
    check_rules(told, rules, path)
    return rules


def _read_examples(path: Path) -> tuple[Example, ...]:
    return _examples(_read_text(path), path) if path.is_file() else ()


def _examples(text: str, path: Path) -> tuple[Example, ...]:
    examples = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            examples.append(Example(id=str(row.get("id", number)), text=row["text"], record=row["record"]))
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise TaskError(
                f"line {number}: needs a JSON object with text and record ({error})", path=path
            ) from error
    return tuple(examples)


def _check(spec: TaskSpec, folder: Path, schema: Path | str = "") -> None:
    toml, schema = folder / "task.toml", schema or folder / "schema.json"
    check_declared(spec, schema, toml)
    strict_form(spec.asked, path=schema)  # refused here, before anything is sent
    fields = spec.fields
    for name in (*spec.must_fill, *spec.merge, *(name for group in spec.exclusive for name in group)):
        if name not in fields:
            raise TaskError(f"field {name!r} is not in schema.json; it has {', '.join(fields)}", path=toml)
    for name in (name for group in spec.exclusive for name in group):
        if not fields[name].holds("x-grounded"):
            raise TaskError(
                f"exclusive: {name!r} holds no quote; mark the field with the document's words x-grounded in schema.json",
                path=toml,
            )
    if spec.min_quote_words and not field_of(spec.schema).holds("x-grounded"):
        raise TaskError("min_quote_words: no field of schema.json is marked x-grounded", path=toml)
    for name, rule in spec.merge.items():
        allowed = _merge_rules(fields[name])
        if rule not in allowed:
            raise TaskError(f"merge rule {rule!r} for {name!r}; use one of {', '.join(allowed)}", path=toml)
    if not 0 <= spec.window.overlap_chars < spec.window.max_chars:
        raise TaskError("window.overlap_chars must be at least 0 and below max_chars", path=toml)
    _check_inputs(spec, toml)
    for example in spec.examples:
        _check_example(example, spec, folder / "examples.jsonl")


def _merge_rules(place: Field) -> tuple[str, ...]:
    if place.kind != "array":
        return SCALAR_RULES
    return (
        "union",
        *(f"{UNION_BY}{name}" for name, own in place.item().fields.items() if own.kind in ("string", "")),
    )


def _check_inputs(spec: TaskSpec, toml: Path) -> None:
    used = {DATE} if spec.computes(DATE) else set()
    used |= {*spec.checks.paths.values(), *spec.checks.values.values()}
    shown = frozenset[str]().union(*(tags_of(spec.prompts.get(kind, "")) for kind in ENRICHING))
    if "inputs" in tags_of(spec.prompts["extract"]):
        shown |= set(spec.inputs)
    if unseen := [name for name in spec.inputs if name not in shown | used]:
        raise TaskError(
            f"the input {unseen[0]!r} is shown by no prompt of the task: put {{{{{unseen[0]}}}}} beside {{{{document}}}} "
            "in extract.md, or leave it out of inputs",
            path=toml,
        )


def _check_example(example: Example, spec: TaskSpec, path: Path) -> None:
    for fault in schema_faults(example.record, spec.schema):
        raise TaskError(
            f"example {example.id!r} does not fit schema.json: {fault.words} (at {fault.where or 'top level'})",
            path=path,
        )
    for pointer, quote in grounded_quotes(example.record, spec.schema):
        if quote not in example.text:
            raise TaskError(
                f"example {example.id!r}: the quote {quote!r} at {pointer} is not in its text", path=path
            )
