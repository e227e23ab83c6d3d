"""Labels: one per document, one per sentence, or several at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cupel.metrics.counts import Answer, Counts, Document, Figures, compare_sets, mean, quality, quality_of
from cupel.metrics.spans import Span, overlap, read_spans

COVERED = 0.3
"""Share of a sentence that spans must cover to label it."""

_STANCES = {"favor", "against", "none"}


class _Confusion:
    """Counts are pairs of gold and given label."""

    def figures(self, counts: Counts, labels: Sequence[str]) -> Figures:
        """Return accuracy, macro F1 and F1 per label."""
        return confusion_figures(counts, labels)


class Label(_Confusion):
    """One label per document: accuracy, macro F1 and, for stance, the mean F1 of favour and against."""

    def labels(self, gold: Sequence[Document]) -> list[str]:
        """Return the labels of the gold."""
        return sorted({document["gold"]["label"] for document in gold})

    def count(self, document: Document, answer: Answer) -> Counts:
        """Count the pair of gold and given label."""
        return Counter({(document["gold"]["label"], answer.get("label")): 1})


class _Listed:
    """A list of labels per document.

    Args:
        field: The name of the list in gold and answer.
    """

    def __init__(self, field: str) -> None:
        self.field = field

    def labels(self, gold: Sequence[Document]) -> list[str]:
        """Return the labels of the gold."""
        return sorted({label for document in gold for label in document["gold"][self.field]})


class LabelList(_Listed, _Confusion):
    """A list of labels per document, compared place by place."""

    def count(self, document: Document, answer: Answer) -> Counts:
        """Count each place; a place without an answer is wrong."""
        gold = document["gold"][self.field]
        return _pair(gold, answer.get(self.field) or [])


class Sentences:
    """A label per sentence, given as such or read off spans; F1 of what is not `none`, mean average precision."""

    def labels(self, gold: Sequence[Document]) -> list[str]:
        """Return the labels of the gold's sentences."""
        return sorted({item["label"] for document in gold for item in document["gold"]["sentences"]})

    def count(self, document: Document, answer: Answer) -> Counts:
        """Count each sentence; scores, where given, are kept for average precision."""
        sentences = document["gold"]["sentences"]
        gold = [item["label"] for item in sentences]
        counts = _pair(gold, _sentence_labels(document, answer))
        scores = answer.get("scores")
        if scores and len(scores) == len(gold):
            relevant = [label.lower() != "none" for label in gold]
            precision = average_precision(relevant, scores)
            if precision is not None:
                counts["ap_sum"] = precision  # type: ignore[assignment]  # a mean's numerator
                counts["ap_n"] = 1
        return counts

    def figures(self, counts: Counts, labels: Sequence[str]) -> Figures:
        """Return accuracy, macro F1, the F1 of positive labels and, where scores were given, `mean_ap`."""
        pairs = Counter({key: n for key, n in counts.items() if isinstance(key, tuple)})
        figures = confusion_figures(pairs, labels, neutral="none" if "none" in labels else "None")
        return figures | ({"mean_ap": counts["ap_sum"] / counts["ap_n"]} if counts["ap_n"] else {})


def _sentence_labels(document: Document, answer: Answer) -> list[Any]:
    sentences = document["gold"]["sentences"]
    given = answer.get("sentences")
    if isinstance(given, dict):
        return [given.get(str(at), given.get(at)) for at in range(len(sentences))]
    if given is None and "spans" in answer:
        spans = [span for span, _ in read_spans(answer, document["text"]).spans]
        return [_label_by_cover(Span(item["start"], item["end"], None), spans) for item in sentences]
    return list(given or [])


def _label_by_cover(sentence: Span, spans: Sequence[Span]) -> str | None:
    """The label that covers most of a sentence, if labels together cover enough of it."""
    cover: Counter[str | None] = Counter()
    for span in spans:
        shared = overlap(sentence, span)
        if shared > 0:
            cover[span.label] += shared
    enough = COVERED * (sentence.end - sentence.start)
    return cover.most_common(1)[0][0] if cover and sum(cover.values()) >= enough else "None"


def _pair(gold: Sequence[str], given: Sequence[Any]) -> Counts:
    padded = [*given, *[None] * len(gold)]
    return Counter(zip(gold, padded[: len(gold)], strict=True))


class LabelSet(_Listed):
    """Several labels per document: macro and micro F1, and how often the whole set is right.

    An answer may also call its list `labels`.
    """

    def count(self, document: Document, answer: Answer) -> Counts:
        """Count each label of gold or answer."""
        gold = set(document["gold"][self.field])
        given = {str(label).lower() for label in answer.get(self.field) or answer.get("labels") or []}
        counts: Counts = Counter({"n": 1, "exact": int(gold == given)})
        compare_sets(counts, gold, given, "all")
        for label in gold | given:
            compare_sets(counts, gold & {label}, given & {label}, "label", label)
        return counts

    def figures(self, counts: Counts, labels: Sequence[str]) -> Figures:
        """Return macro F1 over the gold's labels, micro F1 over all, and exact matches."""
        per_label = {label: quality_of(counts, "label", label).f1 for label in labels}
        return {
            "macro_f1": mean(list(per_label.values())),
            "micro_f1": quality_of(counts, "all").f1,
            "exact_match": counts["exact"] / max(1, counts["n"]),
            "per_label_f1": per_label,
        }


def confusion_figures(
    counts: Mapping[Any, int], labels: Sequence[str], *, neutral: str | None = None
) -> Figures:
    """Figures of a confusion table.

    Args:
        counts: `(gold, given)` → number. A given label is read without regard to case and underscores.
        labels: The labels there are; anything else is counted `invalid`, and wrong.
        neutral: The label that means nothing was found; the others then count as positive.

    >>> table = Counter({("yes", "Yes"): 3, ("yes", "no"): 1, ("no", "no"): 4})
    >>> confusion_figures(table, ["no", "yes"])["accuracy"]
    0.875
    """
    table = _normalise(counts, labels)
    total = sum(table.values())
    per_label = {label: _one_against_rest(table, {label}).f1 for label in labels}
    figures: Figures = {
        "accuracy": sum(table[label, label] for label in labels) / total if total else 0.0,
        "macro_f1": mean(list(per_label.values())),
        "per_label_f1": per_label,
        "n": total,
        "invalid": sum(n for (_, given), n in table.items() if given not in labels),
    }
    if neutral is not None:
        figures |= _positive_figures(table, {label for label in labels if label != neutral})
    if set(labels) == _STANCES:
        figures["favg"] = (per_label["favor"] + per_label["against"]) / 2
    return figures


def _normalise(counts: Mapping[Any, int], labels: Sequence[str]) -> Counter[tuple[str, str | None]]:
    by_name = {_plain(label): label for label in labels}
    table: Counter[tuple[str, str | None]] = Counter()
    for (gold, given), n in counts.items():
        table[gold, None if given is None else by_name.get(_plain(given), str(given))] += n
    return table


def _plain(label: object) -> str:
    return str(label).lower().replace("_", " ").strip()


def _one_against_rest(table: Counter[tuple[str, str | None]], positive: set[str]) -> Any:
    hits = sum(n for (gold, given), n in table.items() if gold in positive and gold == given)
    extra = sum(n for (gold, given), n in table.items() if given in positive and gold != given)
    misses = sum(n for (gold, given), n in table.items() if gold in positive and gold != given)
    return quality(hits, extra, misses)


def _positive_figures(table: Counter[tuple[str, str | None]], positive: set[str]) -> Figures:
    """Quality of finding the positive labels: the right one, and any of them."""
    precision, recall, f1 = _one_against_rest(table, positive)
    detected: Counts = Counter()
    for (gold, given), n in table.items():
        outcome = {(True, True): "hit", (False, True): "extra", (True, False): "miss"}
        detected["any", outcome.get((gold in positive, given in positive), "neither")] += n
    return {"pos_p": precision, "pos_r": recall, "pos_f1": f1, "detect_f1": quality_of(detected, "any").f1}


def average_precision(relevant: Sequence[bool], scores: Sequence[float]) -> float | None:
    """Mean precision at each relevant item, items ranked by score; None where none is relevant.

    Of equal scores the earlier item ranks higher.

    >>> average_precision([True, False, True], [0.9, 0.8, 0.7])
    0.8333333333333333
    """
    ranked = sorted(range(len(relevant)), key=lambda at: (-scores[at], at))
    hits, total = 0, 0.0
    for rank, at in enumerate(ranked, 1):
        if relevant[at]:
            hits += 1
            total += hits / rank
    return total / hits if hits else None
