"""A prompt of a task as a model gets it, and the question it makes about one document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cupel._memo import Kept
from cupel.context import RunContext
from cupel.engine import Question, QuestionKind, current
from cupel.models import capabilities
from cupel.runlog import PromptVersion
from cupel.state import JudgeWay
from cupel.task import (
    TaskSpec,
    Template,
    fill_instructions,
    judge_prompt_of,
    messages,
    of_document,
    prompt_version,
    sent_schema,
    stable_values,
    template_of,
)

_SCHEMA_NAMES: Mapping[QuestionKind, str] = {
    "extract": "record", "verify": "verification", "judge": "judgement", "refine": "addendum",
    "improve": "edits", "compare": "comparison", "answer": "answers",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt of a task for one model, under the settings of a run."""

    kind: QuestionKind
    task: TaskSpec
    model: str
    context: RunContext
    schema: Mapping[str, Any]
    template: Template
    stable: Mapping[str, str]
    noted: PromptVersion
    """As the run log has it."""

    @property
    def version(self) -> str:
        """Hash of all that is sent besides the document."""
        return self.noted.version

    def about(
        self,
        document: Mapping[str, Any],
        *,
        text: str | None = None,
        usd_left: float | None = None,
        **varying: str,
    ) -> Question:
        """The question about one document: its inputs, its text between tags, and what else this prompt shows.

        Args:
            document: Its `text`, `doc_id` and `meta`.
            text: A window of the text; the whole when left out.
            usd_left: What may still be spent on it; None for no limit.
            varying: Further placeholders of the prompt, such as `record`.
        """
        doc_id = document.get("doc_id", "")
        text = document["text"] if text is None else text
        # a class speaks of the whole record: what is wrong with several windows' shows when they are merged
        check = self.task.check if self.kind == "extract" and text == document["text"] else None
        shown = of_document(
            self.template, document.get("meta") or {}, self.task.inputs, text=text, doc_id=doc_id
        )
        return replace(self.filled({**shown, **varying}, doc_id, text, usd_left), check=check)

    def filled(
        self, varying: Mapping[str, str], doc_id: str, text: str = "", usd_left: float | None = None
    ) -> Question:
        """The question with these values in its placeholders."""
        return Question(
            kind=self.kind,
            model=self.model,
            messages=messages(self.template, self.stable, varying),
            schema=self.schema,
            schema_name=_SCHEMA_NAMES[self.kind],
            doc_id=doc_id,
            text=text,
            context=self.context,
            repair=replace(template_of(self.task, "repair"), tags=self.template.tags),
            usd_left=usd_left,
            prompt_version=self.version,
        )


_prompts = Kept[Prompt]()


async def prompt_for(
    task: TaskSpec,
    kind: QuestionKind,
    model: str,
    context: RunContext,
    schema: Mapping[str, Any],
    *,
    way: JudgeWay = "criteria",
) -> Prompt:
    """The prompt of a task for a model, noted in the run log under its version; of the judge, that of its way."""
    await (await current()).learn(model)
    prompt = _prompts.of(
        (task, context, schema),
        kind,
        model,
        str(capabilities(model).structured),
        way,
        make=lambda: _prompt(task, kind, model, context, schema, way=way),
    )
    await (await current()).run_log.note_prompt(prompt.noted)
    return prompt


def _prompt(
    task: TaskSpec,
    kind: QuestionKind,
    model: str,
    context: RunContext,
    schema: Mapping[str, Any],
    *,
    way: JudgeWay,
) -> Prompt:
    override = {
        "extract": context.extract_prompt,
        "judge": context.judge_prompt,
        "judge_items": context.judge_items_prompt,
        "refine": context.refine_prompt,
    }
    own = judge_prompt_of(way) if kind == "judge" else kind
    template = template_of(task, own, override.get(own, ""))
    in_text = capabilities(model).structured != "json_schema"
    values = stable_values(
        task, schema=schema if in_text else None, output_language=context.output_language, way=way
    )
    stable = fill_instructions(values, task.inputs)
    noted = PromptVersion(
        version=prompt_version(template, stable, schema),
        task=task.name,
        kind=kind,
        system=template.system,
        user=template.user,
        schema=sent_schema(schema)[1],
    )
    return Prompt(
        kind=kind, task=task, model=model, context=context, schema=schema, template=template, stable=stable,
        noted=noted,
    )  # fmt: skip
