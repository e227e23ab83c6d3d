"""Labels that lean two ways, such as positive and negative or for and against, by VADER's lexicon."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence

from cupel.models.offline.sentences import Unit

SURE = 0.15
"""Mean VADER compound, in [-1, 1], from which a text counts as leaning."""
FAR = 0.5
"""Compound from which one sentence leans far."""

_POLES = {
    **dict.fromkeys(("positive", "favor", "favour", "support", "supports", "for", "pro", "agree", "yes"), 1),
    **dict.fromkeys(("negative", "against", "oppose", "opposes", "con", "disagree", "no"), -1),
    **dict.fromkeys(("neutral", "none", "mixed", "unclear", "unknown", "other", "neither"), 0),
}


def poles(labels: Sequence[str]) -> dict[str, int] | None:
    """1, 0 or -1 for each label that leans so; None where the labels do not lean both ways.

    >>> poles(["favor", "against", "none"]), poles(["fact", "opinion"])
    ({'favor': 1, 'against': -1, 'none': 0}, None)
    """
    sides = {label: _POLES[label.lower()] for label in labels if label.lower() in _POLES}
    return sides if {1, -1} <= set(sides.values()) else None


@functools.cache
def _compound() -> Callable[[str], float]:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyser = SentimentIntensityAnalyzer()
    return lambda text: float(analyser.polarity_scores(text)["compound"])


def leanings(units: Sequence[Unit]) -> list[tuple[float, Unit]]:
    """VADER's compound of each unit, in [-1, 1]."""
    return [(_compound()(unit.text), unit) for unit in units]


def leaning_label(scored: Sequence[tuple[float, Unit]], sides: Mapping[str, int]) -> str:
    """The label on whose side the units lean on average.

    If on neither, `mixed` where some lean far to either side, else another neutral label, where there are any.
    """
    scores = [score for score, _ in scored]
    mean = sum(scores) / len(scores) if scores else 0.0
    wanted = 0 if abs(mean) < SURE else int(math.copysign(1, mean))
    fitting = [label for label, pole in sides.items() if pole == wanted] or list(sides)
    torn = bool(scores) and min(scores) < -FAR and max(scores) > FAR
    return next((label for label in fitting if (label == "mixed") == torn), fitting[0])


def furthest(scored: Sequence[tuple[float, Unit]], pole: int, count: int) -> list[Unit]:
    """The units that lean furthest to one side, in reading order; none for a neutral one."""
    on_it = sorted(
        ((pole * score, unit) for score, unit in scored if pole * score > SURE), key=lambda pair: -pair[0]
    )
    return sorted((unit for _, unit in on_it[:count]), key=lambda unit: unit.start)
