"""Several judges, judges of two records, and judges looked over: votes, preferences and audits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cupel.state import Outcome, VerdictName

if TYPE_CHECKING:  # statistics needs numpy; a run that counts votes does not
    from cupel.judging.agreement import Agreement, IntervalEstimate
    from cupel.stats import Interval

Preference = Literal["a", "b", "tie", "unknown"]
"""Which of two records is better; `unknown` where a judgement could not be had."""

Answer = Literal["first", "second", "tie"]
"""What a judge says of two records in the order it was shown them."""


@dataclass(frozen=True, slots=True)
class JuryVerdict:
    """What several judges make of one record.

    Attributes:
        verdict: That of the majority of those that knew; `unknown` without a majority.
        agreed: Whether all who knew said the same, and at least two did. A record they disagree on is for
            a person to look at.
        votes: Verdict → number of judges.
    """

    verdict: VerdictName
    agreed: bool
    votes: dict[VerdictName, int]


def count_votes(verdicts: Sequence[VerdictName]) -> JuryVerdict:
    """Count the verdicts of judges of different model families.

    >>> count_votes(["accepted", "accepted", "rejected"]).verdict
    'accepted'
    >>> count_votes(["accepted", "rejected", "unknown"]).verdict
    'unknown'
    """
    votes = Counter(verdicts)
    decided = votes["accepted"] + votes["rejected"]
    majority: VerdictName = "unknown"
    if votes["accepted"] != votes["rejected"]:
        majority = "accepted" if votes["accepted"] > votes["rejected"] else "rejected"
    return JuryVerdict(
        majority, agreed=decided >= 2 and decided in {votes["accepted"], votes["rejected"]}, votes=dict(votes)
    )


def pairwise_schema() -> dict[str, Any]:
    """Return the strict JSON Schema of a comparison of two records; the reasoning comes first."""
    return {
        "type": "object",
        "properties": {
            "reasoning": {"type": "string"},
            "better": {"type": "string", "enum": ["first", "second", "tie"]},
        },
        "required": ["reasoning", "better"],
        "additionalProperties": False,
    }


def preference(a_first: Answer | None, b_first: Answer | None) -> Preference:
    """Combine the judge's answers to both orders; a judge that follows the order prefers nothing.

    Args:
        a_first: Its answer when record a was shown first; None where there was none.
        b_first: Its answer when record b was shown first.

    >>> preference("first", "second"), preference("first", "first")
    ('a', 'tie')
    """
    if a_first is None or b_first is None:
        return "unknown"
    one = {"first": "a", "second": "b", "tie": "tie"}[a_first]
    other = {"first": "b", "second": "a", "tie": "tie"}[b_first]
    if one != other:
        return "tie"
    return "a" if one == "a" else "b" if one == "b" else "tie"


@dataclass(frozen=True, slots=True)
class WinRate:
    """How often a was preferred to b.

    Attributes:
        rate: Share of compared documents won by a, ties counted half; None without any.
        interval: 95 % interval of the rate, groups resampled.
        wins: Documents won by a.
        ties: Documents without a preference, those the two orders disagreed on included.
        losses: Documents won by b.
        unknown: Documents without a judgement; they are in no rate.
    """

    rate: float | None
    interval: Interval
    wins: int
    ties: int
    losses: int
    unknown: int


def win_rate(preferences: Sequence[Preference], groups: Sequence[Hashable] | None = None) -> WinRate:
    """Share of documents on which a was preferred, with its interval.

    Args:
        preferences: One per document.
        groups: The group of each document; each its own when left out.

    >>> win_rate(["a", "a", "tie", "b", "unknown"]).rate
    0.625
    """
    from cupel.stats import bounded_mean

    names = list(groups) if groups is not None else list(range(len(preferences)))
    worth = {"a": 1.0, "tie": 0.5, "b": 0.0}
    compared = [(worth[p], g) for p, g in zip(preferences, names, strict=True) if p in worth]
    points = [value for value, _ in compared]
    count = Counter(preferences)
    return WinRate(
        rate=sum(points) / len(points) if points else None,
        interval=bounded_mean(points, [group for _, group in compared]),
        wins=count["a"],
        ties=count["tie"],
        losses=count["b"],
        unknown=count["unknown"],
    )


@dataclass(frozen=True, slots=True)
class FalsePassRate:
    """Share of accepted records that a second judge, or a person, rejects."""

    rate: float | None
    interval: Interval
    audited: int
    unknown: int


def false_pass_rate(second_verdicts: Sequence[VerdictName]) -> FalsePassRate:
    """Estimate how many acceptances are wrong from audits of a random sample of them.

    With r of n audited acceptances rejected the rate is r / n. Its 95 % interval is exact (Clopper and Pearson,
    Biometrika 1934): from the 2.5 % quantile of Beta(r, n - r + 1) to the 97.5 % quantile of Beta(r + 1, n - r).

    The auditor errs too. One that rejects right records in a share of 1 - TPR and lets wrong ones pass in a share of
    1 - TNR finds r / n ≈ f · TNR + (1 - f) · (1 - TPR) of a true rate f, so that a small f is mostly overstated:
    `correct_false_pass_rate` takes that out where its agreement with people was measured.

    Args:
        second_verdicts: The audit's verdict on each accepted record of the sample; `unknown` ones are
            counted and left out.

    >>> audits = false_pass_rate(["accepted"] * 18 + ["rejected", "rejected"])
    >>> audits.rate, round(audits.interval.low, 4), round(audits.interval.high, 4)
    (0.1, 0.0123, 0.317)
    """
    from cupel.stats import clopper_pearson

    rejected = sum(verdict == "rejected" for verdict in second_verdicts)
    decided = rejected + sum(verdict == "accepted" for verdict in second_verdicts)
    return FalsePassRate(
        rate=rejected / decided if decided else None,
        interval=clopper_pearson(rejected, decided),
        audited=decided,
        unknown=len(second_verdicts) - decided,
    )


def correct_false_pass_rate(audits: FalsePassRate, auditor: Agreement) -> IntervalEstimate:
    """The false-pass rate people would find, from what an auditor found and how it errs.

    Args:
        audits: What the audits found.
        auditor: The auditor's agreement with people, of `cupel judge-check`.

    Returns:
        One less the pass rate corrected by Rogan and Gladen, with its interval; None and everything where the
        auditor is no better than chance.

    >>> from cupel.judging.agreement import measure_agreement
    >>> people = [True] * 80 + [False] * 80
    >>> measured = measure_agreement((["pass"] * 76 + ["fail"] * 4) + (["fail"] * 72 + ["pass"] * 8), people)
    >>> audits = false_pass_rate(["accepted"] * 85 + ["rejected"] * 15)
    >>> round(correct_false_pass_rate(audits, measured).value, 4)  # (.15 - .05) / (.95 + .90 - 1)
    0.1176
    """
    from cupel.judging.agreement import IntervalEstimate, correct_pass_rate
    from cupel.stats import Interval

    rejected = round((audits.rate or 0.0) * audits.audited)
    passes = correct_pass_rate(audits.audited - rejected, audits.audited, auditor)
    if passes.value is None:
        return passes
    return IntervalEstimate(1 - passes.value, Interval(1 - passes.interval.high, 1 - passes.interval.low))


def audits_of(outcomes: Iterable[Outcome], auditor: str = "") -> list[VerdictName]:
    """The audits' verdicts in a run's outcomes, taken-over ones of equal texts left out.

    Args:
        outcomes: The run's.
        auditor: Only those of this model.
    """
    return [verdict for outcome in outcomes for verdict in audits_in(outcome, auditor)]


def audits_in(outcome: Outcome, auditor: str = "") -> list[VerdictName]:
    """The audits' verdicts in one outcome: at most one, as an acceptance ends its walk."""
    return [
        sat["verdict"]
        for verdict in outcome["verdicts"]
        if (sat := verdict.get("jury")) is not None
        and sat["why"] == "audit"
        and verdict["calls"]  # a twin's verdict is its original's, copied without calls
        and len(sat["jurors"]) > 1
        and auditor in ("", sat["jurors"][-1]["model"])
    ]
