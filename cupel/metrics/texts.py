"""Texts: summaries by ROUGE, keyphrases by stemmed equality."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from cupel.metrics.counts import (
    Answer,
    Counts,
    Document,
    Figures,
    Unlabelled,
    compare_sets,
    quality_of,
    shared_f1,
)

LONGEST = 600
"""Words that ROUGE-L looks at: its cost is the product of the two lengths."""

_WORD = re.compile(r"[a-z0-9]+")
_ENDINGS = ("ational", "ization", "ations", "ation", "ings", "ing", "ies", "es", "ed", "s")
_STEM = 3
"""Shortest stem an ending leaves."""


def plain_words(text: str) -> list[str]:
    """Return the words of `text` in lower case without accents.

    >>> plain_words("Réunion’s 2 cyclones")
    ['reunion', 's', '2', 'cyclones']
    """
    decomposed = unicodedata.normalize("NFKD", text)
    return _WORD.findall("".join(c for c in decomposed if not unicodedata.combining(c)).lower())


def rouge(reference: str, summary: str) -> dict[str, float]:
    """ROUGE-1, ROUGE-2 and ROUGE-L as F1, each in [0, 1]; no stemming, no stop words.

    Source: Lin, "ROUGE", ACL workshop 2004. ROUGE-L over the first 600 words of each.

    >>> rouge("we must act", "we act")["rouge1_f"]
    0.8
    """
    gold, given = plain_words(reference), plain_words(summary)
    figures = {f"rouge{size}_f": _ngram_f1(gold, given, size) for size in (1, 2)}
    gold, given = gold[:LONGEST], given[:LONGEST]
    shared = _longest_common_subsequence(gold, given)
    figures["rougeL_f"] = shared_f1(shared, len(given), len(gold))
    return figures


def _ngram_f1(gold: Sequence[str], given: Sequence[str], size: int) -> float:
    in_gold, in_given = _ngrams(gold, size), _ngrams(given, size)
    return shared_f1((in_gold & in_given).total(), in_given.total(), in_gold.total())


def _ngrams(words: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[at : at + size]) for at in range(len(words) - size + 1))


def _longest_common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    row = [0] * (len(other) + 1)
    for word in one:
        above = row
        row = [0]
        for at, candidate in enumerate(other):
            row.append(above[at] + 1 if word == candidate else max(above[at + 1], row[at]))
    return row[-1]


class Summary(Unlabelled):
    """A free summary, by ROUGE and by its length beside the gold's."""

    def count(self, document: Document, answer: Answer) -> Counts:
        """Score one summary."""
        reference, summary = document["gold"]["summary"], answer.get("summary") or ""
        length_ratio = len(summary.split()) / max(1, len(reference.split()))
        return Counter({**rouge(reference, summary), "n": 1, "len_ratio": length_ratio})  # type: ignore[dict-item]  # sums of floats

    def totals(self, counts: Counts) -> Figures:
        """Return the means over documents."""
        return {
            name: counts[name] / max(1, counts["n"])
            for name in ("rouge1_f", "rouge2_f", "rougeL_f", "len_ratio")
        }


def stem(word: str) -> str:
    """Cut the commonest English endings.

    >>> [stem(word) for word in ("policies", "costs", "is", "modelling")]
    ['policy', 'cost', 'is', 'modell']
    """
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _STEM:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


def phrase_key(phrase: str) -> str:
    """What two keyphrases must share to be the same: their stemmed words, in order."""
    return " ".join(stem(word) for word in plain_words(phrase))


class Keyphrases(Unlabelled):
    """A list of keyphrases; `f1` is the mean over documents, `micro` over all phrases."""

    def count(self, document: Document, answer: Answer) -> Counts:
        """Count the phrases of one document; a repeated one counts once."""
        gold = {phrase_key(phrase) for phrase in document["gold"]["keyphrases"]}
        given = list(
            dict.fromkeys(key for phrase in answer.get("keyphrases") or [] if (key := phrase_key(phrase)))
        )
        counts: Counts = Counter({"n": 1})
        compare_sets(counts, gold, set(given), "all")
        for name, phrases in (("f1_sum", given), ("f1_at10_sum", given[:10])):
            f1 = shared_f1(len(gold.intersection(phrases)), len(phrases), len(gold))
            counts[name] = f1  # type: ignore[assignment]  # sums of floats
        return counts

    def totals(self, counts: Counts) -> Figures:
        """Return precision, recall and F1 over all phrases, and the mean F1 over documents."""
        documents = max(1, counts["n"])
        return {
            **quality_of(counts, "all").micro(),
            "f1": counts["f1_sum"] / documents,
            "f1_at10": counts["f1_at10_sum"] / documents,
        }
