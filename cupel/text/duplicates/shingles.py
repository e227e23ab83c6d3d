"""How much two texts have in common: the Jaccard similarity of their sets of three neighbouring words."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cupel.text.grounding import is_word, tokenise

Hashes = npt.NDArray[np.uint64]

WORDS = 3
"""Neighbouring words in one shingle."""

ROWS, BANDS = 6, 16
"""A band is so many minimal hashes; two texts that share any band are compared in full."""

NEGATIONS = frozenset(
    (
        *("no", "not", "never", "nor", "neither", "none", "cannot", "without"),
        *("nicht", "nichts", "nie", "niemals", "kein", "keine", "keinen", "keinem", "keiner", "ohne"),
        *("ne", "pas", "jamais", "sans", "non", "mai", "senza", "sin", "nunca", "jamás", "nem", "não", "sem"),
        *("niet", "geen", "nooit", "ikke", "aldrig", "ei", "inte", "ej", "bez", "nu", "fără", "nincs"),
    )
)
"""Small words that turn a sentence round. Two texts that differ in one, or in a number, are never near-duplicates."""

_CHUNK = 4096
_RNG = np.random.default_rng(20_000)
_FACTORS = _RNG.integers(1, 2**63, size=ROWS * BANDS, dtype=np.uint64) | np.uint64(1)
_OFFSETS = _RNG.integers(0, 2**63, size=ROWS * BANDS, dtype=np.uint64)
_MIX = _RNG.integers(1, 2**63, size=WORDS, dtype=np.uint64) | np.uint64(1)


@dataclass(frozen=True, slots=True)
class Features:
    """What of a text is compared."""

    shingles: Hashes
    """Hashes of its shingles, ascending, each once."""

    decisive: int
    """Hash of its numbers and negations, in order."""

    @classmethod
    def of(cls, text: str) -> Features:
        """The features of a text; case, spacing and punctuation do not count."""
        words = [token for token in tokenise(text).folded if is_word(token)]
        decisive = [word for word in words if word in NEGATIONS or word.endswith("n't") or _has_digit(word)]
        return cls(_shingles(words), zlib.crc32("\x1f".join(decisive).encode("utf-8", "surrogatepass")))

    def bands(self) -> list[int]:
        """One number for each band: texts of similarity s share a given one with chance s^ROWS."""
        least = np.full(ROWS * BANDS, np.iinfo(np.uint64).max, dtype=np.uint64)
        for start in range(0, len(self.shingles), _CHUNK):
            some = self.shingles[start : start + _CHUNK]
            mixed = (some[None, :] * _FACTORS[:, None] + _OFFSETS[:, None]) >> np.uint64(17)
            least = np.minimum(least, mixed.min(axis=1))
        return [hash((band, *row)) for band, row in enumerate(least.reshape(BANDS, ROWS).tolist())]


def similarity(first: Hashes, second: Hashes) -> float:
    """Shingles both have, out of all that either has: |A ∩ B| / |A ∪ B|, in [0, 1].

    >>> one, other = (Features.of(text).shingles for text in ("a b c d e", "A, b: c d f!"))
    >>> similarity(one, other)  # abc and bcd, out of abc, bcd, cde and cdf
    0.5
    """
    shared = np.intersect1d(first, second, assume_unique=True).size
    either = first.size + second.size - shared
    return float(shared / either) if either else 0.0


def _shingles(words: list[str]) -> Hashes:
    if len(words) < WORDS:
        return np.empty(0, dtype=np.uint64)
    hashed = np.array([zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in words], dtype=np.uint64)
    count = len(words) - WORDS + 1
    mixed = np.zeros(count, dtype=np.uint64)
    for place in range(WORDS):
        mixed = (
            (mixed << np.uint64(7)) ^ (mixed >> np.uint64(3)) ^ hashed[place : place + count] * _MIX[place]
        )
    return np.unique(mixed)


def _has_digit(word: str) -> bool:
    return any(character.isnumeric() for character in word)
