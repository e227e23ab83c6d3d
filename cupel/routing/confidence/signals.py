"""What a node can observe about one record, as numbers; higher always means more trustworthy.

Nodes make the calls and hand the results in; nothing here calls a model. A signal that could not be observed
is None, never 0. Most cost no further call: `agreement`, `self_verified` and `self_consistency` need results of
calls that a document is billed for. A new signal is a function here and its place in `SIGNALS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cupel.errors import SettingError
from cupel.routing.confidence.agreement import record_agreement
from cupel.routing.confidence.value_tokens import Token
from cupel.text import is_grounded


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
    value_tokens: Mapping[str, Sequence[Token]] | None = None
    """By field, the tokens its values were written in; empty where tokens came that could not be mapped to the record."""
    verifications: Sequence[bool | None] | None = None
    """Self-verification: the model's answers to "is this record right?"; None where unreadable."""
    samples: Sequence[Mapping[str, Any] | None] | None = None
    """Further records of the same model and prompt at a temperature above 0."""
    self_report: float | None = None
    """The model's own confidence, in [0, 1]; an input to a calibration, never a verdict alone."""


Signal = Callable[[Observed], float | None]


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
    """Geometric mean probability of the tokens of values, in [0, 1]: of each field, then of the fields.

    A label of one token counts as much as a quote of fifty.

    >>> tokens = {"label": [Token("for", -2.0)], "quote": [Token("a", 0.0), Token("b", 0.0)]}
    >>> round(mean_logprob(Observed(value_tokens=tokens)), 4) == round(math.exp(-1), 4)
    True
    """
    mean = _mean_of_fields(seen, lambda token: token.logprob)
    return None if mean is None else math.exp(mean)


def min_logprob(seen: Observed) -> float | None:
    """Probability of the least likely token of any value, in [0, 1]."""
    logs = [token.logprob for tokens in (seen.value_tokens or {}).values() for token in tokens]
    logs = [value for value in logs if math.isfinite(value)]
    return math.exp(min(logs)) if logs else None


def token_certainty(seen: Observed) -> float | None:
    """Minus the mean entropy (nats) over the reported alternatives of each value's tokens; 0 is certain.

    Alternatives that were not reported count as one further outcome with the probability that is left.

    >>> token_certainty(Observed(value_tokens={"label": [Token("for", 0.0, (0.0,))]}))
    -0.0
    """
    mean = _mean_of_fields(seen, lambda token: _entropy(token.alternatives) if token.alternatives else None)
    return None if mean is None else -mean


def token_margin(seen: Observed) -> float | None:
    """How much likelier the likeliest token was than the second, in [0, 1], over the tokens of values as `mean_logprob`.

    >>> round(token_margin(Observed(value_tokens={"a": [Token("x", -0.2, (math.log(0.75), math.log(0.25)))]})), 6)
    0.5
    """
    return _mean_of_fields(seen, lambda token: _margin(token.alternatives))


def self_verified(seen: Observed) -> float | None:
    """P(true): the share of readable self-verifications that said the record is right.

    Source: Aggarwal et al., "AutoMix", arXiv 2310.12963; every sample is a paid call.
    """
    votes = [vote for vote in seen.verifications or () if vote is not None]
    return sum(votes) / len(votes) if votes else None


def self_consistency(seen: Observed) -> float | None:
    """Mean agreement of the record with further samples of the same prompt."""
    scores = [record_agreement(seen.record, sample) for sample in seen.samples or ()]
    compared = [score for score in scores if score is not None]
    return sum(compared) / len(compared) if compared else None


def self_report(seen: Observed) -> float | None:
    """The confidence the model states of itself; NaN and values outside [0, 1] count as missing."""
    value = seen.self_report
    return value if value is not None and 0 <= value <= 1 else None


SIGNALS: dict[str, Signal] = {
    signal.__name__: signal
    for signal in (
        schema_valid, quotes_verbatim, quotes_grounded, fields_filled, agreement, mean_logprob, min_logprob,
        token_certainty, token_margin, self_verified, self_consistency, self_report,
    )
}  # fmt: skip
"""Every signal by name."""


def compute_signals(seen: Observed, names: Sequence[str]) -> dict[str, float | None]:
    """The named signals of one record; NaN and infinities become None.

    Raises:
        SettingError: An unknown name.
    """
    for name in names:
        if name not in SIGNALS:
            raise SettingError(f"unknown signal {name!r}; there are {', '.join(sorted(SIGNALS))}")
    return {name: _finite_or_none(SIGNALS[name](seen)) for name in names}


def _finite_or_none(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _mean_of_fields(seen: Observed, of: Callable[[Token], float | None]) -> float | None:
    """The mean over fields of the mean over their tokens; what is missing or infinite is left out."""
    means = []
    for tokens in (seen.value_tokens or {}).values():
        values = [value for token in tokens if (value := of(token)) is not None and math.isfinite(value)]
        if values:
            means.append(sum(values) / len(values))
    return sum(means) / len(means) if means else None


def _margin(logs: Sequence[float]) -> float | None:
    if len(logs) < 2:
        return None
    first, second = sorted(logs, reverse=True)[:2]
    return math.exp(first) - math.exp(second)


def _share(matches: Sequence[str] | None, is_good: Callable[[str], bool]) -> float | None:
    return sum(map(is_good, matches)) / len(matches) if matches else None


def _entropy(logs: Sequence[float]) -> float:
    shares = [math.exp(value) for value in logs]
    rest = max(0.0, 1 - sum(shares))
    return -sum(p * math.log(p) for p in [*shares, rest] if p > 0)
