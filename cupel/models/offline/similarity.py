"""Lexical nearness: which label a sentence is nearest to, and which sentences say what a document is about."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Sequence

from cupel.models.offline.examples import Teaching
from cupel.models.offline.sentences import WORD, Unit

CUE_WEIGHT = 0.2
"""What a cue word counts beside a cosine in [0, 1]."""

_CUES: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    (
        re.compile(r"opinion|judge|demand|propos|claim|predict|promise|position|recommend|request"),
        re.compile(
            r"\b(?:must|should|shall|need|needs|have to|has to|ought|will|would|cannot|can't|let us|let's|want"
            r"|believe|think|hope|call|urge|ask|unacceptable|essential|important|crucial|vital|urgent|time to"
            r"|wrong|right|welcome|regret|clear|enough|better|never|therefore)\b",
            re.IGNORECASE,
        ),
    ),
    (
        re.compile(r"fact|figure|event|example|reason|ground|evidence|experience|statistic|number|past"),
        re.compile(
            r"\d|%|\b(?:because|since|percent|million|billion|according|for example|was|were|had|has been"
            r"|have been|said|showed|shows|means|already|years?|months?|yesterday|ago)\b",
            re.IGNORECASE,
        ),
    ),
)
"""What a definition speaks of, and the words that show it in a sentence."""

_COMMON = """
a about after again all also although always an and another any anyone are as at be because been before both
but by can could did do does each even every everyone far few finally first for from further furthermore had
has have he hence her here his how however i if in indeed instead into is it its just last later least let
lets make many me meanwhile more most moreover much my need neither never next no nobody nor not nothing now
of on once one only or other our out over own people perhaps please same second secondly see she should
since so some such take thank thanks that the their them then there therefore these they third this those
though through thus to today together too truly two under unfortunately until up us very was we well were
what when where whether which while who whole why will with without would yes yesterday yet you your
colleagues dear honourable ladies gentlemen mr mrs ms madam
"""
COMMON_WORDS = frozenset(_COMMON.split())


@functools.lru_cache(maxsize=4096)
def grams(text: str) -> tuple[str, ...]:
    """Words that are not common ones, and their character 4-grams, which stand in for stems.

    >>> grams("We must reform")
    ('must', 'reform', '#must', '#refo', '#efor', '#form')
    """
    words = [word for word in WORD.findall(text.lower()) if word not in COMMON_WORDS]
    return (*words, *(f"#{word[i : i + 4]}" for word in words for i in range(max(1, len(word) - 3))))


def content_words(text: str) -> set[str]:
    """The words of a text that are not common ones."""
    return set(WORD.findall(text.lower())) - COMMON_WORDS


@functools.lru_cache(maxsize=512)
def _definition(text: str) -> tuple[dict[str, float], tuple[re.Pattern[str], ...]]:
    """A label's weighted n-grams, of unit length, and the cues its definition speaks most of."""
    counts = Counter(grams(text))
    weights = {gram: 1 + math.log(count) for gram, count in counts.items()}
    norm = math.hypot(*weights.values()) or 1.0
    spoken = [len(set(defines.findall(text.lower()))) for defines, _ in _CUES]
    cues = tuple(shows for (_, shows), n in zip(_CUES, spoken, strict=True) if n and n == max(spoken))
    return {gram: weight / norm for gram, weight in weights.items()}, cues


class Nearness:
    """Compares the sentences of one document with labels, rare words of the document weighing more."""

    def __init__(self, teaching: Teaching, sentences: Sequence[Unit]) -> None:
        self._teaching = teaching
        self._sentences = sentences
        counts = Counter(gram for unit in sentences for gram in set(grams(unit.text)))
        self._weight = {gram: math.log((len(sentences) + 1) / n) + 0.1 for gram, n in counts.items()}

    def nearest(self, unit: Unit, field: str, labels: Sequence[str]) -> tuple[str, float]:
        """The label nearest to a unit, and its score: cosine in [0, 1] plus what its cue words count."""
        weights = [(gram, self._weight.get(gram, 1.0)) for gram in grams(unit.text)]
        norm = math.hypot(*(weight for _, weight in weights)) or 1.0
        shown = f"{unit.opening} {unit.text}"
        scores = {
            label: self._score(weights, norm, shown, self._teaching.about(field, label)) for label in labels
        }
        best = max(scores, key=scores.__getitem__)
        return best, scores[best]

    def _score(self, weights: list[tuple[str, float]], norm: float, shown: str, about: str) -> float:
        vector, cues = _definition(about)
        cosine = sum(weight * vector[gram] for gram, weight in weights if gram in vector) / norm
        return cosine + CUE_WEIGHT * sum(min(2, len(cue.findall(shown))) for cue in cues)

    def most_telling(self, count: int) -> list[Unit]:
        """The statements that hold most of what the document keeps coming back to, best first."""
        words = Counter(word for unit in self._sentences for word in content_words(unit.text))

        def weight(unit: Unit) -> float:
            own = content_words(unit.text)
            return sum(words[word] - 1 for word in own) / math.sqrt(len(own) + 5)

        statements = [unit for unit in self._sentences if unit.asserts]
        return sorted(statements, key=lambda unit: (-weight(unit), unit.start))[:count]
