"""The rewriter that is asked once: told the causes of failures, it returns edits of rules."""

from __future__ import annotations

from cupel.cascade import prompt_for
from cupel.engine import Question, ask, current
from cupel.improvement.edits import edits_schema
from cupel.improvement.engines.base import Brief, EngineReply
from cupel.models import resolve_models
from cupel.task import messages, template_of


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
            "failures": brief.failures, "mended": brief.mended, "tried": brief.tried,
        }  # fmt: skip
        answer = await ask(
            Question(
                kind="improve", model=model, messages=messages(prompt.template, stable, {}), schema=schema,
                schema_name="edits", doc_id=f"prompt:{task.name}", text="", repair=template_of(task, "repair"),
                sample=brief.sample,
                # no cap of a single document applies to the rewriter
                context=brief.context.model_copy(update={"max_usd_per_document": None}),
            )
        )  # fmt: skip
        problem = f"the rewriter gave no reply that could be read: {answer.error}" if answer.error else ""
        return EngineReply(answer.record, problem)
