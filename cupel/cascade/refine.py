"""Loop A: the critique of one record turned into instructions for one more try at its document.

What a refiner may say is checked in `addendum`, which asks no model and is read by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from cupel.cascade.addendum import CheckedAddendum, addendum_schema, check_addendum
from cupel.cascade.ask_back import list_unconfirmed
from cupel.cascade.corrections import Mending, write_mending
from cupel.cascade.prompt import prompt_for
from cupel.cascade.routes import failures_of, usd_left
from cupel.cascade.work import Work
from cupel.engine import Answer, Asking, ask
from cupel.judging import items_of
from cupel.state import AddendumRecord, FindingRecord
from cupel.task import compact


def list_objections(work: Work) -> list[FindingRecord]:
    """What is held against the latest record: by code, by the judge, and by asking its questions back."""
    verdict = work.state["verdicts"][-1]
    return failures_of([*verdict["code_findings"], *verdict["findings"], *list_unconfirmed(work)])


async def ask_refiner(work: Work, objections: Sequence[FindingRecord], asking: Asking) -> Answer | None:
    """The refiner's instructions for one more try, unchecked; None with no refiner attached, or nothing left to ask it.

    What was found of items is told by code, in the judge's own findings (`write_mending`).
    """
    model = work.runtime.models(work.context).refiner
    objections = not_on_items(objections)
    if not model or not objections:
        return None
    schema = addendum_schema({item["criterion"] for item in objections})
    prompt = await prompt_for(work.task, "refine", model, work.context, schema)
    question = prompt.about(
        work.state,
        usd_left=usd_left(work.state, work.context),
        record=compact(work.task.shown(work.attempt["record"] or {})),
        critique=_critique(objections),
    )
    return await ask(question, asking)


def check_instructions(
    work: Work, objections: Sequence[FindingRecord], answer: Answer | None
) -> AddendumRecord:
    """The addendum: what was found of items, and what code lets through of the reply on all else.

    Without either it is empty and says why; the next attempt then repeats the last one, which ends this tier's rounds.
    """
    mending = mend_items(work)
    objections = not_on_items(objections)
    checked, dropped = CheckedAddendum((), ()), list[str]()
    if objections and answer is None:
        dropped = ["no refiner is attached; name one as refiner_model"]
    elif answer is not None and answer.record is None:
        dropped = [f"no addendum: {answer.error}"]
    elif answer is not None and answer.record is not None:
        criteria = (f"{criterion.id}: {criterion.question}" for criterion in work.task.criteria)
        checked = check_addendum(
            answer.record["instructions"],
            failed={item["criterion"] for item in objections},
            document=work.state["text"],
            allowed_text="\n".join([_critique(objections), *criteria, work.task.prompts["extract"]]),
        )
        dropped = [f"{item.text} ({item.reason})" for item in checked.dropped]
    tier = work.attempt["tier"]
    return AddendumRecord(
        tier=tier,
        round=1 + sum(addendum["tier"] == tier for addendum in work.state["addenda"]),
        after_attempt=work.attempt["number"],
        instructions=[*mending.told, *(item.text for item in checked.kept)],
        criteria=[*mending.answered, *(item.criterion for item in checked.kept)],
        dropped=[*mending.dropped, *dropped],
        model=answer.model if answer else None,
        calls=answer.calls if answer else [],
    )


def not_on_items(objections: Sequence[FindingRecord]) -> list[FindingRecord]:
    """What was found of the record as a whole: by code's checks, or by a criterion."""
    return [item for item in objections if "path" not in item]


def mend_items(work: Work) -> Mending:
    """Instructions on the judged items of the latest record; none where it was not judged by items."""
    attempt, verdict, schema = work.attempt, work.state["verdicts"][-1], work.task.asked
    record = work.task.shown(attempt["record"] or {})
    return write_mending(verdict["findings"], items_of(record, schema, attempt["evidence"]), record, schema)


def _critique(objections: Sequence[FindingRecord]) -> str:
    lines = []
    for item in objections:
        quote = f' (evidence: "{item["evidence_quote"]}")' if item["evidence_quote"] else ""
        lines.append(f"- {item['criterion']}: {item['reasoning']}{quote}")
    return "\n".join(lines)
