"""A data set scored: every document counted, figures with an interval by group."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from cupel.metrics.counts import Answer, Counts, Document, Figures, Kind
from cupel.metrics.labels import Label, LabelList, LabelSet, Sentences
from cupel.metrics.links import Matches, Relations
from cupel.metrics.segments import Boundaries
from cupel.metrics.spans import Spans
from cupel.metrics.texts import Keyphrases, Summary
from cupel.stats import Floats, Interval, percentile_interval

KINDS: Mapping[str, Kind] = {
    "spans": Spans(),
    "sentences": Sentences(),
    "label": Label(),
    "labels": LabelSet("labels"),
    "ekman": LabelSet("ekman"),
    "evidence_labels": LabelList("evidence_labels"),
    "relations": Relations(),
    "matches": Matches(),
    "keyphrases": Keyphrases(),
    "summary": Summary(),
    "boundaries": Boundaries(),
}
"""What a gold may hold, by the name of its field."""

HEADLINES: Mapping[str, str] = {
    "spans": "spans.iou50.micro_f1",
    "sentences": "sentences.pos_f1",
    "label": "label.macro_f1",
    "labels": "labels.macro_f1",
    "ekman": "ekman.macro_f1",
    "evidence_labels": "evidence_labels.macro_f1",
    "relations": "relations.micro_f1",
    "matches": "matches.micro_f1",
    "keyphrases": "keyphrases.f1",
    "summary": "summary.rougeL_f",
    "boundaries": "boundaries.micro_f1",
}
"""The figure to quote first, where a data set's card names no other."""

LEAST_GROUPS = 12
"""With fewer groups than this a resampling of groups says nothing, and documents are resampled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetFigures:
    """A data set's figures.

    Attributes:
        documents: Documents in the gold; one without an answer counts as answered with nothing.
        answered: How many had an answer.
        unknown_ids: Answers to documents that are not in the gold.
        headline: Path of the figure quoted first, such as `spans.iou50.micro_f1`.
        value: That figure.
        interval: Its 95 % interval; None where it was not asked for or there is one document.
        resampled: What was resampled for it.
        groups: Number of groups of documents.
        figures: Kind → every figure.
    """

    documents: int
    answered: int
    unknown_ids: int
    headline: str
    value: float
    interval: Interval | None
    resampled: Literal["group", "document"] | None
    groups: int
    figures: dict[str, Figures]


def evaluate(
    gold: Sequence[Document],
    answers: Sequence[Answer],
    *,
    kinds: Sequence[str],
    headline: str = "",
    draws: int = 200,
    seed: int = 7,
) -> DataSetFigures:
    """Score answers against gold.

    Args:
        gold: `{"id", "text", "meta", "gold"}` each.
        answers: `{"id", …}` each, with the fields its kinds name; of two with one id the later counts.
        kinds: Names from `KINDS`.
        headline: Path of the figure to quote, `kind.figure…`; the first kind's own when left out.
        draws: Resamples for the interval; 0 for none.
        seed: Seed of the resampling.

    Raises:
        ValueError: For an unknown kind, or a headline that is no figure of these kinds.
    """
    headline = headline or HEADLINES[_known(kinds)[0]]
    counted = _count(gold, answers, kinds)
    labels = {kind: KINDS[kind].labels(gold) for kind in kinds}
    figures = _figures(counted, labels)
    answered = {answer["id"] for answer in answers}
    units, resampled, groups = _units(gold, counted)
    interval = None
    if draws and len(gold) > 1:
        interval = _interval(units, lambda sample: _figure(_figures(sample, labels), headline), draws, seed)
    return DataSetFigures(
        documents=len(gold),
        answered=sum(document["id"] in answered for document in gold),
        unknown_ids=len(answered - {document["id"] for document in gold}),
        headline=headline,
        value=_figure(figures, headline),
        interval=interval,
        resampled=resampled if interval else None,
        groups=groups,
        figures=figures,
    )


@dataclass(frozen=True, slots=True)
class Gain:
    """What one set of answers is better by than another, on the same documents; 95 % interval of that difference."""

    value: float
    interval: Interval


def gain(
    gold: Sequence[Document],
    before: Sequence[Answer],
    after: Sequence[Answer],
    *,
    kinds: Sequence[str],
    headline: str = "",
    draws: int = 2_000,
    seed: int = 7,
) -> Gain:
    """Compare two sets of answers to one gold, document by document: what a prompt is better by than another.

    Both are scored on the same resampled documents, so what makes a document hard for both cancels out.

    Args:
        gold: As for `evaluate`.
        before: The answers compared with.
        after: The answers that may be better.
        kinds: Names from `KINDS`.
        headline: Path of the figure; the first kind's own when left out.
        draws: Resamples for the interval.
        seed: Seed of the resampling.

    Raises:
        ValueError: For an unknown kind, or a headline that is no figure of these kinds.

    >>> gold = [{"id": n, "text": "", "meta": {}, "gold": {"label": "ab"[n % 2]}} for n in range(20)]
    >>> right = [{"id": n, "label": "ab"[n % 2]} for n in range(20)]
    >>> gain(gold, [], right, kinds=["label"], headline="label.accuracy")
    Gain(value=1.0, interval=Interval(low=1.0, high=1.0))
    """
    headline = headline or HEADLINES[_known(kinds)[0]]
    pairs = list(zip(_count(gold, before, kinds), _count(gold, after, kinds), strict=True))
    labels = {kind: KINDS[kind].labels(gold) for kind in kinds}
    units, _, _ = _units(gold, pairs)
    old, new = (_Sums.of([[pair[side] for pair in unit] for unit in units]) for side in (0, 1))

    def difference(weights: Floats) -> float:
        was, now = (_figure(_figures([sums.weigh(weights)], labels), headline) for sums in (old, new))
        return now - was

    count = len(units)
    drawn = np.random.default_rng(seed).multinomial(count, [1 / count] * count, size=draws)
    interval = percentile_interval([difference(weights) for weights in drawn])
    return Gain(difference(np.ones(count)), interval)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Counts of whole units side by side, so that a resample is one product."""

    names: list[tuple[str, Hashable]]
    counts: Floats
    """Shape (units, names)."""

    @classmethod
    def of(cls, units: Sequence[Sequence[_Counted]]) -> _Sums:
        """Add up every unit's documents."""
        totals: list[Counter[tuple[str, Hashable]]] = [Counter() for _ in units]
        for total, unit in zip(totals, units, strict=True):
            for kind, counts in (item for document in unit for item in document.items()):
                total.update({(kind, name): count for name, count in counts.items()})
        names = list(dict.fromkeys(name for total in totals for name in total))
        return cls(names, np.array([[total[name] for name in names] for total in totals], dtype=np.float64))

    def weigh(self, weights: Floats) -> dict[str, Counts]:
        """The counts of a data set that holds every unit as often as its weight says."""
        totals: dict[str, Counts] = {kind: Counter() for kind, _ in self.names}
        for (kind, name), count in zip(self.names, (weights @ self.counts).tolist(), strict=True):
            totals[kind][name] = count
        return totals


def _known(kinds: Sequence[str]) -> Sequence[str]:
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise ValueError(f"unknown kinds {unknown}; there are {', '.join(KINDS)}")
    return kinds


_Counted = Mapping[str, Counts]
_T = TypeVar("_T")


def _count(gold: Sequence[Document], answers: Sequence[Answer], kinds: Sequence[str]) -> list[_Counted]:
    """Every document's counts; one without an answer is counted as answered with nothing."""
    by_id = {answer["id"]: answer for answer in answers}
    return [
        {kind: KINDS[kind].count(document, by_id.get(document["id"], {})) for kind in kinds}
        for document in gold
    ]


def _figures(counted: Sequence[_Counted], labels: Mapping[str, Sequence[str]]) -> dict[str, Figures]:
    totals: dict[str, Counts] = {kind: Counter() for kind in labels}
    for document in counted:
        for kind, counts in document.items():
            totals[kind].update(counts)
    return {kind: KINDS[kind].figures(totals[kind], labels[kind]) for kind in labels}


def _figure(figures: Mapping[str, Any], path: str) -> float:
    value: Any = figures
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            names = ", ".join(map(str, value)) if isinstance(value, Mapping) else "nothing below"
            raise ValueError(f"no figure {path!r}: {part!r} is not among {names}")
        value = value[part]
    return float(value)


def group_of(document: Document) -> str:
    """Return the group a document belongs to: its debate, date, topic or block, else itself.

    >>> group_of({"id": "d1", "meta": {"debate": "1984_10"}})
    '1984_10'
    """
    meta = document.get("meta") or {}
    names = (meta.get(name) for name in ("debate", "date", "topic", "block"))
    return str(next((name for name in names if name), document["id"]))


def _units(
    gold: Sequence[Document], counted: Sequence[_T]
) -> tuple[list[list[_T]], Literal["group", "document"], int]:
    """What is resampled: groups of documents, or documents where there are too few groups."""
    groups: dict[str, list[_T]] = {}
    for document, counts in zip(gold, counted, strict=True):
        groups.setdefault(group_of(document), []).append(counts)
    if len(groups) >= LEAST_GROUPS:
        return [groups[name] for name in sorted(groups)], "group", len(groups)
    return [[counts] for counts in counted], "document", len(groups)


def _interval(
    units: Sequence[list[_T]], value: Callable[[list[_T]], float], draws: int, seed: int
) -> Interval:
    """Percentile bootstrap: the figure of whole resampled data sets, 2.5 % cut off at either end."""
    drawing = random.Random(seed)
    values = sorted(
        value([counts for unit in [drawing.choice(units) for _ in units] for counts in unit])
        for _ in range(draws)
    )
    return Interval(values[int(0.025 * draws)], values[min(draws - 1, int(0.975 * draws))])
