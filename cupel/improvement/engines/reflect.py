"""The rewriter that is asked once: told the causes of failures, it returns edits of the prompt."""

from __future__ import annotations

from dataclasses import replace

from cupel.cascade import prompt_for
from cupel.engine import ask, current, current_asking
from cupel.improvement.edit_schema import edits_schema
from cupel.improvement.engines.base import Brief, EngineReply
from cupel.improvement.guards import TokenRoom, tokens_of_parts
from cupel.models import resolve_models
from cupel.task import TaskSpec, compact, template_of


class Reflect:
    """One call that reads the causes and returns edits."""

    async def propose(self, brief: Brief) -> EngineReply:
        """Ask the rewriter once, with one repair of a reply that does not fit."""
        model = resolve_models(brief.context, (await current()).env).refiner
        if not model:
            return EngineReply(None, "no rewriter is attached; set --refiner-model")
        task = brief.task
        schema = edits_schema(task, brief.shown, locked=tuple(brief.locked))
        prompt = await prompt_for(task, "improve", model, brief.context, schema)
        extract = template_of(task, "extract")
        stable = {
            **prompt.stable, "contract": f"{extract.system}\n\n{extract.user}",
            "rules": _tell_rules(task, brief.room),
        }  # fmt: skip
        examples = "" if "example" in brief.locked else _tell_examples(task, brief.room)
        seen = {
            "failures": brief.failures, "mended": brief.mended, "tried": brief.tried, "examples": examples,
        }  # fmt: skip
        uncapped = brief.context.model_copy(update={"max_usd_per_document": None})
        question = replace(prompt, stable=stable, context=uncapped).filled(seen, f"prompt:{task.name}")
        answer = await ask(question, replace(current_asking(), sample=brief.sample))
        problem = f"the rewriter gave no reply that could be read: {answer.error}" if answer.error else ""
        return EngineReply(answer.record, problem)


def _tell_rules(task: TaskSpec, room: TokenRoom) -> str:
    """The rules, and what they may cost: more would be thrown away after it was paid for."""
    listed = "\n".join(f"- {rule.id}: {rule.text}" for rule in task.rules) or "(none yet)"
    now = tokens_of_parts(task).rules
    return f"{listed}\n(together {now} tokens; at most {room.rules} are allowed after your edits, four characters a token)"


def _tell_examples(task: TaskSpec, room: TokenRoom) -> str:
    """The examples, each whole: their author wrote them for the purpose."""
    shown = [f"- {each.id}: {each.text}\n  record: {compact(each.record)}" for each in task.examples]
    now = tokens_of_parts(task).whole
    return "\n".join([
        *(shown or ["(none yet)"]),
        f"(rules, definitions and examples take {now} tokens together; at most {room.whole} are allowed after your edits)",
    ])  # fmt: skip
