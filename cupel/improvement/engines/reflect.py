"""The rewriter that is asked once: told the causes of failures, it returns edits of rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cupel.cascade import prompt_for
from cupel.engine import ask, current, current_asking
from cupel.improvement.edits import edits_schema
from cupel.improvement.engines.base import Brief, EngineReply
from cupel.improvement.guards import estimate_prompt_tokens
from cupel.models import resolve_models
from cupel.task import Rule, template_of


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
            "rules": _tell_rules(task.rules, brief.rules_tokens),
        }  # fmt: skip
        seen = {"failures": brief.failures, "mended": brief.mended, "tried": brief.tried}
        uncapped = brief.context.model_copy(update={"max_usd_per_document": None})
        question = replace(prompt, stable=stable, context=uncapped).filled(seen, f"prompt:{task.name}")
        answer = await ask(question, replace(current_asking(), sample=brief.sample))
        problem = f"the rewriter gave no reply that could be read: {answer.error}" if answer.error else ""
        return EngineReply(answer.record, problem)


def _tell_rules(rules: Sequence[Rule], most: int) -> str:
    """The rules, and what they may cost: more would be thrown away after it was paid for."""
    listed = "\n".join(f"- {rule.id}: {rule.text}" for rule in rules) or "(none yet)"
    now = sum(estimate_prompt_tokens(rule.text) for rule in rules)
    return f"{listed}\n(together {now} tokens; at most {most} are allowed after your edits, four characters a token)"
