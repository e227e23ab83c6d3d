"""From a judge's reply to a verdict: findings whose evidence code has checked, added up in code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Protocol, cast

from cupel.state import Call, FindingName, FindingRecord, Match, VerdictName, VerdictRecord
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


class QuoteGrounder(Protocol):
    """Aligns a quote to one document, as `cupel.text.grounding.Grounder(text)` does."""

    def ground(self, quote: str, /) -> Matched:
        """Find the quote in the document."""


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
    """

    verdict: VerdictName
    findings: tuple[Finding, ...] = ()
    code_findings: tuple[Finding, ...] = ()
    advisory: bool = False
    score: float | None = None
    reason: str = ""

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What failed, code's findings first: the critique a refiner gets."""
        return tuple(f for f in (*self.code_findings, *self.findings) if f.finding == "fail")

    def to_record(self, *, attempt: int, model: str | None, calls: Sequence[Call] = ()) -> VerdictRecord:
        """Return the verdict as the state carries it."""
        return VerdictRecord(
            attempt=attempt,
            verdict=self.verdict,
            findings=[finding.to_record() for finding in self.findings],
            code_findings=[finding.to_record() for finding in self.code_findings],
            advisory=self.advisory,
            model=model,
            score=self.score,
            reason=self.reason,
            calls=list(calls),
        )


def judge_schema(criteria: Sequence[TaskCriterion]) -> dict[str, Any]:
    """Return the strict JSON Schema of one judgement: a finding under each criterion's id; not to be changed.

    The reasoning comes before the finding, so that the model commits after it has thought. The finding's
    schema is written once and referred to: schemas are paid for with every document.

    >>> judge_schema([TaskCriterion("stance", "Is the stance right?")])["properties"]
    {'stance': {'$ref': '#/$defs/finding'}}
    """
    return _judge_schema(tuple(criterion.id for criterion in criteria))


@lru_cache(maxsize=256)
def _judge_schema(ids: tuple[str, ...]) -> dict[str, Any]:
    finding = {
        "type": "object",
        "properties": {
            "reasoning": {"type": "string"},
            "evidence_quote": {"type": ["string", "null"]},
            "finding": {"type": "string", "enum": list(_FINDINGS)},
        },
        "required": ["reasoning", "evidence_quote", "finding"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {name: {"$ref": "#/$defs/finding"} for name in ids},
        "required": list(ids),
        "additionalProperties": False,
        "$defs": {"finding": finding},
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
