"""Which earlier row a row repeats: decided in the input's order alone, so that a resumed run decides the same."""

from __future__ import annotations

import hashlib
import json
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cupel.errors import SettingError
from cupel.tables import Row
from cupel.text.documents import usable_text

if TYPE_CHECKING:
    from cupel.text.duplicates.near import Near

LEAST_SIMILAR = 0.8
"""Below it two texts are not called near-duplicates, and the bands would miss too many."""

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
        self._near = None if near is None else _near_of(check_similarity(near))

    def twin_of(self, row: Row) -> Twin | None:
        """The earlier row this one repeats, under the same inputs; else it is remembered."""
        if row.problem is not None or not isinstance(row.text, str) or usable_text(row.text)[1]:
            return None
        asked = _fingerprint(json.dumps(row.inputs, sort_keys=True, ensure_ascii=False)) if row.inputs else 0
        first = self._first.of(_fingerprint(row.text, asked), row.position)
        if first is not None:
            return Twin(first, 1.0, exact=True)
        original = self._near.original_of(row.text, asked, row.position) if self._near else None
        return None if original is None else Twin(*original, exact=False)


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


def _near_of(near: float) -> Near:
    from cupel.text.duplicates.near import Near  # it needs numpy, and equal texts are found without

    return Near(near)


def _fingerprint(text: str, salt: int = 0) -> int:
    digest = hashlib.blake2b(
        text.encode("utf-8", "surrogatepass"), digest_size=8, salt=salt.to_bytes(8, "little")
    )
    return int.from_bytes(digest.digest(), "little")


class _FirstSeen:
    """The first position of each fingerprint: sorted arrays, and a small dict of the latest."""

    def __init__(self) -> None:
        self._hashes = array("Q")
        self._positions = array("q")
        self._recent: dict[int, int] = {}

    def of(self, fingerprint: int, position: int) -> int | None:
        """Where it was first seen; None, and it is kept, when this is the first time."""
        if (recent := self._recent.get(fingerprint)) is not None:
            return recent
        place = bisect_left(self._hashes, fingerprint)
        if place < len(self._hashes) and self._hashes[place] == fingerprint:
            return self._positions[place]
        self._recent[fingerprint] = position
        if len(self._recent) >= max(_RECENT, len(self._hashes) // 8):
            self._merge()
        return None

    def _merge(self) -> None:
        import numpy as np  # only a long run comes here; a start-up has no time for it

        hashes = np.concatenate([np.array(self._hashes), np.fromiter(self._recent.keys(), np.uint64)])
        positions = np.concatenate([np.array(self._positions), np.fromiter(self._recent.values(), np.int64)])
        order = np.argsort(hashes)
        self._hashes, self._positions = (
            array("Q", hashes[order].tobytes()),
            array("q", positions[order].tobytes()),
        )
        self._recent = {}
