"""The outcome of one document, settled from all that happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cupel.cascade.routes import decides, failures_of
from cupel.runlog import cost_of
from cupel.state import Attempt, Outcome, RunState, Settled, Status, VerdictName, VerdictRecord, calls_of
from cupel.text import is_grounded, language_of


def choose_best(state: RunState) -> tuple[Attempt | None, VerdictRecord | None]:
    """The best attempt that has a record, not the last one, and the verdict on it."""
    attempts = [attempt for attempt in state["attempts"] if attempt["record"] is not None]
    if not attempts:
        return None, None
    about = {verdict["attempt"]: verdict for verdict in state["verdicts"]}
    ranked = [attempt_quality(attempt, about.get(attempt["number"])) for attempt in attempts]
    best = attempts[best_attempt(ranked)]
    return best, about.get(best["number"])


def say_status(
    state: RunState, best: Attempt | None, verdict: VerdictRecord | None
) -> tuple[Status, list[str]]:
    """What became of the document, and why.

    `accepted`: the judge or, where none was asked, verify accepted it, or a person did. `failed`: there is no
    record at all. `needs_review`: everything between.
    """
    problem = state.get("problem")
    if problem:
        return "failed", [problem]
    answered = state.get("review")
    if answered is not None:
        note = [f"a person noted: {answered['note']}"] if answered["note"] else []
        return ("accepted" if answered["action"] in ("accept", "edit") else "needs_review"), note
    if best is None:
        errors = dict.fromkeys(f"{a['tier']}: {a['error']}" for a in state["attempts"] if a["error"])
        return "failed", list(errors)
    audit = _audit_objections(verdict) if verdict else []
    if verdict is not None and decides(verdict):
        against = audit if verdict["verdict"] == "accepted" else _objections(verdict)
        return ("needs_review", against) if against else ("accepted", [])
    advice = [f"advisory judge: {text}" for text in _objections(verdict)] + audit if verdict else []
    if best["in_doubt"]:
        return "needs_review", [*best["doubts"], *advice, *_later_errors(state, best)]
    return "accepted", advice


def settle(state: RunState, best: Attempt | None, status: Status, reasons: list[str]) -> Settled:
    """The outcome: the best attempt's record or the person's, and what all calls took."""
    answered = state.get("review")
    source = answered if answered is not None and answered["record"] is not None else best
    calls = [call for _, call in calls_of(state)]
    return Settled(
        status=status,
        record=source["record"] if source else None,
        evidence=source["evidence"] if source else [],
        confidence=best["confidence"] if best else None,
        score=best["score"] if best else None,
        calibrated=best["calibrated"] if best else False,
        model=best["model"] if best else None,
        tier=best["tier"] if best else None,
        prompt_version=best["prompt_version"] if best else "",
        reasons=reasons,
        cost_usd=cost_of(calls),
        latency_s=round(sum(call["latency_s"] for call in calls), 4),
        review=answered,
    )


async def name_language(state: RunState) -> str | None:
    """The document's language, detected now if it was not while the first requests were out."""
    language = state.get("language")
    if language is None and not state.get("problem"):
        return await language_of(state["text"])
    return language


def conclude(state: RunState) -> Outcome:
    """The outcome of a document that was asked about outside the graph, for those who began it with `begin`."""
    best, verdict = choose_best(state)
    return Outcome(
        **settle(state, best, *say_status(state, best, verdict)),
        doc_id=state["doc_id"], task=state["task"], language=state["language"], attempts=state["attempts"],
        verdicts=state["verdicts"], addenda=state["addenda"], path=[*state["path"], "finish"],
    )  # fmt: skip


def _objections(verdict: VerdictRecord) -> list[str]:
    if verdict["verdict"] == "accepted":
        return []
    failures = failures_of([*verdict["code_findings"], *verdict["findings"]])
    return [f"{item['criterion']}: {item['reasoning']}" for item in failures] or [verdict["reason"]]


def _audit_objections(verdict: VerdictRecord) -> list[str]:
    """What a second judge holds against a record the judge accepted: a person looks at what they disagree on."""
    sat = verdict.get("jury")
    if sat is None or sat["why"] != "audit" or sat["verdict"] != "rejected":
        return []
    auditor = sat["jurors"][-1]
    failures = [f"{item['criterion']}: {item['reasoning']}" for item in failures_of(auditor["findings"])]
    return [f"audit by {auditor['model']}: {text}" for text in failures or [auditor["reason"]]]


def _later_errors(state: RunState, best: Attempt) -> list[str]:
    """Why a later tier gave nothing better."""
    return [
        f"{attempt['tier']}: {attempt['error']}"
        for attempt in state["attempts"]
        if attempt["error"] and attempt["number"] > best["number"]
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptQuality:
    """What is known about one attempt, for choosing among several.

    Attributes:
        checks_passed: How well the record stands before code, in [0, 1]: 0 for no record, 1 for no objection.
        criteria_passed: Weighted share of the judge's criteria passed, in [0, 1]; None where it was not judged.
        verdict: The judge's verdict, None where it was not judged.
        confidence: Calibrated confidence or, where there is none, the score; in [0, 1].
        strong: Whether the strong tier wrote it.
    """

    checks_passed: float
    criteria_passed: float | None
    verdict: VerdictName | None
    confidence: float
    strong: bool

    def rank(self) -> tuple[float, float, int, float, bool]:
        """Return the ordering key; the greater is the better.

        An attempt that was not judged ranks as if it had passed half of its criteria: above one that
        failed most of them, below one that passed most.
        """
        criteria = 0.5 if self.criteria_passed is None else self.criteria_passed
        accepted = {"accepted": 2, "unknown": 1, None: 1, "rejected": 0}[self.verdict]
        return (self.checks_passed, criteria, accepted, self.confidence, self.strong)


def best_attempt(attempts: Sequence[AttemptQuality]) -> int:
    """Return the position of the best attempt; of equals, the later one.

    Raises:
        ValueError: If there is no attempt.

    >>> first = AttemptQuality(
    ...     checks_passed=1.0, criteria_passed=0.8, verdict="rejected", confidence=0.7, strong=False
    ... )
    >>> second = AttemptQuality(
    ...     checks_passed=1.0, criteria_passed=0.5, verdict="rejected", confidence=0.9, strong=False
    ... )
    >>> best_attempt([first, second])
    0
    """
    if not attempts:
        raise ValueError("no attempt to choose from")
    return max(range(len(attempts)), key=lambda at: (attempts[at].rank(), at))


def attempt_quality(attempt: Attempt, verdict: VerdictRecord | None) -> AttemptQuality:
    """Read an attempt's quality from the state; `verdict` is the one about this attempt, if it was judged."""
    failures = _count_objections(attempt, verdict)
    known = attempt["confidence"] if attempt["confidence"] is not None else attempt["score"]
    return AttemptQuality(
        checks_passed=0.0 if attempt["record"] is None else 1 / (1 + failures),
        criteria_passed=None if verdict is None else verdict["score"],
        verdict=None if verdict is None else verdict["verdict"],
        confidence=known or 0.0,
        strong=attempt["tier"] == "strong",
    )


def _count_objections(attempt: Attempt, verdict: VerdictRecord | None) -> int:
    """Count what code found wrong: the judge step's checks, or the quotes where it was not judged."""
    if verdict is not None:
        return sum(finding["finding"] == "fail" for finding in verdict["code_findings"])
    return sum(not is_grounded(item["match"]) for item in attempt["evidence"])
