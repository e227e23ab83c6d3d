"""How hard a text is to read, by counts that anybody can repeat; no model is asked.

reading ease      206.835 - 1.015 words per sentence - 84.6 syllables per word: Flesch, "A new readability yardstick",
                  Journal of Applied Psychology 32 (1948). Made for English, and told of English texts only.
lix               words per sentence + the percentage of words of more than six letters: Björnsson, "Läsbarhet" (1968).
different words   of each run of 50 words the share that differ, on average: Covington and McFall, "Cutting the Gordian
                  knot: the moving-average type-token ratio", Journal of Quantitative Linguistics 17 (2010).
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

from cupel.task import READABILITY
from cupel.text.documents import count_sentences
from cupel.text.overlap import visible

WINDOW = 50
"""Words within which different ones are counted, so that long texts compare with short ones."""

LONG = 6
"""Letters of the longest word that is not a long one."""

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SOLID = frozenset({"zh", "ja", "th", "lo", "km", "my"})
"""Languages written without spaces between words: there is nothing to count."""

_VOWELS = re.compile(r"[aeiouy]+")
_SILENT_END = re.compile(r"(?:[^aeiouyl]|[aeiouy]l)e$|[^aeiouytd]ed$|[^aeiouyszxc]es$")
Measures = dict[str, float | int | None]


@lru_cache(maxsize=64)
def readability(text: str, language: str | None) -> Measures:
    """How hard a text is to read; not to be changed.

    Args:
        text: The document.
        language: Its ISO 639-1 code; None where it is not known.

    Returns:
        Counts of words and sentences; `words_per_sentence`; shares in [0, 1] of `long_words` (more than six letters) and
        `different_words` (in 50 neighbouring ones); `lix` and `reading_ease`. All to two places: of a few hundred words the
        third is chance. None for what cannot be told:
        everything but sentences without words between spaces, the ease of a text that is not English.

    >>> hard = readability("The cat sat on the mat. It purred happily.", "en")
    >>> hard["words"], hard["sentences"], hard["words_per_sentence"], hard["long_words"], hard["different_words"]
    (9, 2, 4.5, 0.11, 0.89)
    >>> hard["lix"]  # 9 / 2 + 100 * 1 / 9
    15.61
    >>> hard["reading_ease"]  # 206.835 - 1.015 * 9 / 2 - 84.6 * 11 / 9
    98.87
    >>> readability("Katten satt.", "sv")["reading_ease"] is None
    True
    """
    words, sentences = _WORD.findall(visible(text)), count_sentences(text)
    if not words or language in _SOLID:
        return {**dict.fromkeys(READABILITY), "sentences": sentences}
    long = [word for word in words if sum(sign.isalpha() for sign in word) > LONG]
    per_sentence, share = len(words) / max(1, sentences), len(long) / len(words)
    syllables = sum(count_syllables(word) for word in words) / len(words) if language == "en" else None
    ease = None if syllables is None else round(206.835 - 1.015 * per_sentence - 84.6 * syllables, 2)
    return {
        "words": len(words), "sentences": max(1, sentences), "words_per_sentence": round(per_sentence, 2),
        "long_words": round(share, 2), "different_words": round(different_words([word.casefold() for word in words]), 2),
        "reading_ease": ease, "lix": round(per_sentence + 100 * share, 2),
    }  # fmt: skip


def different_words(words: list[str], window: int = WINDOW) -> float:
    """The share of different words among neighbours, averaged over the text; over the whole of a shorter one.

    Args:
        words: In the order of the text; at least one.
        window: Words looked at together.

    >>> different_words(["a", "b", "a", "b"], window=2), different_words(["a", "a", "b"], window=2)
    (1.0, 0.75)
    """
    width = min(window, len(words))
    inside = Counter(words[:width])
    kinds = len(inside)
    for gone, come in zip(words, words[width:], strict=False):
        inside[gone] -= 1
        if not inside[gone]:
            del inside[gone]
        inside[come] += 1
        kinds += len(inside)
    return kinds / width / (len(words) - width + 1)


def count_syllables(word: str) -> int:
    """About how many syllables an English word has: its groups of vowels, without a silent end; one at least.

    >>> [count_syllables(word) for word in ("cat", "purred", "happily", "make", "while", "table", "needed", "commission")]
    [1, 1, 3, 1, 1, 2, 2, 3]
    """
    word = word.casefold()
    return max(1, len(_VOWELS.findall(word)) - (_SILENT_END.search(word) is not None))
