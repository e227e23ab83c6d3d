"""Loop A: the critique of one record turned into instructions for one more try at its document."""

from __future__ import annotations

from cupel.cascade.addendum import CheckedAddendum, addendum_schema, check_addendum
from cupel.cascade.extract import prompt_for, usd_left
from cupel.cascade.routes import failures_of
from cupel.context import RunContext
from cupel.engine import Answer, Question, ask, current
from cupel.models import resolve_models
from cupel.state import AddendumRecord, Attempt, FindingRecord, RunState
from cupel.task import TaskSpec, compact, messages, template_of
from cupel.text import wrap


async def write_addendum(state: RunState, task: TaskSpec, context: RunContext) -> AddendumRecord:
    """Ask the refiner, and keep what code lets through: at most five instructions on what failed.

    With no refiner attached, or no usable reply, the addendum is empty and says why; the next attempt then
    repeats the last one, which ends this tier's rounds.
    """
    attempt, verdict = state["attempts"][-1], state["verdicts"][-1]
    objections = failures_of([*verdict["code_findings"], *verdict["findings"]])
    model = resolve_models(context, (await current()).env).refiner
    if not model:
        return _addendum(state, attempt, None, ["no refiner is attached; set --refiner-model"], None)
    answer = await ask(await _question(state, task, context, objections, model))
    if answer.record is None:
        return _addendum(state, attempt, None, [f"no addendum: {answer.error}"], answer)
    allowed = "\n".join(
        [_critique(objections), *(f"{c.id}: {c.question}" for c in task.criteria), task.prompts["extract"]]
    )
    checked = check_addendum(
        answer.record["instructions"],
        failed={item["criterion"] for item in objections},
        document=state["text"],
        allowed_text=allowed,
    )
    dropped = [f"{item.text} ({item.reason})" for item in checked.dropped]
    return _addendum(state, attempt, checked, dropped, answer)


async def _question(
    state: RunState, task: TaskSpec, context: RunContext, objections: list[FindingRecord], model: str
) -> Question:
    schema = addendum_schema({item["criterion"] for item in objections})
    prompt = await prompt_for(task, "refine", model, context, schema)
    doc_id = state.get("doc_id", "")
    varying = {
        **{name: str((state.get("meta") or {}).get(name, "")) for name in task.inputs},
        "document": wrap(state["text"], doc_id),
        "record": compact(state["attempts"][-1]["record"]),
        "critique": _critique(objections),
    }
    return Question(
        kind="refine",
        model=model,
        messages=messages(prompt.template, prompt.stable, varying),
        schema=schema,
        schema_name="addendum",
        doc_id=doc_id,
        text=state["text"],
        context=context,
        repair=template_of(task, "repair"),
        usd_left=usd_left(state, context),
    )


def _critique(objections: list[FindingRecord]) -> str:
    lines = []
    for item in objections:
        quote = f' (evidence: "{item["evidence_quote"]}")' if item["evidence_quote"] else ""
        lines.append(f"- {item['criterion']}: {item['reasoning']}{quote}")
    return "\n".join(lines)


def _addendum(
    state: RunState,
    attempt: Attempt,
    checked: CheckedAddendum | None,
    dropped: list[str],
    answer: Answer | None,
) -> AddendumRecord:
    rounds = sum(addendum["tier"] == attempt["tier"] for addendum in state["addenda"])
    kept = checked.kept if checked else ()
    return AddendumRecord(
        tier=attempt["tier"],
        round=rounds + 1,
        after_attempt=attempt["number"],
        instructions=[item.text for item in kept],
        criteria=[item.criterion for item in kept],
        dropped=dropped,
        model=answer.model if answer else None,
        calls=answer.calls if answer else [],
    )
