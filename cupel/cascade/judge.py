"""The judge: code looks first, then one model, and a jury of other families where the judge is in doubt or audited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cupel.cascade.judge_ways import Heard, hear
from cupel.cascade.routes import is_audited, usd_left
from cupel.cascade.work import Work
from cupel.context import RunContext
from cupel.engine import Asking
from cupel.judging import Finding, Verdict, code_checks, count_votes
from cupel.models import eligible
from cupel.state import JuryReason, JuryRecord, VerdictRecord


@dataclass(frozen=True, slots=True)
class Jury:
    """Further judges of a record, and why they sit."""

    why: JuryReason
    heard: Sequence[Heard]


def check_by_code(work: Work) -> Heard | None:
    """What code alone can say of the latest record; None where nothing stands against it and a model has to look.

    A reply that does not fit is rejected; a call that failed cannot be judged at all.
    """
    attempt = work.attempt
    if attempt["record"] is None:
        problem = attempt["error"] or "there is no record"
        if attempt["error_kind"] != "schema":
            return Heard("", Verdict(verdict="unknown", reason=problem))
        faults: tuple[Finding, ...] = (Finding(criterion="schema", finding="fail", reasoning=problem),)
    else:
        faults = code_checks(
            attempt["record"], work.task, attempt["evidence"],
            text=work.state["text"], inputs=work.state.get("meta") or {},
        )  # fmt: skip
    if not faults:
        return None
    reason = "; ".join(fault.reasoning for fault in faults)
    return Heard("", Verdict(verdict="rejected", code_findings=faults, reason=reason))


async def ask_judge(work: Work, asking: Asking) -> Heard:
    """The judge's findings on the latest record; unknown where no judge is attached, or it would judge itself."""
    judge = work.runtime.models(work.context).judge
    if not judge:
        return Heard(
            "", Verdict(verdict="unknown", reason=asking.tell("no judge is attached; set --judge-model"))
        )
    if judge == work.attempt["model"]:
        return Heard("", Verdict(verdict="unknown", reason=f"{judge} may not judge its own record"))
    return await hear(work, judge, usd_left(work.state, work.context), asking)


async def convene_jury(work: Work, own: Heard, asking: Asking) -> Jury | None:
    """What the jury says, where one sits: on every record (`jury="always"`), or where the judge is in doubt.

    Of what the judge alone accepts, one juror is shown a random sample: the audit changes no verdict.
    """
    models = work.runtime.models(work.context)
    why = _sits(own.verdict, work.context, work.state.get("doc_id", "")) if models.jury else None
    if why is None:
        return None
    writer = work.attempt["model"]
    jurors = eligible(models.jury, writer=writer, judge=models.judge)
    if not jurors:
        asking.run.tally.notes.add(
            f"no juror may judge the records of {writer}: all are of its family, or of its judge's"
        )
    left, heard = usd_left(work.state, work.context), [own]
    for juror in jurors[:1] if why == "audit" else jurors:
        if left is not None:
            left -= sum(call["cost_usd"] or 0.0 for call in heard[-1].calls)
        heard.append(await hear(work, juror, left, asking))
    return Jury(why, heard[1:])


def _sits(verdict: Verdict, context: RunContext, doc_id: str) -> JuryReason | None:
    """Why a jury sits on a record, if it does."""
    if context.jury == "always":
        return "always"
    if verdict.verdict == "unknown" or any(finding.void for finding in verdict.findings):
        return "doubt"
    return "audit" if verdict.verdict == "accepted" and is_audited(doc_id, context.audit_share) else None


def settle_verdict(work: Work, own: Heard, jury: Jury | None) -> VerdictRecord:
    """The verdict with every judge's findings; those of the first one of the majority lead.

    A jury's majority decides, and a tie is `unknown`.
    """
    attempt = work.attempt["number"]
    if jury is None:
        return own.verdict.to_record(attempt=attempt, model=own.model or None, calls=own.calls)
    why, heard = jury.why, jury.heard
    voting = [] if why == "audit" else [own, *heard] if why == "always" else list(heard)
    counted = count_votes([one.verdict.verdict for one in voting])
    leading, verdict = own, own.verdict
    if voting and counted.verdict != own.verdict.verdict:
        leading = next((one for one in voting if one.verdict.verdict == counted.verdict), own)
        verdict = leading.verdict
    if voting:
        votes = ", ".join(f"{number} {name}" for name, number in sorted(counted.votes.items()))
        reason = f"a jury of {len(voting)}: {votes}" + (f"; {verdict.reason}" if verdict.reason else "")
        verdict = replace(verdict, verdict=counted.verdict, reason=reason)
    calls = [call for one in (own, *heard) for call in one.calls]
    sat = JuryRecord(
        why=why,
        verdict=counted.verdict if voting else heard[0].verdict.verdict if heard else "unknown",
        agreed=counted.agreed,
        jurors=[own.record(voted=why == "always"), *(one.record(voted=why != "audit") for one in heard)],
    )
    return {**verdict.to_record(attempt=attempt, model=leading.model or None, calls=calls), "jury": sat}
