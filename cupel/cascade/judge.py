"""The judge: code looks first, then one model, and a jury of other families where the judge is in doubt or audited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cupel.cascade.extract import prompt_for, usd_left
from cupel.cascade.routes import is_audited
from cupel.context import RunContext
from cupel.engine import Question, ask, current, current_run
from cupel.judging import Finding, Verdict, aggregate, code_checks, count_votes, judge_schema, read_judgement
from cupel.models import eligible, family
from cupel.state import Attempt, Call, JurorRecord, JuryReason, JuryRecord, RunState, VerdictRecord
from cupel.task import TaskSpec, compact, messages, template_of
from cupel.text import grounder_of, wrap


@dataclass(frozen=True, slots=True)
class Heard:
    """What one judge made of a record."""

    model: str
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
            findings=[finding.to_record() for finding in said.findings],
        )


async def deliberate(state: RunState, task: TaskSpec, context: RunContext) -> VerdictRecord:
    """The verdict of the judge's model on the latest record, or that of a jury.

    A jury sits on every record (`jury="always"`), or where the judge is `unknown` or quoted what is not there; then
    its majority decides, and a tie is `unknown`. Of what the judge alone accepts, one juror is shown a random
    sample: the audit changes no verdict.
    """
    attempt = state["attempts"][-1]
    models = (await current()).models(context)
    own = await _by_judge(state, task, context, models.judge)
    why = _sits(own.verdict, context, state.get("doc_id", "")) if models.jury else None
    jurors = eligible(models.jury, writer=attempt["model"], judge=models.judge)
    if why is None:
        return own.verdict.to_record(attempt=attempt["number"], model=own.model or None, calls=own.calls)
    if not jurors:
        current_run().tally.notes.add(
            f"no juror may judge the records of {attempt['model']}: all are of its family, or of its judge's"
        )
    spent = sum(call["cost_usd"] or 0.0 for call in own.calls)
    heard: list[Heard] = []
    for juror in jurors[:1] if why == "audit" else jurors:
        heard.append(await _hear(state, task, context, juror, spent))
        spent += sum(call["cost_usd"] or 0.0 for call in heard[-1].calls)
    return _settle(attempt["number"], why, own, heard)


async def _by_judge(state: RunState, task: TaskSpec, context: RunContext, judge: str) -> Heard:
    if not judge:
        return Heard("", Verdict(verdict="unknown", reason="no judge is attached; set --judge-model"))
    if judge == state["attempts"][-1]["model"]:
        return Heard("", Verdict(verdict="unknown", reason=f"{judge} may not judge its own record"))
    return await _hear(state, task, context, judge, 0.0)


def _sits(verdict: Verdict, context: RunContext, doc_id: str) -> JuryReason | None:
    """Why a jury sits on a record, if it does."""
    if context.jury == "always":
        return "always"
    if verdict.verdict == "unknown" or any(finding.void for finding in verdict.findings):
        return "doubt"
    return "audit" if verdict.verdict == "accepted" and is_audited(doc_id, context.audit_share) else None


def _settle(attempt: int, why: JuryReason, own: Heard, heard: Sequence[Heard]) -> VerdictRecord:
    """The verdict with every judge's findings; those of the first one of the majority lead."""
    voting = [] if why == "audit" else [own, *heard] if why == "always" else list(heard)
    counted = count_votes([one.verdict.verdict for one in voting])
    leading, verdict = own, own.verdict
    if voting and counted.verdict != own.verdict.verdict:
        leading = next((one for one in voting if one.verdict.verdict == counted.verdict), own)
        verdict = leading.verdict
    if voting:
        told = ", ".join(f"{number} {name}" for name, number in sorted(counted.votes.items()))
        reason = f"a jury of {len(voting)}: {told}" + (f"; {verdict.reason}" if verdict.reason else "")
        verdict = replace(verdict, verdict=counted.verdict, reason=reason)
    calls = [call for one in (own, *heard) for call in one.calls]
    sat = JuryRecord(
        why=why,
        verdict=counted.verdict if voting else heard[0].verdict.verdict if heard else "unknown",
        agreed=counted.agreed,
        jurors=[own.record(voted=why == "always"), *(one.record(voted=why != "audit") for one in heard)],
    )
    return {**verdict.to_record(attempt=attempt, model=leading.model or None, calls=calls), "jury": sat}


async def _hear(state: RunState, task: TaskSpec, context: RunContext, model: str, spent_usd: float) -> Heard:
    """One judge's findings; each is asked the very same, and sees nothing of what others said."""
    answer = await ask(await _question(state, task, context, model, spent_usd))
    findings = None
    if answer.record is not None:
        findings = read_judgement(answer.record, task.criteria, grounder_of(state["text"]))
    verdict = aggregate(findings, task.criteria, advisory=context.advisory_judge)
    if answer.error is not None:
        verdict = replace(verdict, reason=f"no judgement: {answer.error}")
    return Heard(answer.model, verdict, answer.calls)


async def _question(
    state: RunState, task: TaskSpec, context: RunContext, model: str, spent_usd: float
) -> Question:
    schema = judge_schema(task.criteria)
    prompt = await prompt_for(task, "judge", model, context, schema)
    doc_id = state.get("doc_id", "")
    varying = {
        **{name: str((state.get("meta") or {}).get(name, "")) for name in task.inputs},
        "document": wrap(state["text"], doc_id),
        "record": compact(state["attempts"][-1]["record"]),
    }
    left = usd_left(state, context)
    return Question(
        kind="judge",
        model=model,
        messages=messages(prompt.template, prompt.stable, varying),
        schema=schema,
        schema_name="judgement",
        doc_id=doc_id,
        text=state["text"],
        context=context,
        repair=template_of(task, "repair"),
        usd_left=None if left is None else max(0.0, left - spent_usd),
    )


async def judge_record(state: RunState, task: TaskSpec, context: RunContext) -> VerdictRecord:
    """The verdict on the latest attempt: code first, and only what passes is shown to the judge's model."""
    attempt = state["attempts"][-1]
    if attempt["record"] is None:
        return _rule(attempt, _without_record(attempt))
    by_code = code_checks(attempt["record"], task.schema, attempt["evidence"], text=state["text"])
    if by_code:
        reason = "; ".join(finding.reasoning for finding in by_code)
        return _rule(attempt, Verdict(verdict="rejected", code_findings=by_code, reason=reason))
    return await deliberate(state, task, context)


def _without_record(attempt: Attempt) -> Verdict:
    """A reply that does not fit is rejected by code; a call that failed cannot be judged at all."""
    problem = attempt["error"] or "there is no record"
    if attempt["error_kind"] != "schema":
        return Verdict(verdict="unknown", reason=problem)
    finding = Finding(criterion="schema", finding="fail", reasoning=problem)
    return Verdict(verdict="rejected", code_findings=(finding,), reason=problem)


def _rule(attempt: Attempt, verdict: Verdict) -> VerdictRecord:
    """A verdict that took no model."""
    return verdict.to_record(attempt=attempt["number"], model=None)
