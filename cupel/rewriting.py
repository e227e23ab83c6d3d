"""Loop B's rewriter: told the causes of failures, asked for edits of rules; code decides what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cupel.context import RunContext
from cupel.extraction import prompt_for
from cupel.models import resolve_models
from cupel.prompts import messages, template_of
from cupel.refinement.edits import edits_schema
from cupel.runtime import current
from cupel.structured import Question, ask
from cupel.tasks import TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """All an engine may know: no document, and nothing of the held-out side."""

    task: TaskSpec
    context: RunContext
    failures: str
    """The causes in words, from `told_to_rewriter`."""

    shown: Mapping[str, str]
    """Failure id → document id."""

    mended: str
    tried: str
    sample: int
    """Number of the asking: another one asks anew, the same one is answered from the run log."""


@dataclass(frozen=True, slots=True)
class EngineReply:
    """What an engine returns: a reply of `edits_schema`, or why there is none."""

    reply: Any
    problem: str
    model: str


class Engine(Protocol):
    """Proposes edits of rules. Whatever it returns is only a nominee.

    `propose` never raises for a bad reply: it returns the problem. It raises only what ends the campaign, a
    refused key or a reached budget. It sees nothing but its brief, and every call it makes goes through
    `cupel.structured.ask`, so that it is counted, capped and never paid twice.
    """

    async def propose(self, brief: Brief) -> EngineReply:
        """Return edits for the failures told."""


class Reflect:
    """One call that reads the causes and returns edits."""

    async def propose(self, brief: Brief) -> EngineReply:
        """Ask the refiner's model once, with one repair of a reply that does not fit."""
        model = resolve_models(brief.context, (await current()).env).refiner
        if not model:
            return EngineReply(None, "no rewriter is attached; set --refiner-model", "")
        task = brief.task
        schema = edits_schema(task.rules, brief.shown)
        prompt = await prompt_for(task, "improve", model, brief.context, schema)
        extract = template_of(task, "extract")
        contract = f"{extract.system}\n\n{extract.user}"
        rules = "\n".join(f"- {rule.id}: {rule.text}" for rule in task.rules) or "(none yet)"
        told = {
            **prompt.stable,
            "contract": contract,
            "rules": rules,
            "failures": brief.failures,
            "mended": brief.mended,
            "tried": brief.tried,
        }
        answer = await ask(
            Question(
                kind="improve",
                model=model,
                messages=messages(prompt.template, told, {}),
                schema=schema,
                schema_name="edits",
                doc_id=f"prompt:{task.name}",
                text="",
                context=replace_sampling(brief.context),
                repair=template_of(task, "repair"),
                sample=brief.sample,
            )
        )
        return EngineReply(answer.record, answer.error or "", model)


def replace_sampling(context: RunContext) -> RunContext:
    """The context as the rewriter's calls have it: no cap of a single document applies to them."""
    return context.model_copy(update={"max_usd_per_document": None})


ENGINES: Mapping[str, type[Engine]] = {"reflect": Reflect}
"""Engines by name."""
