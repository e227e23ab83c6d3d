"""Which earlier row a row repeats: decided in the input's order alone, so that a resumed run decides the same."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from cupel.documents import usable_text
from cupel.duplicates.shingles import Features, similarity
from cupel.errors import SettingError
from cupel.tables import Row

LEAST_SIMILAR = 0.8
"""Below it two texts are not called near-duplicates, and the bands would miss too many."""

HELD_DOCUMENTS = 20_000
HELD_SHINGLES = 3_000_000
"""What near-duplicates are looked for among: the latest so many documents, or shingles (8 bytes each)."""

_RECENT = 4096


@dataclass(frozen=True, slots=True)
class Twin:
    """The earlier row that a row repeats."""

    position: int
    similarity: float
    """1 for the very same text."""

    exact: bool


class TextIndex:
    """The texts seen so far.

    Equal texts are found however far apart they are, at 16 bytes a row. Near-duplicates are found with MinHash
    bands among the latest `HELD_DOCUMENTS`, and their similarity is then counted in full: of those at .9 all but
    one in 100,000 are found, of those at .8 all but one in 100, and none is reported that is less similar than asked.

    Args:
        near: Similarity from which a text counts as a near-duplicate; None to find equal ones only.
    """

    def __init__(self, near: float | None = None) -> None:
        self._first = _FirstSeen()
        self._near = None if near is None else _Near(check_similarity(near))

    def twin_of(self, row: Row) -> Twin | None:
        """The earlier row this one repeats, under the same inputs; else it is remembered."""
        if row.problem is not None or not isinstance(row.text, str) or usable_text(row.text)[1]:
            return None
        asked = _fingerprint(json.dumps(row.inputs, sort_keys=True, ensure_ascii=False)) if row.inputs else 0
        first = self._first.of(_fingerprint(row.text, asked), row.position)
        if first is not None:
            return Twin(first, 1.0, exact=True)
        return self._near.twin_of(row.text, asked, row.position) if self._near else None


def check_similarity(near: float) -> float:
    """The similarity itself, if it can be asked for.

    Raises:
        SettingError: If it is outside of [0.8, 1].
    """
    if not LEAST_SIMILAR <= near <= 1:
        raise SettingError(
            f"near_duplicates={near!r}: a similarity from {LEAST_SIMILAR} to 1 (share of three-word sequences two "
            "texts have in common), such as 0.95"
        )
    return near


def _fingerprint(text: str, salt: int = 0) -> int:
    digest = hashlib.blake2b(
        text.encode("utf-8", "surrogatepass"), digest_size=8, salt=salt.to_bytes(8, "little")
    )
    return int.from_bytes(digest.digest(), "little")


class _FirstSeen:
    """The first position of each fingerprint: sorted arrays, and a small dict of the latest."""

    def __init__(self) -> None:
        self._hashes = np.empty(0, dtype=np.uint64)
        self._positions = np.empty(0, dtype=np.int64)
        self._recent: dict[int, int] = {}

    def of(self, fingerprint: int, position: int) -> int | None:
        """Where it was first seen; None, and it is kept, when this is the first time."""
        known = self._recent.get(fingerprint)
        if known is not None:
            return known
        place = int(np.searchsorted(self._hashes, np.uint64(fingerprint)))
        if place < len(self._hashes) and int(self._hashes[place]) == fingerprint:
            return int(self._positions[place])
        self._recent[fingerprint] = position
        if len(self._recent) >= max(_RECENT, len(self._hashes) // 8):
            self._merge()
        return None

    def _merge(self) -> None:
        hashes = np.concatenate([self._hashes, np.fromiter(self._recent.keys(), np.uint64)])
        positions = np.concatenate([self._positions, np.fromiter(self._recent.values(), np.int64)])
        order = np.argsort(hashes)
        self._hashes, self._positions, self._recent = hashes[order], positions[order], {}


@dataclass(frozen=True, slots=True)
class _Held:
    position: int
    asked: int
    features: Features
    bands: list[int]


class _Near:
    """The latest originals by their bands; a near-duplicate is never itself an original."""

    def __init__(self, least: float) -> None:
        self._least = least
        self._held: OrderedDict[int, _Held] = OrderedDict()
        self._by_band: dict[int, list[int]] = {}
        self._shingles = 0

    def twin_of(self, text: str, asked: int, position: int) -> Twin | None:
        features = Features.of(text)
        if not features.shingles.size:
            return None
        bands = features.bands()
        found = [
            (similarity(features.shingles, held.features.shingles), -held.position)
            for held in self._candidates(bands)
            if held.asked == asked and held.features.decisive == features.decisive
        ]
        best, place = max(found, default=(0.0, 0))
        if best >= self._least:
            return Twin(-place, best, exact=False)
        self._hold(_Held(position, asked, features, bands))
        return None

    def _candidates(self, bands: list[int]) -> list[_Held]:
        positions = {position for band in bands for position in self._by_band.get(band, ())}
        return [self._held[position] for position in positions]

    def _hold(self, document: _Held) -> None:
        self._held[document.position] = document
        self._shingles += document.features.shingles.size
        for band in document.bands:
            self._by_band.setdefault(band, []).append(document.position)
        while len(self._held) > HELD_DOCUMENTS or (self._shingles > HELD_SHINGLES and len(self._held) > 1):
            self._forget(self._held.popitem(last=False)[1])

    def _forget(self, document: _Held) -> None:
        self._shingles -= document.features.shingles.size
        for band in document.bands:
            positions = self._by_band[band]
            positions.remove(document.position)
            if not positions:
                del self._by_band[band]
