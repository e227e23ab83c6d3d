"""One request about a document for several tasks, and what each of them gets of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cupel.engine.ask import Answer, Question, ask, is_answered
from cupel.engine.bundle.terms import Bundle
from cupel.engine.packing import share
from cupel.engine.run import Asking
from cupel.engine.runtime import current
from cupel.models import capabilities, estimate_tokens
from cupel.runlog import PromptVersion
from cupel.state import Call, Record
from cupel.task import (
    Fenced,
    Message,
    TaskSpec,
    Template,
    apart,
    compact,
    fill_instructions,
    messages,
    object_schema,
    of_document,
    prompt_version,
    render,
    sent_schema,
    stable_values,
    template_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One task's words in the request."""

    task: TaskSpec
    template: Template
    stable: Mapping[str, str]

    @property
    def contract(self) -> str:
        """What the task says that is the same for every document."""
        said = messages(self.template, self.stable, {})
        return said[0]["content"] if self.template.system else ""

    def beside(self, inputs: Mapping[str, Any], tags: frozenset[str]) -> str:
        """What it shows beside the document: its further inputs, in its own words."""
        shown = of_document(replace(self.template, tags=tags), inputs, self.task.inputs, text="", doc_id="")
        values = {**self.stable, **shown, "document": "", "addendum": ""}
        said = render(self.template.user, values).strip()
        return f"For the task {self.task.name}:\n{said}" if said else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledPrompt:
    """The prompt of several tasks about one document, and the version it has."""

    around: Template
    parts: tuple[_Part, ...]
    stable: Mapping[str, str]
    schema: Mapping[str, Any]
    version: str

    def messages(self, text: str, doc_id: str, inputs: Mapping[str, Any]) -> list[Message]:
        """The request about a document: every contract, then what stands beside it, then the document, once."""
        tags = self.around.tags.union(*(part.template.tags for part in self.parts))
        beside = [said for part in self.parts if (said := part.beside(inputs, tags))]
        document = of_document(replace(self.around, tags=tags), {}, (), text=text, doc_id=doc_id)["document"]
        return messages(
            self.around, self.stable, {"beside": Fenced("\n\n".join(beside)), "document": document}
        )


def bundled_prompt(bundle: Bundle, model: str) -> BundledPrompt:
    """The prompt that asks a model for the records of several tasks.

    Raises:
        TaskError: If the project has no `_generic/bundle.md`.
    """
    around, schema = template_of(bundle.tasks[0], "bundle"), bundle_schema(bundle)
    parts = tuple(_part(task, bundle) for task in bundle.tasks)
    contracts = "\n\n".join(f"Task {part.task.name}\n{part.contract}" for part in parts)
    in_text = capabilities(model).structured != "json_schema"
    stable = {
        "count": str(len(parts)),
        "contracts": contracts,
        "schema": sent_schema(schema)[1] if in_text else "",
    }
    users = "\x1e".join(part.template.user for part in parts)
    version = prompt_version(replace(around, user=f"{around.user}\x1e{users}"), stable, schema)
    return BundledPrompt(around=around, parts=parts, stable=stable, schema=schema, version=version)


def _part(task: TaskSpec, bundle: Bundle) -> _Part:
    values = stable_values(task, output_language=bundle.context.output_language)
    return _Part(
        task=task,
        template=template_of(task, "extract"),
        stable=fill_instructions(values, task.inputs),
    )


def bundle_schema(bundle: Bundle) -> dict[str, Any]:
    """The schema of the answer: a list of records, each with its task's name; definitions stay where `$ref` finds them."""
    entries, shared = [], dict[str, Any]()
    for task in bundle.tasks:
        record, definitions = apart(task.asked)
        entries.append(object_schema({"task": {"type": "string", "enum": [task.name]}, "record": record}))
        for word, named in definitions.items():
            shared[word] = {**shared.get(word, {}), **named}
    return {**object_schema({"records": {"type": "array", "items": {"anyOf": entries}}}), **shared}


async def ask_bundled(
    own: Question, task: TaskSpec, inputs: Mapping[str, Any], asking: Asking
) -> tuple[Answer, str] | None:
    """This task's part of the answer to all of them, and the version of the bundled prompt.

    The answer has no record where the task has to be asked alone: its entry is missing or there twice, or there is no
    usable answer at all. Its share of what was paid stands in `calls` all the same. None where it is not asked bundled:
    it is in no bundle, is asked anew or for a further sample, was answered alone before, or its document is too long.

    Args:
        own: The question about this document for this task alone.
        task: The task.
        inputs: The document's further inputs, of all tasks.
        asking: For whom, and the bundle.
    """
    bundle = asking.bundle
    if bundle is None or bundle.run is None or asking.retry or asking.sample or task.name not in bundle.names:
        return None
    if not bundle.takes(own.text, inputs):
        return None
    prompt = bundled_prompt(bundle, own.model)
    question = await _question(own, prompt, bundle, inputs)
    # booked under the run of all tasks, and only this task's share of the calls goes into its ledger
    together = replace(asking, run=bundle.run, ledger=None)
    # an answer that was paid for alone is free now; asking for all would pay for it again
    if not (bundle.trial or await is_answered(question, together)) and await is_answered(own, asking):
        return None
    answer = await ask(question, together)
    records = [] if answer.record is None else answer.record["records"]
    mine = [own_entry(records, name) for name in bundle.names]
    record = mine[bundle.names.index(task.name)]
    calls = task_shares(answer.calls, bundle.names.index(task.name), prompt, mine)
    if asking.ledger is not None:
        asking.ledger.calls.extend(calls)
    missing = None if record else f"the bundled request gave no record of its own for {task.name}"
    return replace(
        answer,
        record=record,
        calls=calls,
        error=answer.error or missing,
        error_kind=answer.error_kind or (None if record else "schema"),
    ), prompt.version


async def _question(
    own: Question, prompt: BundledPrompt, bundle: Bundle, inputs: Mapping[str, Any]
) -> Question:
    await (await current()).run_log.note_prompt(
        PromptVersion(
            version=prompt.version,
            task="+".join(bundle.names),
            kind="bundle",
            system=prompt.around.system,
            user=prompt.around.user,
            schema=sent_schema(prompt.schema)[1],
        )
    )
    first = bundle.tasks[0]
    return replace(
        own,
        messages=prompt.messages(own.text, own.doc_id, inputs),
        schema=prompt.schema,
        schema_name="records",
        prompt_version=prompt.version,
        context=bundle.context,
        repair=replace(template_of(first, "repair"), tags=prompt.around.tags),
        logprobs=False,
        alternatives=0,
        check=None,
        fallback_model="",  # each task has its own fallback when it is asked alone
    )


def own_entry(entries: Sequence[Mapping[str, Any]], task: str) -> Record | None:
    """The record of one task; None where it is missing, or there twice.

    >>> own_entry([{"task": "a", "record": {"x": 1}}], "a"), own_entry([], "a")
    ({'x': 1}, None)
    """
    own = [entry["record"] for entry in entries if entry["task"] == task]
    return own[0] if len(own) == 1 else None


def task_shares(
    calls: Sequence[Call], place: int, prompt: BundledPrompt, records: Sequence[Record | None]
) -> list[Call]:
    """A task's share of the calls about a document; those of all tasks add up exactly.

    What was sent is shared out by the length of the contracts, what was answered by that of the records.
    """
    sent = [1 + estimate_tokens(part.contract) for part in prompt.parts]
    said = [1 + estimate_tokens(compact(record), json=True) for record in records]
    return [share(call, place, sent, said) for call in calls]
