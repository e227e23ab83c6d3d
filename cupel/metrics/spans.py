"""Spans: exact, by overlap and by token, with and without labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from cupel.metrics.counts import Answer, Counts, Document, Figures, compare_sets, mean, quality_of

HALF = 0.5
"""Overlap (intersection over union) from which two spans count as the same."""

_ALIKE = {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-"}
_TOKEN = re.compile(r"\w+|[^\w\s]")
_WAYS = (
    ("exact", 1.0, True),
    ("iou50", HALF, True),
    ("exact_nolabel", 1.0, False),
    ("iou50_nolabel", HALF, False),
)
_NAMES = ("exact", "iou50", "token", "exact_nolabel", "iou50_nolabel", "token_nolabel")


class Span(NamedTuple):
    """A labelled part of a text, `[start, end)`."""

    start: int
    end: int
    label: str | None


class ReadSpans(NamedTuple):
    """An answer's spans with their own ids, and how many could not be located."""

    spans: list[tuple[Span, Any]]
    lost: int


def locate(text: str, quote: str, used: Collection[tuple[int, int]] = ()) -> tuple[int, int] | None:
    """Find a quote exactly, else ignoring case, whitespace, quote and dash style; None where it is not.

    Args:
        text: The document.
        quote: The words to find; of several occurrences the first that is not in `used`.
        used: Spans already taken.

    >>> locate("She said: “Go on”. Go on!", '"go on"'), locate("no", "yes")
    ((11, 16), None)
    """
    wanted = quote.strip()
    if not wanted:
        return None
    at = text.find(wanted)
    while at >= 0 and (at, at + len(wanted)) in used:
        at = text.find(wanted, at + 1)
    return (at, at + len(wanted)) if at >= 0 else _locate_folded(text, wanted, used)


def _locate_folded(text: str, quote: str, used: Collection[tuple[int, int]]) -> tuple[int, int] | None:
    folded, places = _fold(text)
    wanted = _fold(quote)[0].strip(".,;:!?\"'")
    if not wanted:
        return None
    at = folded.find(wanted)
    while at >= 0:
        span = places[at], places[at + len(wanted) - 1] + 1
        if span not in used:
            return span
        at = folded.find(wanted, at + 1)
    return None


def _fold(text: str) -> tuple[str, list[int]]:
    """Text in lower case without whitespace, and where each of its characters came from."""
    characters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if not character.isspace():
            lowered = _ALIKE.get(character, character).lower()
            characters.append(lowered)
            places.extend([place] * len(lowered))
    return "".join(characters), places


def read_spans(answer: Answer, text: str) -> ReadSpans:
    """Read an answer's spans: by offsets, or by quote where there are none or they disagree.

    A repeated span counts once; one that cannot be located is lost, which is a false alarm.
    """
    ids: dict[Span, Any] = {}
    lost = 0
    used: set[tuple[int, int]] = set()
    for item in answer.get("spans") or []:
        place = _place(item, text, used)
        if place is None:
            lost += 1
            continue
        span = Span(*place, item.get("label"))
        if span not in ids:
            ids[span] = item.get("id")
            used.add(place)
    return ReadSpans(list(ids.items()), lost)


def _place(item: Mapping[str, Any], text: str, used: Collection[tuple[int, int]]) -> tuple[int, int] | None:
    start, end, quote = item.get("start"), item.get("end"), item.get("text")
    if isinstance(start, int) and isinstance(end, int):
        if not 0 <= start < end <= len(text):
            return None
        # the quote is what was said; offsets are arithmetic
        return (start, end) if not quote or text[start:end] == quote else locate(text, quote, used)
    return locate(text, quote, used) if quote else None


def gold_spans(document: Document) -> list[Span]:
    """Return the gold's spans, each once, in order."""
    spans = document["gold"].get("spans", [])
    return list(dict.fromkeys(Span(item["start"], item["end"], item["label"]) for item in spans))


def overlap(one: Span, other: Span) -> int:
    """Characters two spans share; negative where they do not meet."""
    return min(one.end, other.end) - max(one.start, other.start)


def match_spans(
    gold: Sequence[Span], given: Sequence[Span], *, least: float, labelled: bool
) -> list[tuple[int, int]]:
    """Pair spans one to one, best overlap first; of equal overlaps the earlier spans.

    Args:
        gold: The gold's spans.
        given: The answer's.
        least: Intersection over union a pair must have; 1 for exact spans.
        labelled: Whether labels must agree.

    >>> match_spans([Span(0, 10, "a")], [Span(0, 5, "a"), Span(1, 10, "a")], least=0.5, labelled=True)
    [(0, 1)]
    """
    candidates = [
        (shared / (max(g.end, p.end) - min(g.start, p.start)), -i, -j)
        for i, g in enumerate(gold)
        for j, p in enumerate(given)
        if (not labelled or g.label == p.label) and (shared := overlap(g, p)) > 0
    ]
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for share, i, j in sorted(candidates, reverse=True):
        if share >= least and -i not in pairs and -j not in taken:
            pairs[-i] = -j
            taken.add(-j)
    return list(pairs.items())


class Spans:
    """Span F1 as `exact`, `iou50` and `token`, each also without labels; `micro` over all, `macro` over labels."""

    def labels(self, gold: Sequence[Document]) -> list[str]:
        """Return the labels of the gold's spans."""
        return sorted({item["label"] for document in gold for item in document["gold"]["spans"]})

    def count(self, document: Document, answer: Answer) -> Counts:
        """Count one document; spans that cannot be located are false alarms."""
        located = read_spans(answer, document["text"])
        gold, given = gold_spans(document), [span for span, _ in located.spans]
        counts: Counts = Counter()
        for name, least, labelled in _WAYS:
            pairs = match_spans(gold, given, least=least, labelled=labelled)
            counts[name, "hit"] += len(pairs)
            counts[name, "extra"] += len(given) - len(pairs) + located.lost
            counts[name, "miss"] += len(gold) - len(pairs)
            if labelled:
                _count_labels(counts, name, gold, given, [gold[i].label for i, _ in pairs])
        _count_tokens(counts, document["text"], gold, given)
        counts["unlocated"] += located.lost
        counts["n_gold"] += len(gold)
        counts["n_pred"] += len(given) + located.lost
        return counts

    def figures(self, counts: Counts, labels: Sequence[str]) -> Figures:
        """Return precision, recall and F1 for every way of matching."""
        figures: Figures = {name: _span_figures(counts, name, labels) for name in _NAMES}
        return figures | {name: counts[name] for name in ("unlocated", "n_gold", "n_pred")}


def _count_labels(
    counts: Counts, name: str, gold: Sequence[Span], given: Sequence[Span], matched: Sequence[str | None]
) -> None:
    hits = Counter(matched)
    in_gold, in_given = Counter(span.label for span in gold), Counter(span.label for span in given)
    for label in in_gold | in_given:
        counts[name, "label", label, "hit"] += hits[label]
        counts[name, "label", label, "extra"] += in_given[label] - hits[label]
        counts[name, "label", label, "miss"] += in_gold[label] - hits[label]


def _count_tokens(counts: Counts, text: str, gold: Sequence[Span], given: Sequence[Span]) -> None:
    """Count words and marks; each may carry several labels."""
    for token in _TOKEN.finditer(text):
        here = Span(*token.span(), None)
        in_gold = {span.label for span in gold if overlap(span, here) > 0}
        in_given = {span.label for span in given if overlap(span, here) > 0}
        if not in_gold and not in_given:
            continue
        compare_sets(counts, in_gold, in_given, "token")
        compare_sets(counts, {"any"} if in_gold else set(), {"any"} if in_given else set(), "token_nolabel")
        for label in in_gold | in_given:
            compare_sets(counts, in_gold & {label}, in_given & {label}, "token", "label", label)


def _span_figures(counts: Counts, name: str, labels: Sequence[str]) -> Figures:
    figures = quality_of(counts, name).micro()
    if not name.endswith("nolabel"):
        per_label = {label: quality_of(counts, name, "label", label).f1 for label in labels}
        figures |= {"macro_f1": mean(list(per_label.values())), "per_label_f1": per_label}
    return figures
