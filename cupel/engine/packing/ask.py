"""One request about a pack, and what each of its documents gets of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

from cupel.context import RunContext
from cupel.engine.ask import Answer, Question, ask, is_answered
from cupel.engine.packing.packs import Pack, Place
from cupel.engine.run import Asking
from cupel.engine.runtime import current
from cupel.limits import PICO
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
from cupel.text import ground_record, grounder_of, is_grounded


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPrompt:
    """The prompt of a task for several documents, and the version it has."""

    document: Template
    """The task's own: its system part is the contract, its user part stands for each document."""

    around: Template
    stable: Mapping[str, str]
    schema: Mapping[str, Any]
    version: str

    def messages(self, pack: Pack, inputs: Sequence[str]) -> list[Message]:
        """The request about a pack: the contract once, then the documents, each between tags of its own."""
        blocks = [
            render(
                self.document.user,
                {
                    **self.stable,
                    **of_document(self._both, row.inputs, inputs, text=str(row.text), doc_id=str(number)),
                    "addendum": "",
                },
            ).strip()
            for number, row in enumerate(pack.members, start=1)
        ]
        shown = {"count": str(len(blocks)), "documents": Fenced("\n\n".join(blocks))}
        return messages(self.around, {"contract": self._contract(inputs)}, shown)

    @property
    def _both(self) -> Template:
        """The task's prompt, with the tags of the one around it too."""
        return replace(self.document, tags=self.document.tags | self.around.tags)

    def _contract(self, inputs: Sequence[str]) -> str:
        """What holds for all of them; an input in the instructions, which each has its own of, by its tags."""
        if not self.document.system:
            return ""
        stable = fill_instructions(self.stable, inputs)
        return messages(self.document, stable, {})[0]["content"]


def packed_prompt(task: TaskSpec, model: str, context: RunContext) -> PackedPrompt:
    """The prompt that asks a model for the records of several documents.

    Raises:
        TaskError: If the project has no `_generic/packing.md`.
    """
    document = template_of(task, "extract", context.extract_prompt)
    around = template_of(task, "packing")
    schema = packed_schema(task)
    in_text = capabilities(model).structured != "json_schema"
    stable = stable_values(task, schema=schema if in_text else None, output_language=context.output_language)
    own = prompt_version(document, stable, schema)
    return PackedPrompt(
        document=document,
        around=around,
        stable=stable,
        schema=schema,
        version=prompt_version(around, {"contract": own}, schema),
    )


@lru_cache(maxsize=32)
def packed_schema(task: TaskSpec) -> dict[str, Any]:
    """The schema of the answer about a pack: a list of numbered records; definitions stay where `$ref` finds them."""
    record, shared = apart(task.asked)
    entry = object_schema({"document": {"type": "integer"}, "record": record})
    return {**object_schema({"records": {"type": "array", "items": entry}}), **shared}


async def ask_packed(own: Question, task: TaskSpec, asking: Asking) -> tuple[Answer, str] | None:
    """This document's part of the answer about its pack, and the version of the packed prompt.

    The answer has no record where the document has to be asked alone: its entry is missing or there twice, rests
    on a neighbour, or there is no usable answer at all. Its share of what was paid stands in `calls` all the same.
    None where it is not asked packed: it has no place in a pack, is asked anew or for a further sample, was answered
    alone before, or fewer than two of the pack still need an answer.

    Args:
        own: The question about this document alone.
        task: What is extracted.
        asking: For whom, and the document's place in its pack.
    """
    place = asking.place
    if place is None or asking.retry or asking.sample:
        return None
    prompt = packed_prompt(task, own.model, own.context)
    question = await _question(place, own, prompt, task)
    # all documents of a pack come here and ask the very same: the first one sends it, the others find it in flight or
    # in the run log, and each takes out its own part
    if not await is_answered(question, asking) and not await _is_worth_asking(place, own, asking):
        return None
    # only this document's share of the calls goes into its ledger
    answer = await ask(question, replace(asking, ledger=None))
    records = [] if answer.record is None else answer.record["records"]
    packed = [own_record(records, place.pack, number, task.asked) for number in _numbers(place.pack)]
    record = packed[place.number - 1]
    calls = shares(answer.calls, place, packed)
    if asking.ledger is not None:
        asking.ledger.calls.extend(calls)
    return replace(
        answer,
        record=record,
        calls=calls,
        error=answer.error
        or (None if record else "the packed request gave no record of its own for this document"),
        error_kind=answer.error_kind or (None if record else "schema"),
    ), prompt.version


async def _question(place: Place, own: Question, prompt: PackedPrompt, task: TaskSpec) -> Question:
    runtime = await current()
    await runtime.run_log.note_prompt(
        PromptVersion(
            version=prompt.version,
            task=task.name,
            kind="packing",
            system=prompt.around.system,
            user=prompt.around.user,
            schema=sent_schema(prompt.schema)[1],
        )
    )
    return replace(
        own,
        messages=prompt.messages(place.pack, task.inputs),
        schema=prompt.schema,
        schema_name="records",
        prompt_version=prompt.version,
        doc_id=", ".join(place.pack.doc_id(number) for number in _numbers(place.pack)),
        text="",
        logprobs=False,
        fallback_model="",  # each document has its own fallback when it is asked alone
    )


async def _is_worth_asking(place: Place, own: Question, asking: Asking) -> bool:
    if place.pack.trial:
        return True
    # an answer that was paid for alone, before this run packed, is free now; asking packed would pay for it again
    if await is_answered(own, asking):
        return False
    # the whole pack is asked for whoever is left of it, so that its key stays the same: for one it would be too dear
    log = (await current()).run_log
    return sum([await log.outcome(key) is None for key in place.pack.keys]) > 1


def own_record(
    entries: Sequence[Mapping[str, Any]], pack: Pack, number: int, schema: Mapping[str, Any]
) -> Record | None:
    """The record of one document of a pack; None where it is missing, there twice, or quotes a neighbour."""
    own = [entry["record"] for entry in entries if entry["document"] == number]
    if len(own) != 1:
        return None
    texts = [str(row.text) for row in pack.members]
    mine = texts[number - 1]
    # a quote that is not in its own text may still be a slip of the model; in a neighbour's text it is proof that the
    # model mixed up documents, and then nothing else of this record can be trusted either
    strangers = [item for item in ground_record(own[0], schema, mine) if not is_grounded(item["match"])]
    others = [text for text in texts if text is not mine]
    if any(
        is_grounded(grounder_of(text).ground(item["quote"]).match) for item in strangers for text in others
    ):
        return None
    record: Record = own[0]
    return record


def shares(calls: Sequence[Call], place: Place, records: Sequence[Record | None]) -> list[Call]:
    """This document's share of the calls about its pack; those of all its documents add up exactly.

    What was sent is shared out by the length of the texts, what was answered by that of the records, the cost by
    both together.
    """
    # the 1 keeps an empty record or text from weighing nothing, which would leave nobody to share with
    sent = [1 + estimate_tokens(str(row.text)) for row in place.pack.members]
    said = [1 + estimate_tokens(compact(record), json=True) for record in records]
    return [share(call, place.number - 1, sent, said) for call in calls]


def share(call: Call, place: int, sent: Sequence[int], said: Sequence[int]) -> Call:
    """One share of a call, by the weights of what was sent and what was answered; all shares add up exactly."""
    asked = apportion(call["input_tokens"], sent)
    answered = apportion(call["output_tokens"], said)
    both = [1 + one + other for one, other in zip(asked, answered, strict=True)]
    usd = call["cost_usd"]
    return {
        **call,
        "input_tokens": asked[place],
        "cached_tokens": apportion(call["cached_tokens"], asked)[place] if call["cached_tokens"] else 0,
        "output_tokens": answered[place],
        "cost_usd": None if usd is None else apportion(round(usd * PICO), both)[place] / PICO,
        "packed": len(sent),
    }


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """A whole number shared out by weights; the shares add up to it exactly.

    >>> apportion(10, [1, 1, 2])
    [2, 3, 5]
    """
    # rounding each share by itself would lose or add units: round where each share ends instead, in one running sum,
    # and every remainder falls to the next share until the last one ends at the total
    whole = sum(weights)
    ends = [total * upto // whole for upto in accumulate(weights, initial=0)]
    return [end - start for start, end in pairwise(ends)]


def _numbers(pack: Pack) -> range:
    return range(1, len(pack.members) + 1)
