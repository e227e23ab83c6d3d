"""The rewriter that is asked once: told the causes of failures, it returns edits of rules."""

from __future__ import annotations

from dataclasses import replace

from cupel.cascade import prompt_for
from cupel.engine import ask, current, current_asking
from cupel.improvement.edits import edits_schema
from cupel.improvement.engines.base import Brief, EngineReply
from cupel.models import resolve_models
from cupel.task import template_of


class Reflect:
    """One call that reads the causes and returns edits."""

    async def propose(self, brief: Brief) -> EngineReply:
        """Ask the rewriter once, with one repair of a reply that does not fit."""
        model = resolve_models(brief.context, (await current()).env).refiner
        if not model:
            return EngineReply(None, "no rewriter is attached; set --refiner-model")
        task = brief.task
        schema = edits_schema(task.rules, brief.shown)
        prompt = await prompt_for(task, "improve", model, brief.context, schema)
        extract = template_of(task, "extract")
        stable = {
            **prompt.stable, "contract": f"{extract.system}\n\n{extract.user}",
            "rules": "\n".join(f"- {rule.id}: {rule.text}" for rule in task.rules) or "(none yet)",
        }  # fmt: skip
        seen = {"failures": brief.failures, "mended": brief.mended, "tried": brief.tried}
        uncapped = brief.context.model_copy(update={"max_usd_per_document": None})
        question = replace(prompt, stable=stable, context=uncapped).filled(seen, f"prompt:{task.name}")
        answer = await ask(question, replace(current_asking(), sample=brief.sample))
        problem = f"the rewriter gave no reply that could be read: {answer.error}" if answer.error else ""
        return EngineReply(answer.record, problem)
