"""Segments: how well a text was cut into its parts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from cupel.metrics.counts import Answer, Counts, Document, Figures, Unlabelled, compare_sets, quality_of

_WORD = re.compile(r"\S+")


def pk(gold: Sequence[int], given: Sequence[int], units: int, reach: int = 0) -> float:
    """Share of places at which gold and answer disagree whether two units `reach` apart are of one segment.

    Source: Beeferman, Berger, Lafferty, "Statistical models for text segmentation", Machine Learning 34, 1999.

    Args:
        gold: The units at which a new segment begins, each in [1, units).
        given: The same of the answer.
        units: Units of the text: words, or sentences.
        reach: Units between the two ends; 0 for half a segment of the gold, as the source has it.

    Returns:
        In [0, 1]; 0 is right everywhere. A text of no more than `reach` units has no such place, and scores 0.

    Eight units cut in the middle, and not cut: of the six pairs two apart, two straddle the cut.

    >>> pk([4], [4], 8), pk([4], [], 8)
    (0.0, 0.3333333333333333)
    """
    reach = reach or half_segment(gold, units)
    seen = zip(_crossed(gold, units, reach), _crossed(given, units, reach), strict=True)
    return _share([bool(right) != bool(said) for right, said in seen])


def window_diff(gold: Sequence[int], given: Sequence[int], units: int, reach: int = 0) -> float:
    """Share of places at which gold and answer disagree how many cuts lie between two units `reach` apart.

    Unlike `pk` it also counts a cut too many beside a right one. Takes what `pk` takes.
    Source: Pevzner, Hearst, "A critique and improvement of an evaluation metric for text segmentation",
    Computational Linguistics 28, 2002.

    Cut once too often, right beside the cut: two pairs see two cuts where there is one or none.

    >>> window_diff([4], [4, 5], 8), pk([4], [4, 5], 8)
    (0.3333333333333333, 0.16666666666666666)
    """
    reach = reach or half_segment(gold, units)
    seen = zip(_crossed(gold, units, reach), _crossed(given, units, reach), strict=True)
    return _share([right != said for right, said in seen])


def half_segment(gold: Sequence[int], units: int) -> int:
    """Half of the gold's mean segment, at least one unit.

    >>> half_segment([4], 8), half_segment([], 1)
    (2, 1)
    """
    return max(1, round(units / (len(set(gold)) + 1) / 2))


def _crossed(starts: Sequence[int], units: int, reach: int) -> list[int]:
    """How many segments begin after each unit and up to the one `reach` further."""
    before = [0] * (units + 1)  # how many begin at an earlier unit
    begins = set(starts)
    for at in range(units):
        before[at + 1] = before[at] + (at in begins)
    return [before[at + reach + 1] - before[at + 1] for at in range(max(0, units - reach))]


def _share(differs: Sequence[bool]) -> float:
    return sum(differs) / len(differs) if differs else 0.0


def starting_words(text: str, offsets: Sequence[int]) -> list[int]:
    """The words at which segments begin that begin at these characters; the text's first word begins none.

    >>> starting_words("One two. Three four.", [0, 8, 9])
    [2]
    """
    ends = [match.end() for match in _WORD.finditer(text)]
    at = {sum(end <= offset for end in ends) for offset in offsets}
    return sorted(word for word in at if 0 < word < len(ends))


class Boundaries(Unlabelled):
    """Where the segments of a text begin, in characters: `pk` and `window_diff` in words, which are errors, and F1 of cuts.

    A segment begins right where it begins at the very word. An answer without boundaries is one that never cuts.
    """

    def count(self, document: Document, answer: Answer) -> Counts:
        """Measure one text."""
        text = document["text"]
        gold, given = (
            starting_words(text, said.get("boundaries") or []) for said in (document["gold"], answer)
        )
        words = len(_WORD.findall(text))
        errors = {"pk_sum": pk(gold, given, words), "window_diff_sum": window_diff(gold, given, words)}
        counts: Counts = Counter({"n": 1, **errors})  # type: ignore[dict-item]  # sums of floats
        compare_sets(counts, set(gold), set(given), "cuts")
        counts["cuts_gold"], counts["cuts_given"] = len(gold), len(given)
        return counts

    def totals(self, counts: Counts) -> Figures:
        """Return the mean errors over texts, and quality over all cuts."""
        texts = max(1, counts["n"])
        return {
            **quality_of(counts, "cuts").micro(),
            **{name: counts[f"{name}_sum"] / texts for name in ("pk", "window_diff")},
            "cuts_gold": counts["cuts_gold"],
            "cuts_given": counts["cuts_given"],
        }
