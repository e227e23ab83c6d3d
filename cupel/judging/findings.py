"""From a judge's reply to a verdict: findings whose evidence code has checked, added up in code."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Protocol, cast

from cupel.state import (
    Call,
    EstimateRecord,
    FindingName,
    FindingRecord,
    Match,
    VerdictName,
    VerdictRecord,
)
from cupel.task import TaskCriterion

ACCEPT_AT = 0.7
"""Weighted share of criteria that must pass; a critical one must pass in any case."""

_ROUNDING = 1e-9
_FINDINGS: tuple[FindingName, ...] = ("pass", "fail", "unknown")
_STANDS: frozenset[Match] = frozenset({"verbatim", "normalised", "elided"})


class Matched(Protocol):
    """What is needed of a grounding: how well the quote matches."""

    @property
    def match(self) -> Match:
        """The quote's match in the text."""

    @property
    def start(self) -> int | None:
        """Where it begins; None where it is absent."""

    @property
    def end(self) -> int | None:
        """One past its last character."""


class QuoteGrounder(Protocol):
    """Aligns a quote to one document, as `cupel.text.grounding.Grounder(text)` does."""

    def ground(self, quote: str, /, *, used: Collection[tuple[int, int]] = ()) -> Matched:
        """Find the quote in the document, at a place that is not used where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the judge, or code, found on one criterion."""

    criterion: str
    finding: FindingName
    reasoning: str = ""
    evidence_quote: str | None = None
    quote_match: Match | None = None

    @property
    def void(self) -> bool:
        """Whether its evidence does not stand in the document, so that it says nothing."""
        return self.quote_match is not None and self.quote_match not in _STANDS

    def to_record(self) -> FindingRecord:
        """Return the finding as the state carries it."""
        return cast("FindingRecord", asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict on one record, and what it rests on.

    Attributes:
        verdict: `accepted`, `rejected` or `unknown`.
        findings: The judge's, one per criterion; empty where it was not asked or gave no judgement.
        code_findings: What code found wrong; one is enough to reject.
        advisory: Whether the judge's findings are shown and decide nothing.
        score: Weighted share of criteria passed, in [0, 1]; None when there is no judgement.
        reason: The verdict's reason in words.
        way: How it was judged, where that was not criterion by criterion.
        items: What was found of each item, and what is missing, where it was judged item by item.
        estimate: What that adds up to.
        measured: What is known of the judge, in words.
    """

    verdict: VerdictName
    findings: tuple[Finding, ...] = ()
    code_findings: tuple[Finding, ...] = ()
    advisory: bool = False
    score: float | None = None
    reason: str = ""
    way: str = ""
    items: tuple[FindingRecord, ...] = ()
    estimate: EstimateRecord | None = None
    measured: str = ""

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The checks and criteria that failed, code's findings first."""
        return tuple(f for f in (*self.code_findings, *self.findings) if f.finding == "fail")

    @property
    def findings_told(self) -> list[FindingRecord]:
        """The judge's findings as the state carries them: on items first, then on criteria."""
        return [*self.items, *(finding.to_record() for finding in self.findings)]

    def to_record(self, *, attempt: int, model: str | None, calls: Sequence[Call] = ()) -> VerdictRecord:
        """Return the verdict as the state carries it."""
        record = VerdictRecord(
            attempt=attempt,
            verdict=self.verdict,
            findings=self.findings_told,
            code_findings=[finding.to_record() for finding in self.code_findings],
            advisory=self.advisory,
            model=model,
            score=self.score,
            reason=self.reason,
            calls=list(calls),
        )
        if self.way:
            record["way"] = self.way
        if self.estimate is not None:
            record["estimate"] = self.estimate
        if self.measured:
            record["measured"] = self.measured
        return record


def judge_schema(criteria: Sequence[TaskCriterion]) -> dict[str, Any]:
    """Return the strict JSON Schema of one judgement: a finding under each criterion's id; not to be changed.

    The reasoning comes before the finding, so that the model commits after it has thought. The finding's
    schema is written once and referred to: schemas are paid for with every document.

    >>> judge_schema([TaskCriterion("stance", "Is the stance right?")])["properties"]
    {'stance': {'$ref': '#/$defs/finding'}}
    """
    return _judge_schema(tuple(criterion.id for criterion in criteria))


FINDING_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reasoning": {"type": "string"},
        "evidence_quote": {"type": ["string", "null"]},
        "finding": {"type": "string", "enum": list(_FINDINGS)},
    },
    "required": ["reasoning", "evidence_quote", "finding"],
    "additionalProperties": False,
}
"""One criterion's finding."""


@lru_cache(maxsize=256)
def _judge_schema(ids: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"$ref": "#/$defs/finding"} for name in ids},
        "required": list(ids),
        "additionalProperties": False,
        "$defs": {"finding": FINDING_SCHEMA},
    }


def read_judgement(
    reply: object, criteria: Sequence[TaskCriterion], grounder: QuoteGrounder
) -> tuple[Finding, ...] | None:
    """Read a judge's reply into one finding per criterion.

    A finding whose evidence quote does not stand in the document is void: it becomes `unknown`, whatever
    it said. So does a criterion the reply leaves out or answers in another form.

    Args:
        reply: The parsed reply, of `judge_schema`; anything else is no judgement.
        criteria: The task's criteria.
        grounder: Aligns a quote to the document that was judged.

    Returns:
        The findings in the order of the criteria, or None where there is no judgement at all.
    """
    if not isinstance(reply, Mapping) or not any(criterion.id in reply for criterion in criteria):
        return None
    return read_findings(reply, criteria, grounder)


def read_findings(
    reply: Mapping[str, Any], criteria: Sequence[TaskCriterion], grounder: QuoteGrounder
) -> tuple[Finding, ...]:
    """One finding per criterion; `unknown` for one that the reply leaves out."""
    return tuple(_read_finding(criterion.id, reply.get(criterion.id), grounder) for criterion in criteria)


def _read_finding(criterion: str, answer: object, grounder: QuoteGrounder) -> Finding:
    if not isinstance(answer, Mapping) or answer.get("finding") not in _FINDINGS:
        return Finding(criterion=criterion, finding="unknown", reasoning="The judge gave no such finding.")
    reasoning, quote = str(answer.get("reasoning") or ""), answer.get("evidence_quote")
    if not isinstance(quote, str) or not quote.strip():
        return Finding(criterion=criterion, finding=answer["finding"], reasoning=reasoning)
    match = grounder.ground(quote).match
    stands = match in _STANDS
    return Finding(
        criterion=criterion,
        finding=answer["finding"] if stands else "unknown",
        reasoning=reasoning if stands else f"Void, its evidence is {match} in the document: {reasoning}",
        evidence_quote=quote,
        quote_match=match,
    )


def aggregate(
    findings: Sequence[Finding] | None,
    criteria: Sequence[TaskCriterion],
    *,
    code_findings: Sequence[Finding] = (),
    advisory: bool = False,
    accept_at: float = ACCEPT_AT,
) -> Verdict:
    """Add findings up to a verdict.

    In this order: a code finding rejects; no judgement is `unknown`, never a 0; a failed critical criterion
    rejects; an unknown critical one is `unknown`. Then weights: accepted or rejected where the unknown
    criteria could not change it, else `unknown`.

    Args:
        findings: One per criterion, from `read_judgement`; None where there is no judgement.
        criteria: The task's criteria, with weights and which are critical.
        code_findings: From `code_checks`.
        advisory: Whether the judge has not earned the right to decide.
        accept_at: Weighted share of criteria, in [0, 1], that must pass.
    """
    objections = [finding.reasoning for finding in code_findings if finding.finding == "fail"]
    verdict: tuple[VerdictName, str]
    if objections:
        verdict = "rejected", "; ".join(objections[:3])
    elif not findings or not criteria:
        verdict = "unknown", "there is no judgement"
    else:
        verdict = _by_critical(findings, criteria) or _by_weight(findings, criteria, accept_at)
    return Verdict(
        verdict=verdict[0],
        findings=tuple(findings or ()),
        code_findings=tuple(code_findings),
        advisory=advisory,
        score=_shares(findings, criteria)[0] if findings else None,
        reason=verdict[1],
    )


def _by_critical(
    findings: Sequence[Finding], criteria: Sequence[TaskCriterion]
) -> tuple[VerdictName, str] | None:
    """Let a critical criterion that failed, or is unknown, decide."""
    by_id = {finding.criterion: finding.finding for finding in findings}
    critical = [criterion.id for criterion in criteria if criterion.critical]
    if failed := [name for name in critical if by_id.get(name) == "fail"]:
        return "rejected", f"failed: {', '.join(failed)}"
    if unknown := [name for name in critical if by_id.get(name, "unknown") == "unknown"]:
        return "unknown", f"unknown: {', '.join(unknown)}"
    return None


def _by_weight(
    findings: Sequence[Finding], criteria: Sequence[TaskCriterion], accept_at: float
) -> tuple[VerdictName, str]:
    """Accept or reject where the unknown criteria could not change it."""
    passed, unknown = _shares(findings, criteria)
    if passed >= accept_at - _ROUNDING:
        return "accepted", ""
    if passed + unknown < accept_at - _ROUNDING:
        return "rejected", f"failed: {', '.join(f.criterion for f in findings if f.finding == 'fail')}"
    return "unknown", f"unknown: {', '.join(f.criterion for f in findings if f.finding == 'unknown')}"


def _shares(findings: Sequence[Finding], criteria: Sequence[TaskCriterion]) -> tuple[float, float]:
    """Weighted shares of criteria that passed and that are unknown."""
    by_id = {finding.criterion: finding.finding for finding in findings}
    total = sum(criterion.weight for criterion in criteria)
    if total <= 0:
        return 1.0, 0.0
    passed = sum(criterion.weight for criterion in criteria if by_id.get(criterion.id) == "pass")
    unknown = sum(
        criterion.weight for criterion in criteria if by_id.get(criterion.id, "unknown") == "unknown"
    )
    return passed / total, unknown / total
