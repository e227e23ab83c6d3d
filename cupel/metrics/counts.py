"""Counts of hits, false alarms and misses, and the figures made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

Counts = Counter[Hashable]
"""What one document adds to a figure; documents' counts are summed, then turned into figures."""

Document = Mapping[str, Any]
"""`{"id", "text", "meta", "gold"}`."""

Answer = Mapping[str, Any]
"""A prediction for one document; empty where there was none."""

Figures = dict[str, Any]


class Kind(Protocol):
    """One kind of gold: how a document is counted, and what figures the sums give.

    Counts are additive, so that resampled documents need not be counted again.
    """

    def labels(self, gold: Sequence[Document]) -> list[str]:
        """Return the labels that occur in the gold, sorted; empty for a kind without labels."""

    def count(self, document: Document, answer: Answer) -> Counts:
        """Count one document's answer against its gold."""

    def figures(self, counts: Counts, labels: Sequence[str]) -> Figures:
        """Turn summed counts into figures, each in [0, 1] or a number of things counted."""


class Unlabelled:
    """A kind without labels; a subclass turns its counts into figures by `totals`."""

    def labels(self, gold: Sequence[Document]) -> list[str]:
        """Return nothing: the figures are over everything."""
        del gold
        return []

    def figures(self, counts: Counts, labels: Sequence[str]) -> Figures:
        """Turn summed counts into figures."""
        del labels
        return self.totals(counts)

    def totals(self, counts: Counts) -> Figures:
        """Turn summed counts into figures."""
        raise NotImplementedError


class Quality(NamedTuple):
    """Precision, recall and F1, each in [0, 1]; 0 where undefined."""

    precision: float
    recall: float
    f1: float

    def micro(self) -> Figures:
        """By their names in a report, where everything is counted together."""
        return {"micro_p": self.precision, "micro_r": self.recall, "micro_f1": self.f1}


def quality(hits: float, false_alarms: float, misses: float) -> Quality:
    """Precision, recall and F1 from counts.

    >>> quality(2, 2, 0)
    Quality(precision=0.5, recall=1.0, f1=0.6666666666666666)
    """
    precision = hits / (hits + false_alarms) if hits + false_alarms else 0.0
    recall = hits / (hits + misses) if hits + misses else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Quality(precision, recall, f1)


def quality_of(counts: Counts, *prefix: Hashable) -> Quality:
    """Quality from the counts stored under `(*prefix, "hit" | "extra" | "miss")`."""
    return quality(counts[*prefix, "hit"], counts[*prefix, "extra"], counts[*prefix, "miss"])


def shared_f1(shared: float, given: float, wanted: float) -> float:
    """F1 of two bags from the size of what they share and of each.

    >>> shared_f1(2, 4, 2)
    0.6666666666666666
    """
    return quality(shared, given - shared, wanted - shared).f1


def compare_sets(counts: Counts, gold: set[Any], given: set[Any], *prefix: Hashable) -> None:
    """Add the agreement of two sets to the counts under `prefix`."""
    counts[*prefix, "hit"] += len(gold & given)
    counts[*prefix, "extra"] += len(given - gold)
    counts[*prefix, "miss"] += len(gold - given)


def mean(values: Sequence[float]) -> float:
    """Mean of the values; 0 where there are none."""
    return sum(values) / len(values) if values else 0.0
