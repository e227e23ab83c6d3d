"""What a node can observe about one record, as numbers; higher always means more trustworthy.

Nodes make the calls and hand the results in; nothing here calls a model. A signal that could not be observed
is None, never 0. Each registered signal says how many further model calls it costs a document.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cupel.errors import SettingError
from cupel.routing.confidence.agreement import record_agreement
from cupel.text import is_grounded

CallsFrom = Literal["second_record", "verifications", "samples"]
"""The part of `Observed` whose calls a signal needs, and is billed for."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The results of the calls made for one record; leave out what was not done."""

    record: Mapping[str, Any] | None = None
    """The record in question, or None where the reply held none."""
    schema_valid: bool | None = None
    """Whether the reply met the strict schema as sent, before any repair."""
    quote_matches: Sequence[str] | None = None
    """A grounding match per quote: verbatim, normalised, elided, altered or absent."""
    second_record: Mapping[str, Any] | None = None
    """The record of a second cheap call: another prompt or another model."""
    token_logprobs: Sequence[float] | None = None
    """Natural log probability of each token of the reply."""
    top_logprobs: Sequence[Sequence[float]] | None = None
    """For each token the log probabilities of its most likely alternatives, its own included."""
    verifications: Sequence[bool | None] | None = None
    """Self-verification: the model's answers to "is this record right?"; None where unreadable."""
    samples: Sequence[Mapping[str, Any] | None] | None = None
    """Further records of the same model and prompt at a temperature above 0."""
    self_report: float | None = None
    """The model's own confidence, in [0, 1]; an input to a calibration, never a verdict alone."""
    other: Mapping[str, Any] = field(default_factory=dict)
    """Whatever a signal of one's own needs."""


Signal = Callable[[Observed], float | None]


@dataclass(frozen=True)
class SignalSpec:
    """A signal, what it costs and what it tells."""

    name: str
    compute: Signal
    calls: int
    """Further model calls per document beyond the cheap one: the default number where it can be set."""
    needs: CallsFrom | None
    """Whose calls these are; signals that share them are billed once."""
    why: str


def schema_valid(seen: Observed) -> float | None:
    """1 where the reply met the strict schema, 0 where not."""
    return None if seen.schema_valid is None else float(seen.schema_valid)


def quotes_verbatim(seen: Observed) -> float | None:
    """Share of quotes found word for word; None where the record has no quotes."""
    return _share(seen.quote_matches, lambda match: match == "verbatim")


def quotes_grounded(seen: Observed) -> float | None:
    """Share of quotes found verbatim or but for typography (normalised)."""
    return _share(seen.quote_matches, is_grounded)


def fields_filled(seen: Observed) -> float | None:
    """Share of top-level fields that hold something: not null, an empty text, list or object."""
    if not seen.record:
        return None
    filled = sum(value not in (None, "", [], {}) for value in seen.record.values())
    return filled / len(seen.record)


def agreement(seen: Observed) -> float | None:
    """Agreement with the second record in [0, 1]; None where either is missing."""
    return record_agreement(seen.record, seen.second_record)


def mean_logprob(seen: Observed) -> float | None:
    """Geometric mean probability of the reply's tokens, in [0, 1]."""
    logs = _finite(seen.token_logprobs)
    return math.exp(sum(logs) / len(logs)) if logs else None


def min_logprob(seen: Observed) -> float | None:
    """Probability of the least likely token, in [0, 1]."""
    logs = _finite(seen.token_logprobs)
    return math.exp(min(logs)) if logs else None


def token_certainty(seen: Observed) -> float | None:
    """Minus the mean entropy (nats) over the reported alternatives of each token; 0 is certain.

    Alternatives that were not reported count as one further outcome with the probability that is left.

    >>> token_certainty(Observed(top_logprobs=[[0.0]]))
    -0.0
    """
    if not seen.top_logprobs:
        return None
    entropies = [_entropy(token) for token in seen.top_logprobs if len(token)]
    return -sum(entropies) / len(entropies) if entropies else None


def self_verified(seen: Observed) -> float | None:
    """P(true): the share of readable self-verifications that said the record is right.

    Source: Aggarwal et al., "AutoMix", arXiv 2310.12963; every sample is a paid call.
    """
    votes = [vote for vote in seen.verifications or () if vote is not None]
    return sum(votes) / len(votes) if votes else None


def self_consistency(seen: Observed) -> float | None:
    """Mean agreement of the record with further samples of the same prompt."""
    scores = [record_agreement(seen.record, sample) for sample in seen.samples or ()]
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


def self_report(seen: Observed) -> float | None:
    """The confidence the model states of itself; NaN and values outside [0, 1] count as missing."""
    value = seen.self_report
    return value if value is not None and 0 <= value <= 1 else None


SIGNALS: dict[str, SignalSpec] = {
    spec.name: spec
    for spec in (
        SignalSpec("schema_valid", schema_valid, 0, None, "the reply met the strict schema"),
        SignalSpec("quotes_verbatim", quotes_verbatim, 0, None, "share of quotes found word for word"),
        SignalSpec("quotes_grounded", quotes_grounded, 0, None, "share of quotes verbatim or normalised"),
        SignalSpec("fields_filled", fields_filled, 0, None, "share of fields that hold something"),
        SignalSpec("agreement", agreement, 1, "second_record", "a second cheap call says the same"),
        SignalSpec("mean_logprob", mean_logprob, 0, None, "mean token probability"),
        SignalSpec("min_logprob", min_logprob, 0, None, "probability of the least likely token"),
        SignalSpec("token_certainty", token_certainty, 0, None, "minus the mean token entropy"),
        SignalSpec("self_verified", self_verified, 8, "verifications", "the model says its record is right"),
        SignalSpec("self_consistency", self_consistency, 4, "samples", "further samples say the same"),
        SignalSpec("self_report", self_report, 0, None, "the confidence the model states"),
    )
}
"""Every signal by name; `register` adds one of your own."""


def register(
    name: str, compute: Signal, *, calls: int = 0, needs: CallsFrom | None = None, why: str = ""
) -> None:
    """Add a signal of your own; it is used wherever its name is listed.

    Args:
        name: A new name.
        compute: From what was observed to a number (higher is more trustworthy), or None where unknown.
        calls: Further model calls it costs a document.
        needs: Which calls those are, where it shares them with a built-in signal.
        why: What it tells, for the report.

    Raises:
        SettingError: The name is taken, or `calls` is negative.
    """
    if name in SIGNALS:
        raise SettingError(f"a signal called {name!r} exists already; choose another name")
    if calls < 0:
        raise SettingError(f"signal {name!r}: calls is {calls}; give 0 or more")
    SIGNALS[name] = SignalSpec(name, compute, calls, needs, why)


def compute_signals(seen: Observed, names: Sequence[str]) -> dict[str, float | None]:
    """The named signals of one record; NaN and infinities become None.

    Raises:
        SettingError: An unknown name.
    """
    return {name: _known(_spec(name).compute(seen)) for name in names}


def calls_needed(names: Sequence[str]) -> int:
    """Further model calls per document for these signals together; shared calls count once.

    >>> calls_needed(["schema_valid", "agreement"])
    1
    """
    shared: dict[CallsFrom, int] = {}
    own = 0
    for spec in (_spec(name) for name in names):
        if spec.needs is None:
            own += spec.calls
        else:
            shared[spec.needs] = max(shared.get(spec.needs, 0), spec.calls)
    return own + sum(shared.values())


def _spec(name: str) -> SignalSpec:
    if name not in SIGNALS:
        raise SettingError(f"unknown signal {name!r}; there are {', '.join(sorted(SIGNALS))}")
    return SIGNALS[name]


def _known(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _finite(logs: Sequence[float] | None) -> list[float]:
    return [value for value in logs or () if math.isfinite(value)]


def _share(matches: Sequence[str] | None, is_good: Callable[[str], bool]) -> float | None:
    return sum(map(is_good, matches)) / len(matches) if matches else None


def _entropy(logs: Sequence[float]) -> float:
    shares = [math.exp(value) for value in logs]
    rest = max(0.0, 1 - sum(shares))
    return -sum(p * math.log(p) for p in [*shares, rest] if p > 0)
