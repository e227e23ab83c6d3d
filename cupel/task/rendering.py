"""What the models are told: contract and rules rendered into messages, stable part first."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cupel._memo import Kept
from cupel.errors import TaskError
from cupel.state import JudgeWay
from cupel.task.fences import DOCUMENT, Fenced, fence, neutralise, tags_in, wrap
from cupel.task.field import field_of
from cupel.task.form import strict_form
from cupel.task.inputs import input_text
from cupel.task.node import unmark
from cupel.task.spec import ENRICHING, GENERIC, TaskSpec
from cupel.task.tags import TAG, tags_of

Message = dict[str, str]

PLACEHOLDERS: Mapping[str, frozenset[str]] = {
    "extract": frozenset(
        {
            "labels",
            "rules",
            "examples",
            "output_language",
            "schema",
            "instructions",
            "title",
            "inputs",
            "document",
            "addendum",
        }
    ),
    "verify": frozenset(
        {"labels", "instructions", "title", "inputs", "document", "record", "output_language"}
    ),
    "judge": frozenset(
        {"criteria", "labels", "instructions", "title", "inputs", "document", "record", "output_language"}
    ),
    "judge_items": frozenset(
        {
            "criteria",
            "labels",
            "rules",
            "instructions",
            "title",
            "inputs",
            "document",
            "record",
            "output_language",
        }
    ),
    "adjudicate": frozenset(
        {"labels", "rules", "instructions", "title", "inputs", "document", "record", "output_language"}
    ),
    "refine": frozenset(
        {"criteria", "labels", "instructions", "title", "inputs", "document", "record", "critique", "rules"}
    ),
    "repair": frozenset({"error"}),
    "improve": frozenset(
        {
            "title",
            "instructions",
            "labels",
            "rules",
            "examples",
            "criteria",
            "contract",
            "failures",
            "mended",
            "tried",
        }
    ),
    "packing": frozenset({"contract", "count", "documents"}),
    "answer": frozenset({"title", "instructions", "inputs", "document", "questions"}),
    "bundle": frozenset({"contracts", "count", "schema", "beside", "document"}),
    "compare": frozenset(
        {
            "title",
            "instructions",
            "labels",
            "criteria",
            "output_language",
            "inputs",
            "document",
            "first",
            "second",
        }
    ),
}
"""What each prompt file may ask for, besides the task's own inputs."""

WITHOUT_DOCUMENT = ("repair", "improve", "packing")
"""Prompts that are not told of one document: the one that rewrites rules sees none, the packed one several."""


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt file: the stable system part, and the part that carries the document."""

    system: str
    user: str
    tags: frozenset[str]
    """Names of the tags it stands texts between; none of these texts may hold one."""


def read_template(text: str, kind: str, *, inputs: tuple[str, ...] = (), path: str = "") -> Template:
    """Split a prompt file into its parts and check its placeholders.

    Raises:
        TaskError: For a missing part or an unknown placeholder, naming the ones there are.
    """
    body = re.sub(r"\A---\n.*?\n---\n", "", text, count=1, flags=re.DOTALL)
    parts = re.split(r"^# (system|user)[ \t]*$", body, flags=re.MULTILINE)
    found = {name: part.strip() for name, part in zip(parts[1::2], parts[2::2], strict=True)}
    if "user" not in found:
        raise TaskError('needs a part that starts with the line "# user"', path=path or f"{kind}.md")
    _check_placeholders(text, PLACEHOLDERS[kind] | set(inputs), path or f"{kind}.md")
    if kind not in WITHOUT_DOCUMENT and "{{document}}" not in found["user"].replace(" ", ""):
        raise TaskError("the user part must contain {{document}}", path=path or f"{kind}.md")
    tags = tags_in(body) | {DOCUMENT, *inputs}
    return Template(system=found.get("system", ""), user=found["user"], tags=tags)


def _check_placeholders(text: str, known: frozenset[str] | set[str], path: str) -> None:
    for _, name in TAG.findall(text):
        if name not in known:
            choices = ", ".join(f"{{{{{item}}}}}" for item in sorted(known))
            raise TaskError(f"unknown placeholder {{{{{name}}}}}; this prompt is given {choices}", path=path)


def render(template: str, values: Mapping[str, str]) -> str:
    """Fill a mustache text: `{{name}}`, `{{#name}}…{{/name}}` when filled, `{{^name}}…{{/name}}` when not.

    Values are inserted once and never read again, so a `{{…}}` inside a document stays as it is.

    >>> render("Hello {{name}}{{#more}}, {{more}}{{/more}}.", {"name": "{{more}}", "more": ""})
    'Hello {{more}}.'
    """
    return "".join(_fill(_tokens(template), values))


@functools.lru_cache(maxsize=512)
def _tokens(template: str) -> tuple[tuple[str, str], ...]:
    """The template cut into `(kind, content)`: text, value, open, open-not, close."""
    kinds = {"": "value", "#": "open", "^": "open-not", "/": "close"}
    tokens: list[tuple[str, str]] = []
    position = 0
    for tag in TAG.finditer(template):
        tokens.append(("text", template[position : tag.start()]))
        tokens.append((kinds[tag[1]], tag[2]))
        position = tag.end()
    return (*tokens, ("text", template[position:]))


def _fill(tokens: tuple[tuple[str, str], ...], values: Mapping[str, str]) -> list[str]:
    shown = [True]
    pieces = []
    for kind, content in tokens:
        if kind in ("open", "open-not"):
            shown.append(shown[-1] and bool(values.get(content)) == (kind == "open"))
        elif kind == "close" and len(shown) > 1:
            shown.pop()
        elif shown[-1]:
            pieces.append(content if kind == "text" else values.get(content, ""))
    return pieces


@functools.lru_cache(maxsize=256)
def _template(text: str, kind: str, inputs: tuple[str, ...], path: str) -> Template:
    return read_template(text, kind, inputs=inputs, path=path)


def template_of(task: TaskSpec, kind: str, override: str = "") -> Template:
    """The checked template of one prompt of a task, or of the text that replaces it for a run."""
    where = f"{task.folder / kind}.md" if task.folder and not override else f"{kind}_prompt"
    text = override or task.prompts.get(kind, "")
    if not text:
        raise TaskError(f"missing, and so is the generic one in prompts/{GENERIC}/", path=where)
    if override and kind == "extract":
        _check_inputs(override, task, where)
    return _template(text, kind, task.inputs, where)


def _check_inputs(text: str, task: TaskSpec, where: str) -> None:
    """A text in place of a task's own prompt shows the inputs that one shows; else they would be asked for and not sent."""
    shown = tags_of(text)
    own = tags_of(task.prompts.get("extract", ""))
    lost = [] if "inputs" in shown else [name for name in task.inputs if name in own and name not in shown]
    if lost:
        raise TaskError(
            f"shows no {{{{{lost[0]}}}}}, an input of task {task.name!r}: put it beside {{{{document}}}}",
            path=where,
        )


def asks_for(task: TaskSpec, name: str) -> bool:
    """Whether any prompt that decides a document's outcome shows this placeholder."""
    return any(name in tags_of(task.prompts.get(kind, "")) for kind in ENRICHING)


def check_prompts(task: TaskSpec) -> None:
    """Raise TaskError for a prompt of the task that could not be rendered."""
    for kind in PLACEHOLDERS:
        if kind in task.prompts:
            template_of(task, kind)


def fill_instructions(stable: Mapping[str, str], inputs: Sequence[str]) -> Mapping[str, str]:
    """The stable values, the instructions of a one-off task with where each input stands in their `{{placeholders}}`.

    The cell itself is foreign, and the instructions stand in the system message: they name its tags.

    >>> fill_instructions({"instructions": "For or against {{topic}}?"}, ["topic"])["instructions"]
    'For or against what stands between the topic tags?'
    """
    instructions = stable.get("instructions", "")
    if not inputs or not tags_of(instructions):
        return stable
    named = {name: f"what stands between the {name} tags" for name in inputs}
    return {**stable, "instructions": render(instructions, named)}


def stable_values(
    task: TaskSpec,
    *,
    schema: Mapping[str, Any] | None = None,
    output_language: str = "",
    way: JudgeWay = "criteria",
) -> dict[str, str]:
    """What the placeholders of the system part stand for; the same for every document of a run.

    `schema` is given only for a model that must be shown it, having no structured output of its own; `way` is that of the
    judge, whose criteria are shown.
    """
    return {
        "title": task.title,
        "instructions": task.instructions,
        "labels": _labels(task),
        "rules": "\n".join(f"- {rule.text}" for rule in task.rules),
        "examples": _examples(task),
        "criteria": "\n".join(f"- {item.id}: {item.question}" for item in task.criteria_of(way)),
        "output_language": output_language or task.output_language,
        "schema": sent_schema(schema)[1] if schema else "",
    }


def _labels(task: TaskSpec) -> str:
    """Labels with their definitions under the field they are of; before them the record's fields, which need no head."""
    fields = field_of(task.schema).fields.keys()
    blocks: list[str] = []
    for name, labels in task.labels.items():
        lines = [f"- {label}: {definition}" for label, definition in labels.items()]
        if labels.keys() <= fields:
            blocks.insert(0, "\n".join(lines))
        else:
            blocks.append("\n".join([f"{name}:", *lines]))
    return "\n".join(blocks)


def _examples(task: TaskSpec) -> str:
    """Chosen by the author, written by somebody else: they hold none of the tags of the task's prompts either."""
    tags = frozenset({DOCUMENT, *task.inputs}).union(*map(tags_in, task.prompts.values()))
    shown = [
        f"Text: {example.text}\nRecord: {compact(task.shown(example.record))}" for example in task.examples
    ]
    return neutralise("\n\n".join(shown), tags)


def compact(value: Any) -> str:
    """JSON with no spaces to pay for."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The strict JSON Schema of an object with exactly these properties.

    >>> object_schema({"right": {"type": "boolean"}})["required"]
    ['right']
    """
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def wire_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema as a provider gets it: a copy without our own `x-…` marks, which strict modes refuse.

    A property may be named like a mark, and a value may hold one: those are the user's.

    >>> wire_schema({"properties": {"x-y": {"type": "string", "x-grounded": True}}})
    {'properties': {'x-y': {'type': 'string'}}}
    """
    made: dict[str, Any] = unmark("", schema)
    return made


_sent = Kept[tuple[dict[str, Any], str]]()


def sent_schema(schema: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The schema as a provider gets it, in the form it accepts, and its JSON without spaces; not to be changed.

    The same objects for the same schema.
    """
    return _sent.of((schema,), make=lambda: _as_sent(schema))


def _as_sent(schema: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    wire = wire_schema(strict_form(schema).schema)
    return wire, compact(wire)


def messages(template: Template, stable: Mapping[str, str], varying: Mapping[str, str]) -> list[Message]:
    """System message first, the same for every document, so that providers can cache it; then the document.

    Only the user message ever carries text from elsewhere, and none of it one of the prompt's own tags.

    Args:
        template: The prompt.
        stable: What its author wrote: labels, rules, criteria.
        varying: What came from elsewhere, by placeholder; see `of_document` for a document and its inputs.
    """
    system = _render_stable(template.system, tuple(sorted(stable.items())))
    foreign = {
        name: value if isinstance(value, Fenced) else neutralise(value, template.tags)
        for name, value in varying.items()
    }
    user = {"role": "user", "content": render(template.user, {**stable, **foreign}).strip()}
    return [{"role": "system", "content": system}, user] if system else [user]


def of_document(
    template: Template, inputs: Mapping[str, Any], names: Sequence[str], *, text: str, doc_id: str
) -> dict[str, str]:
    """What a prompt shows of a document: its text and each of its inputs, between tags of their own; all in `{{inputs}}`.

    Args:
        template: The prompt, whose tags none of them may hold.
        inputs: The document's further columns.
        names: The inputs of the task.
        text: The document's, or a window of it.
        doc_id: Named in the document's tag.
    """
    shown = {name: input_text(inputs.get(name)) or "" for name in names}
    cells = {name: fence(cell, name, template.tags) for name, cell in shown.items()}
    every = Fenced("\n".join(cell for cell in cells.values() if cell))
    return {**cells, "inputs": every, "document": wrap(text, doc_id, template.tags)}


@functools.lru_cache(maxsize=128)
def _render_stable(system: str, stable: tuple[tuple[str, str], ...]) -> str:
    return re.sub(r"\n{3,}", "\n\n", render(system, dict(stable))).strip()


def prompt_version(template: Template, stable: Mapping[str, str], schema: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits of all that is sent besides the document: the version of the prompt."""
    return _version(template.system, template.user, tuple(sorted(stable.items())), sent_schema(schema)[1])


@functools.lru_cache(maxsize=256)
def _version(system: str, user: str, stable: tuple[tuple[str, str], ...], schema: str) -> str:
    sent = "\x1e".join((_render_stable(system, stable), user, schema))
    return hashlib.sha256(sent.encode()).hexdigest()[:12]
