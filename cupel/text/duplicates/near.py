"""The earlier text a text nearly repeats, by MinHash bands."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from cupel.text.duplicates.shingles import Features, similarity

HELD_DOCUMENTS = 20_000
HELD_SHINGLES = 3_000_000
"""What near-duplicates are looked for among: the latest so many documents, or shingles (8 bytes each)."""


@dataclass(frozen=True, slots=True)
class _Held:
    position: int
    asked: int
    features: Features
    bands: list[int]


class Near:
    """The latest originals by their bands; a near-duplicate is never itself an original."""

    def __init__(self, least: float) -> None:
        self._least = least
        self._held: OrderedDict[int, _Held] = OrderedDict()
        self._by_band: dict[int, list[int]] = {}
        self._shingles = 0

    def original_of(self, text: str, asked: int, position: int) -> tuple[int, float] | None:
        """The position of the nearest earlier text and its similarity; None, and it is held, when none is near."""
        features = Features.of(text)
        if not features.shingles.size:
            return None
        bands = features.bands()
        likenesses = [
            (similarity(features.shingles, held.features.shingles), -held.position)
            for held in self._candidates(bands)
            if held.asked == asked and held.features.decisive == features.decisive
        ]
        best, place = max(likenesses, default=(0.0, 0))
        if best >= self._least:
            return -place, best
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
