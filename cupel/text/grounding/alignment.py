"""The passage of a text that an inexact quote comes closest to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate

from rapidfuzz import fuzz
from rapidfuzz.distance import Indel

from cupel.text.grounding.tokens import Tokens, is_word

_CUTOFF = 60  # of rapidfuzz, 0 to 100: windows below it are not looked at
_LONG = 200  # characters from which whole tokens are aligned instead: 20 to 100 times cheaper

_MOST_CODES = 0x10FFFF - 256
_WORK = 50_000_000  # characters of the quote times tokens of the text: a tenth of a second or two

TokenRange = tuple[int, int]


class Aligner:
    """Aligns quotes with one text, prepared once.

    Args:
        text: The tokens of the text.
    """

    def __init__(self, text: Tokens) -> None:
        self._text = text

    @cached_property
    def _codes(self) -> dict[str, str]:
        """One character per distinct token, so that rapidfuzz aligns whole tokens as fast as letters."""
        # beyond as many as there are characters, different words may look alike: it is only a first guess
        return {
            word: chr(256 + number % _MOST_CODES)
            for number, word in enumerate(dict.fromkeys(self._text.folded))
        }

    @cached_property
    def _encoded(self) -> str:
        return "".join([self._codes[word] for word in self._text.folded])

    def closest(self, words: Sequence[str]) -> TokenRange | None:
        """The tokens `[first, stop)` of the passage closest to a quote's folded tokens, near or far.

        None where the text has nothing like it.
        """
        window = self._window(words)
        if window is None:
            return None
        # the words a quote left out may lie outside the window; in a wide one its words may pair with others
        near, far = (self._fit(words, window, margin) for margin in (1, 3 + len(words) // 4))
        return max(near, far, key=lambda place: similarity(words, self._text.folded[slice(*place)]))

    def _fit(self, words: Sequence[str], window: TokenRange, margin: int) -> TokenRange:
        """The stretch of a window and its margins that has most in common with the quote."""
        first, stop = max(0, window[0] - margin), min(len(self._text), window[1] + margin)
        passage = self._text.folded[first:stop]
        pairs = _pairs(passage, words)
        if not pairs:
            return window
        # first the core both share, then, at its edges, the words the quote has put in place of others
        low, high = _densest(passage, pairs)
        low -= _replace(passage[:low][::-1], words[: pairs[low]][::-1])
        high += _replace(passage[high:], words[pairs[high - 1] + 1 :])
        return first + low, first + high

    def _window(self, words: Sequence[str]) -> TokenRange | None:
        quote = " ".join(words)
        if len(quote) * len(self._text) > _WORK:
            # rapidfuzz tries every place that has a word in common: where all have, only the likeliest is looked at
            first, stop = self._likeliest(words)
            part = Aligner(self._text.part(first, stop)).look_everywhere(words)
            return None if part is None else (first + part[0], first + part[1])
        return self.look_everywhere(words)

    def look_everywhere(self, words: Sequence[str]) -> TokenRange | None:
        """The window that rapidfuzz finds most like the quote, whatever it costs."""
        quote = " ".join(words)
        if len(quote) > _LONG:
            encoded = "".join(self._codes.get(word, "\0") for word in words)
            near = fuzz.partial_ratio_alignment(encoded, self._encoded, score_cutoff=_CUTOFF)
            return None if near is None else (near.dest_start, near.dest_end)
        near = fuzz.partial_ratio_alignment(quote, self._text.joined, score_cutoff=_CUTOFF)
        return None if near is None else self._text.tokens_at(near.dest_start, near.dest_end)

    def _likeliest(self, words: Sequence[str]) -> TokenRange:
        """The stretch three times as long as the quote that has most of its words around its middle."""
        wanted = set(words)
        length = len(words)
        shared = [0, *accumulate(word in wanted for word in self._text.folded)]
        last = max(1, len(shared) - length)
        first = max(range(last), key=lambda place: shared[place + length] - shared[place]) if last > 1 else 0
        return max(0, first - length), min(len(self._text), first + 2 * length)


def similarity(words: Sequence[str], passage: Sequence[str]) -> float:
    """The share of characters two token sequences have in common, in order, in [0, 1].

    Twice the longest common subsequence over the sum of the lengths (the Indel ratio).

    >>> round(similarity(["we", "must", "accept"], ["we", "must", "not", "accept"]), 3)
    0.875
    """
    return fuzz.ratio(" ".join(words), " ".join(passage)) / 100


def _pairs(passage: Sequence[str], words: Sequence[str]) -> dict[int, int]:
    """Which token of the passage is which token of the quote, in order."""
    return {
        block.src_start + step: block.dest_start + step
        for block in Indel.opcodes(passage, words)
        if block.tag == "equal"
        for step in range(block.src_end - block.src_start)
    }


def _densest(passage: Sequence[str], pairs: dict[int, int]) -> TokenRange:
    """The stretch with most in common: shared characters count 1, others against it by a half.

    Keeps a stray "the" far from the rest from stretching the passage (Kadane's maximum subarray).
    """
    best, total = 0.0, 0.0
    low = start = high = 0
    for place, token in enumerate(passage):
        if total <= 0:
            start, total = place, 0.0
        total += len(token) if place in pairs else -len(token) / 2
        if total > best:
            best, low, high = total, start, place + 1
    return low, high


def _replace(passage: Sequence[str], words: Sequence[str]) -> int:
    """How many tokens next to the passage the quote's unmatched edge `words` stand for, nearest first.

    Up to the farthest token they share, else those they resemble: 25 for 27, its for their.
    """
    reach = passage[: len(words) + 1] if len(words) <= 3 else ()
    shared = max(
        (count for count, token in enumerate(reach, 1) if is_word(token) and token in words), default=0
    )
    if shared:
        return shared
    count = 0
    for old, new in zip(passage[:2], words, strict=False):
        if not (old[-1].isnumeric() and new[-1].isnumeric()) and fuzz.ratio(old, new) < 50:
            break
        count += 1
    return count
