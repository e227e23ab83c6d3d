"""One judge heard on one record: by the task's criteria, item by item, or where two readings of the document differ."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cupel.cascade.ask_back import tell_unconfirmed
from cupel.cascade.prompt import Prompt, prompt_for
from cupel.cascade.verify import read_again
from cupel.cascade.work import Work
from cupel.context import RunContext
from cupel.engine import Answer, Asking, ask
from cupel.judging import (
    UNMEASURED,
    Dispute,
    Item,
    JudgeBinding,
    JudgeMeasure,
    Part,
    Reading,
    Verdict,
    adjudication_schema,
    aggregate,
    cut_parts,
    estimate_record,
    items_of,
    items_schema,
    judge_schema,
    list_disputes,
    read_decisions,
    read_items,
    read_judgement,
    settle_items,
    show_items,
)
from cupel.models import family, name_at_address
from cupel.state import Call, JudgeWay, JurorRecord, Record
from cupel.task import TaskSpec, compact
from cupel.text import ground_record, grounder_of


@dataclass(frozen=True, slots=True)
class Heard:
    """What one judge, or code alone, made of a record."""

    model: str
    """Empty where none was asked."""

    verdict: Verdict
    calls: Sequence[Call] = ()

    def record(self, *, voted: bool) -> JurorRecord:
        """As a verdict keeps it."""
        said = self.verdict
        return JurorRecord(
            model=self.model,
            family=family(self.model),
            verdict=said.verdict,
            voted=voted,
            score=said.score,
            reason=said.reason,
            findings=said.findings_told,
        )


@dataclass(frozen=True, slots=True)
class _Judge:
    """A judge about to be heard: what it is asked by, what is known of it, and what it may cost."""

    prompt: Prompt
    way: JudgeWay
    measure: JudgeMeasure | None
    usd: float | None

    @property
    def measured(self) -> str:
        """What is known of it, in words."""
        return self.measure.words if self.measure else UNMEASURED

    def is_advisory(self, setting: bool | None) -> bool:
        """Whether it only advises: as the run says, else as it was measured."""
        return setting if setting is not None else bool(self.measure and self.measure.advisory)


async def hear(work: Work, model: str, left: float | None, asking: Asking) -> Heard:
    """One judge's verdict; each is asked the very same, and sees nothing of what others said.

    Args:
        work: The document, with the record that is judged as its latest attempt.
        model: The judge.
        left: What the document may still cost, in US dollars; None for no limit.
        asking: On whose behalf.
    """
    way = work.context.judge_way
    judge = await _appoint(work, model, None if left is None else max(0.0, left))
    heard = await {"criteria": _by_criteria, "items": _by_items, "adjudicate": _adjudicate}[way](
        work, judge, asking
    )
    return replace(heard, verdict=replace(heard.verdict, measured=judge.measured))


async def binding_of(task: TaskSpec, model: str, context: RunContext) -> JudgeBinding:
    """What a measurement of a judge, the way a run judges, is valid for."""
    way = context.judge_way
    prompt = await prompt_for(task, "judge", model, context, _schema(task, way), way=way)
    return _binding(prompt, way)


def _schema(task: TaskSpec, way: JudgeWay) -> dict[str, Any]:
    """What the judge fills in."""
    if way == "items":
        return items_schema(task.asked, task.criteria_of(way))
    return judge_schema(task.criteria_of(way)) if way == "criteria" else adjudication_schema()


async def _appoint(work: Work, model: str, usd: float | None) -> _Judge:
    task, way = work.task, work.context.judge_way
    prompt = await prompt_for(task, "judge", model, work.context, _schema(task, way), way=way)
    # the plain rule asks nothing that was measured: so a judge is measured itself
    is_plain = work.context.policy == "none"
    measure = None if is_plain else await work.runtime.policies.judge(_binding(prompt, way))
    return _Judge(prompt, way, measure, usd)


def _binding(prompt: Prompt, way: JudgeWay) -> JudgeBinding:
    return JudgeBinding(
        task=prompt.task.name, way=way, model=name_at_address(prompt.model), prompt_version=prompt.version
    )


# ---- criterion by criterion


async def _by_criteria(work: Work, judge: _Judge, asking: Asking) -> Heard:
    task, state = work.task, work.state
    criteria = task.criteria_of("criteria")
    question = judge.prompt.about(
        state,
        usd_left=judge.usd,
        record=compact(task.shown(work.attempt["record"] or {})) + tell_unconfirmed(work),
    )
    answer = await ask(question, asking)
    findings = None
    if answer.record is not None:
        findings = read_judgement(answer.record, criteria, grounder_of(state["text"]))
    verdict = aggregate(findings, criteria, advisory=judge.is_advisory(work.context.advisory_judge))
    return Heard(answer.model, _with_error(verdict, answer), answer.calls)


def _with_error(verdict: Verdict, answer: Answer) -> Verdict:
    return verdict if answer.error is None else replace(verdict, reason=f"no judgement: {answer.error}")


# ---- item by item


async def _by_items(work: Work, judge: _Judge, asking: Asking) -> Heard:
    """Every item of the record, a long one in parts; a part without an answer leaves the whole without a judgement."""
    items = _items(work, work.attempt["record"] or {})
    parts = cut_parts(
        items, work.state["text"], work.state.get("windows") or [],
        max_output_tokens=work.context.max_output_tokens,
    )  # fmt: skip
    share = replace(judge, usd=None if judge.usd is None else judge.usd / len(parts))
    answers = await asyncio.gather(*(_ask_part(work, share, part, items, asking) for part in parts))
    calls = [call for answer, _ in answers for call in answer.calls]
    failed = next((answer for answer, reading in answers if reading is None), None)
    reading = None if failed else join_readings([reading for _, reading in answers if reading is not None])
    verdict = _settle(work, judge, reading)
    return Heard(answers[0][0].model, _with_error(verdict, failed) if failed else verdict, calls)


async def _ask_part(
    work: Work, judge: _Judge, part: Part, items: Sequence[Item], asking: Asking
) -> tuple[Answer, Reading | None]:
    task, text = work.task, work.state["text"]
    question = judge.prompt.about(
        work.state,
        text=text[part.start : part.end],
        usd_left=judge.usd,
        record=(show_items(part.items, task.asked, text, every=items) or "(no items)")
        + tell_unconfirmed(work),
    )
    answer = await ask(question, asking)
    reading = read_items(
        answer.record, part.items, task.asked, grounder=grounder_of(text), every=items,
        criteria=task.criteria_of("items"),
    )  # fmt: skip
    return answer, reading


def join_readings(readings: Sequence[Reading]) -> Reading:
    """Parts of one judgement as one; a passage that two windows share is missing once, and a fault of one part is one."""
    worst = {"fail": 0, "unknown": 1, "pass": 2}
    missing = {(each.name, each.start): each for reading in readings for each in reading.missing}
    criteria = {
        each.criterion: each
        for reading in readings
        for each in sorted(reading.criteria, key=lambda one: -worst[one.finding])
    }
    for reading in readings:
        for each in reading.criteria:
            if worst[each.finding] < worst[criteria[each.criterion].finding]:
                criteria[each.criterion] = each
    return Reading(
        findings=sorted((one for each in readings for one in each.findings), key=lambda one: one.item.number),
        missing=sorted(missing.values(), key=lambda one: one.start),
        void=[words for each in readings for words in each.void],
        criteria=list(criteria.values()),
    )


def _items(work: Work, record: Record) -> list[Item]:
    is_own = record is work.attempt["record"]
    evidence = (
        work.attempt["evidence"] if is_own else ground_record(record, work.task.schema, work.state["text"])
    )
    return items_of(work.task.shown(record), work.task.asked, evidence)


def _settle(work: Work, judge: _Judge, reading: Reading | None) -> Verdict:
    """The verdict a reading adds up to, with what was found of every item."""
    task = work.task
    record = task.shown(work.attempt["record"] or {})
    estimate = None if reading is None else estimate_record(record, task, reading)
    right = judge.measure.probability(estimate.score) if judge.measure and estimate else None
    verdict = settle_items(
        reading, estimate, task, task.criteria_of(judge.way), right=right,
        advisory=judge.is_advisory(work.context.advisory_judge),
    )  # fmt: skip
    if reading is None or estimate is None:
        return replace(verdict, way=judge.way)
    found = (*(one.to_record() for one in reading.findings), *(one.to_record() for one in reading.missing))
    sure = None if right is None else round(right if verdict.verdict == "accepted" else 1 - right, 4)
    return replace(verdict, way=judge.way, items=found, estimate=estimate.to_record(sure))


# ---- where two readings differ


async def _adjudicate(work: Work, judge: _Judge, asking: Asking) -> Heard:
    """The judged record beside another reading of the document; nobody is asked where they agree."""
    other, calls = await _second_reading(work, asking)
    if other is None:
        verdict = Verdict(verdict="unknown", way=judge.way, reason="no judgement: there is no second reading")
        return Heard("", verdict, calls)
    own = _items(work, work.attempt["record"] or {})
    disputes = list_disputes(own, _items(work, other), work.task.asked, seed=work.state.get("doc_id", ""))
    answer = await _decide(work, judge, disputes, asking) if disputes else None
    told = answer.record if answer is not None else {}
    reading = read_decisions(told, disputes, own, work.task.asked)
    verdict = _settle(work, judge, reading)
    if answer is None:
        return Heard(judge.prompt.model, verdict, calls)
    return Heard(answer.model, _with_error(verdict, answer), [*calls, *answer.calls])


async def _decide(work: Work, judge: _Judge, disputes: Sequence[Dispute], asking: Asking) -> Answer:
    shown = "\n".join(dispute.words for dispute in disputes)
    return await ask(judge.prompt.about(work.state, usd_left=judge.usd, record=shown), asking)


async def _second_reading(work: Work, asking: Asking) -> tuple[Record | None, list[Call]]:
    """A record of the other tier where there is one, else one more reading: by the agreement model, or a further sample."""
    tier, models = work.attempt["tier"], work.runtime.models(work.context)
    others = [
        one["record"] for one in work.state["attempts"] if one["tier"] != tier and one["record"] is not None
    ]
    if others:
        return others[-1], []
    own = models.cheap if tier == "cheap" else models.strong
    fresh = replace(work, state={**work.state, "addenda": []})
    # the model that may have written the record is sampled, or it would only say the same again
    other, sampled = models.agreement or own, models.agreement in ("", work.attempt["model"])
    records, calls = await read_again(fresh, asking, model=other, sampled=sampled)
    return records[0], calls
