"""The outcome of one document, settled from all that happened to it."""

from __future__ import annotations

from cupel.cascade.people import NOBODY
from cupel.cascade.routes import decides, failures_of
from cupel.runlog import cost_of, tried
from cupel.state import Attempt, Outcome, Review, RunState, Settled, Status, VerdictRecord, calls_of
from cupel.text import is_grounded, language_of


def choose_best(state: RunState) -> tuple[Attempt | None, VerdictRecord | None]:
    """The best attempt that has a record, not the last one, and the verdict on it; of equals, the later one."""
    about = {verdict["attempt"]: verdict for verdict in state["verdicts"]}
    attempts = [attempt for attempt in reversed(state["attempts"]) if attempt["record"] is not None]
    best = max(attempts, key=lambda attempt: rank(attempt, about.get(attempt["number"])), default=None)
    return best, about.get(best["number"]) if best else None


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
    if answered is not None and answered["action"] != "respond":
        return _say_answer(answered)
    if best is None:
        return "failed", list(dict.fromkeys(_errors(state)))
    audit = _audit_objections(verdict) if verdict else []
    if verdict is not None and decides(verdict):
        against = audit if verdict["verdict"] == "accepted" else _objections(verdict)
        return ("needs_review", against) if against else ("accepted", [])
    advice = [f"advisory judge: {text}" for text in _objections(verdict)] + audit if verdict else []
    if best["in_doubt"]:
        return "needs_review", [*best["doubts"], *advice, *_later_errors(state, best)]
    return "accepted", advice


def _say_answer(answered: Review) -> tuple[Status, list[str]]:
    """A person's answer is the last word; an instruction is none: what became of it is judged like any attempt."""
    who, note = answered.get("by", NOBODY), answered["note"]
    if answered["action"] in ("accept", "edit"):
        return "accepted", [f"{who} noted: {note}"] if note else []
    return "needs_review", [f"{who} left it undecided" + (f": {note}" if note else "")]


def settle(state: RunState, best: Attempt | None, status: Status, reasons: list[str]) -> Settled:
    """The outcome: the best attempt's record or the person's, and what all calls took."""
    answered = state.get("review")
    source = answered if answered is not None and answered["record"] is not None else best
    calls = [call for _, call in calls_of(state)]
    return Settled(
        status=status, record=source["record"] if source else None,
        evidence=source["evidence"] if source else [], confidence=best["confidence"] if best else None,
        score=best["score"] if best else None, calibrated=best["calibrated"] if best else False,
        model=best["model"] if best else None, tier=best["tier"] if best else None,
        prompt_version=best["prompt_version"] if best else "", reasons=reasons, cost_usd=cost_of(calls),
        latency_s=round(sum(call["latency_s"] for call in calls), 4), review=answered,
    )  # fmt: skip


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
        **settle(state, best, *say_status(state, best, verdict)),  # type: ignore[typeddict-item]  # no other calls there
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
    return _errors(state, best["number"])


def _errors(state: RunState, after: int = 0) -> list[str]:
    """What went wrong with the attempts after this one; a tier without a model tried nothing."""
    return [
        f"{attempt['tier']}: {attempt['error']}"
        for attempt in tried(state["attempts"])
        if attempt["error"] and attempt["number"] > after
    ]


def rank(attempt: Attempt, verdict: VerdictRecord | None) -> tuple[float, float, int, float, bool]:
    """How good an attempt is, for choosing among several; the greater is the better.

    In this order: how well it stands before code, in [0, 1]; the weighted share of the judge's criteria it passed;
    the verdict; how sure we are; whether the strong tier wrote it. An attempt that was not judged ranks as if it had
    passed half of its criteria: above one that failed most of them, below one that passed most.
    """
    score = None if verdict is None else verdict["score"]
    sure = attempt["score"] if attempt["confidence"] is None else attempt["confidence"]
    return (
        0.0 if attempt["record"] is None else 1 / (1 + _count_faults(attempt, verdict)),
        0.5 if score is None else score,
        1 if verdict is None else {"accepted": 2, "unknown": 1, "rejected": 0}[verdict["verdict"]],
        sure or 0.0,
        attempt["tier"] == "strong",
    )


def _count_faults(attempt: Attempt, verdict: VerdictRecord | None) -> int:
    """What code found wrong: the judge step's checks, or the quotes where it was not judged."""
    if verdict is not None:
        return len(failures_of(verdict["code_findings"]))
    return sum(not is_grounded(item["match"]) for item in attempt["evidence"])
