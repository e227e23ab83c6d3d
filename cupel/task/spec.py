"""A task: what to extract, told once in a folder and checked before anything is paid."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cupel.errors import TaskError
from cupel.state import Record

GENERIC = "_generic"
"""Folder with the prompts of ad-hoc tasks, and of tasks that leave one out."""

ENRICHING = ("extract", "judge", "refine", "repair", "verify")
"""The prompts that decide a document's outcome."""

LATER_PROMPTS = ("improve", "compare", "packing")
"""The prompts that work on the others, or around them; a project made before there were any runs all the same."""

SCALAR_RULES = ("first", "last", "longest", "majority", "join")


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
    instructions: str = ""
    folder: Path | None = None

    @functools.cached_property
    def identity(self) -> str:
        """Twelve hexadecimal digits that stand for this very wording of the task."""
        told = {
            "schema": self.schema, "labels": self.labels,
            "prompts": {kind: self.prompts.get(kind) for kind in ENRICHING},
            "rules": [[rule.id, rule.text] for rule in self.rules], "instructions": self.instructions,
            "examples": [[example.text, example.record] for example in self.examples],
            "criteria": [[c.id, c.question, c.critical, c.weight] for c in self.criteria],
            "window": [self.window.max_chars, self.window.overlap_chars], "merge": dict(self.merge),
            "must_fill": self.must_fill, "language": self.output_language, "inputs": self.inputs,
        }  # fmt: skip
        canonical = json.dumps(told, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def task_names(prompts_folder: Path) -> list[str]:
    """Names of the tasks in a prompts folder, sorted."""
    found = (path.parent.name for path in prompts_folder.glob("*/task.toml"))
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
    files = sorted(path for folder in folders for path in folder.glob("*.*"))
    return tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)


@functools.lru_cache(maxsize=64)
def _load(name: str, prompts_folder: Path, _stamp: tuple[tuple[str, int, int], ...]) -> TaskSpec:
    folder = prompts_folder / name
    settings = _read_toml(folder / "task.toml")
    schema = strict_schema(_read_schema(folder / "schema.json"), path=folder / "schema.json")
    labels = settings.get("labels", {})
    spec = TaskSpec(
        name=name,
        title=settings.get("title", name),
        description=settings.get("description", ""),
        schema=schema,
        prompts=_read_prompts(folder, prompts_folder / GENERIC),
        inputs=tuple(settings.get("inputs", ())),
        output_language=settings.get("output_language", "English"),
        must_fill=tuple(settings.get("must_fill", ())),
        metric=settings.get("metric", "record"),
        wrong_below=float(settings.get("wrong_below", 0.5)),
        window=_table(Window, settings.get("window", {}), folder / "task.toml"),
        merge=settings.get("merge", {}),
        labels=labels,
        criteria=tuple(
            _table(TaskCriterion, row, folder / "task.toml") for row in settings.get("criteria", ())
        ),
        rules=read_rules(folder / "rules.toml"),
        examples=_read_examples(folder / "examples.jsonl"),
        folder=folder,
    )
    _check(spec, folder)
    return spec


def ad_hoc_task(schema: Mapping[str, Any], instructions: str, prompts_folder: Path) -> TaskSpec:
    """A task made from a JSON Schema and a sentence or two; its name carries its hash.

    The schema is rewritten for strict structured output: every property required, optional ones
    nullable, nothing extra allowed. Fields marked `"x-grounded": true` are checked against the text.
    """
    strict = strict_schema(dict(schema), path="output_schema")
    generic = prompts_folder / GENERIC
    spec = TaskSpec(
        name="ad-hoc",
        title=str(schema.get("title", "Record")),
        description=instructions,
        schema=strict,
        prompts=_read_prompts(generic, generic),
        criteria=GENERIC_CRITERIA,
        instructions=instructions,
        must_fill=_plainly_required(schema),
    )
    _check(spec, generic)
    return spec


GENERIC_CRITERIA = (
    TaskCriterion(
        "supported",
        "Is every value of the record supported by the document, with nothing invented?",
        critical=True,
    ),
    TaskCriterion(
        "follows_instructions", "Does the record contain what the instructions ask for?", critical=True
    ),
    TaskCriterion("complete", "Is nothing that the instructions ask for, and the document states, missing?"),
)


def _plainly_required(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Scalars the ad-hoc schema required as given: these may not come back empty."""
    properties = schema.get("properties", {})
    required = schema.get("required", ())
    return tuple(
        name for name in required if properties.get(name, {}).get("type") not in ("array", ["array", "null"])
    )


def strict_schema(schema: dict[str, Any], *, path: Path | str) -> dict[str, Any]:
    """The same schema as strict structured output wants it.

    Objects allow nothing extra and require every property; a property that was optional becomes
    nullable. Raises TaskError for what is not a JSON Schema of an object.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path)) or "top level"
        raise TaskError(f"not a JSON Schema: {error.message} (at {where})", path=path) from error
    if schema.get("type") != "object" or not schema.get("properties"):
        raise TaskError('the schema must describe an object: "type": "object" with "properties"', path=path)
    strict: dict[str, Any] = _strict(schema)
    return strict


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {
        key: _strict(value) for key, value in node.items() if key not in ("$schema", "default", "examples")
    }
    if isinstance(node.get("properties"), dict):
        required = set(node.get("required", ()))
        properties = {name: _strict(value) for name, value in node["properties"].items()}
        made["properties"] = {
            name: value if name in required else _nullable(value) for name, value in properties.items()
        }
        made["required"] = list(properties)
        made["additionalProperties"] = False
    return made


def _nullable(node: dict[str, Any]) -> dict[str, Any]:
    if "enum" in node and None not in node["enum"]:
        node = {**node, "enum": [*node["enum"], None]}
    kind = node.get("type")
    if isinstance(kind, str) and kind != "null":
        return {**node, "type": [kind, "null"]}
    if isinstance(kind, list):
        return {**node, "type": [*kind, *([] if "null" in kind else ["null"])]}
    if "anyOf" in node:
        return {**node, "anyOf": [*node["anyOf"], {"type": "null"}]}
    if "enum" in node:
        return node
    return {"anyOf": [node, {"type": "null"}]}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TaskError(f"not valid TOML: {error}", path=path) from error


def _table(kind: Any, row: Mapping[str, Any], path: Path) -> Any:
    try:
        return kind(**row)
    except TypeError as error:
        known = ", ".join(kind.__dataclass_fields__)
        raise TaskError(
            f"{kind.__name__.lower()} {dict(row)!r}: {error}; known keys: {known}", path=path
        ) from error


def _read_schema(path: Path) -> dict[str, Any]:
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TaskError("missing; a task needs the JSON Schema of its record", path=path) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
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
        texts[name] = found.read_text(encoding="utf-8")
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
    try:
        return _rules(tomllib.loads(text), Path(source))
    except tomllib.TOMLDecodeError as error:
        raise TaskError(f"not valid TOML: {error}", path=Path(source)) from error


def _rules(told: Mapping[str, Any], path: Path) -> tuple[Rule, ...]:
    rows = told.get("rules", [])
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise TaskError("needs [[rules]] tables, each with id and text", path=path)
    rules = tuple(_table(Rule, {**row, "failures": tuple(row.get("failures", ()))}, path) for row in rows)
    ids = [rule.id for rule in rules]
    if len(set(ids)) < len(ids):
        raise TaskError(f"rule ids must be unique, found {ids}", path=path)
    return rules


def _read_examples(path: Path) -> tuple[Example, ...]:
    if not path.is_file():
        return ()
    examples = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            examples.append(Example(id=str(row.get("id", number)), text=row["text"], record=row["record"]))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise TaskError(
                f"line {number}: needs a JSON object with text and record ({error})", path=path
            ) from error
    return tuple(examples)


def _check(spec: TaskSpec, folder: Path) -> None:
    toml = folder / "task.toml"
    properties = spec.schema["properties"]
    for name in (*spec.must_fill, *spec.merge):
        if name not in properties:
            raise TaskError(
                f"field {name!r} is not in schema.json; it has {', '.join(properties)}", path=toml
            )
    for name, rule in spec.merge.items():
        allowed = ("union",) if _is_list(properties[name]) else SCALAR_RULES
        if rule not in allowed:
            raise TaskError(f"merge rule {rule!r} for {name!r}; use one of {', '.join(allowed)}", path=toml)
    if not 0 <= spec.window.overlap_chars < spec.window.max_chars:
        raise TaskError("window.overlap_chars must be at least 0 and below max_chars", path=toml)
    for example in spec.examples:
        _check_example(example, spec, folder / "examples.jsonl")


def _is_list(node: Mapping[str, Any]) -> bool:
    kind = node.get("type")
    return kind == "array" or (isinstance(kind, list) and "array" in kind)


def _check_example(example: Example, spec: TaskSpec, path: Path) -> None:
    from jsonschema import Draft202012Validator

    problem = next(iter(Draft202012Validator(spec.schema).iter_errors(example.record)), None)
    if problem is not None:
        where = "/".join(map(str, problem.absolute_path)) or "top level"
        raise TaskError(
            f"example {example.id!r} does not fit schema.json: {problem.message} (at {where})", path=path
        )
    for pointer, quote in grounded_quotes(example.record, spec.schema):
        if quote not in example.text:
            raise TaskError(
                f"example {example.id!r}: the quote {quote!r} at {pointer} is not in its text", path=path
            )


def grounded_quotes(record: Any, schema: Mapping[str, Any]) -> list[tuple[str, str]]:
    """JSON pointer and text of every quote of a record, in reading order.

    >>> schema = {"properties": {"q": {"type": "string", "x-grounded": True}}}
    >>> grounded_quotes({"q": "we must act"}, schema)
    [('/q', 'we must act')]
    """
    return list(_walk(record, schema, "", schema))


def _walk(value: Any, schema: Mapping[str, Any], pointer: str, root: Mapping[str, Any]) -> Any:
    schema = _resolve(schema, root)
    if schema.get("x-grounded") and isinstance(value, str):
        yield pointer, value
    elif isinstance(value, list):
        item_schema = {
            **schema.get("items", {}),
            **({"x-grounded": True} if schema.get("x-grounded") else {}),
        }
        for index, item in enumerate(value):
            yield from _walk(item, item_schema, f"{pointer}/{index}", root)
    elif isinstance(value, dict):
        properties = schema.get("properties", {})
        for name, item in value.items():
            yield from _walk(item, properties.get(name, {}), f"{pointer}/{name}", root)


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        node: Any = root
        for part in reference[2:].split("/"):
            node = node.get(part, {}) if isinstance(node, dict) else {}
        return {**node, **{key: value for key, value in schema.items() if key != "$ref"}}
    for choice in schema.get("anyOf", ()):
        if isinstance(choice, dict) and choice.get("type") != "null":
            return {**_resolve(choice, root), **{k: v for k, v in schema.items() if k != "anyOf"}}
    return schema
