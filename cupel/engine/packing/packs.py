"""Which documents go together: decided by the order of the input alone, so that a resumed run asks the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from cupel.errors import SettingError
from cupel.tables import Row
from cupel.text import TextIndex, Twin, document_id, usable_text

BLOCK = 4
"""Rows among which packs are made, as a multiple of a pack's size: what is read ahead for them."""

LARGEST = 50


@dataclass(frozen=True, slots=True)
class PackTerms:
    """How documents are packed.

    Args:
        size: Documents in one request, at most.
        max_chars: Longest text that is packed, in characters.

    Raises:
        SettingError: For a size outside of 2 to 50, or a length below 1.
    """

    size: int = 4
    max_chars: int = 1500

    def __post_init__(self) -> None:
        if not 2 <= self.size <= LARGEST:
            raise SettingError(f"pack size {self.size}: from 2 to {LARGEST} documents in one request")
        if self.max_chars < 1:
            raise SettingError(f"longest packed text {self.max_chars}: from 1 character up")

    def take(self, row: Row, inputs: Sequence[str]) -> bool:
        """Whether a row may be packed."""
        text = row.text
        return (
            row.problem is None
            and isinstance(text, str)
            and len(text) <= self.max_chars
            and usable_text(text)[1] is None
            and all(row.inputs.get(name) for name in inputs)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """That a run packs, as far as a certificate allows it."""

    min_agreement: float = 0.95
    """Lower bound of the agreement with single requests that the certificate must state."""

    trial: PackTerms | None = None
    """Pack on these terms without a certificate: to measure one."""

    def __post_init__(self) -> None:
        if not 0 < self.min_agreement <= 1:
            raise SettingError(f"agreement {self.min_agreement!r} of packed requests: above 0, at most 1")


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """Documents asked about in one request."""

    members: tuple[Row, ...]
    keys: tuple[str, ...]
    """Under which their outcomes are stored."""

    trial: bool = False
    """Ask packed even what was answered alone before."""

    def doc_id(self, number: int) -> str:
        """The id of the n-th document, from 1."""
        row = self.members[number - 1]
        return row.doc_id or document_id(str(row.text), row.inputs)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a pack a document is."""

    pack: Pack
    number: int
    """From 1."""

    @property
    def text(self) -> str:
        """The document's own text."""
        return str(self.pack.members[self.number - 1].text)


def arrange(
    rows: Iterable[Row],
    index: TextIndex,
    terms: PackTerms | None,
    *,
    inputs: Sequence[str] = (),
    key: Callable[[Row], str] = lambda row: str(row.position),
    trial: bool = False,
) -> Iterator[tuple[Row, Twin | None, Place | None]]:
    """Every row in order, with the earlier one it repeats and its place in a pack.

    Packs are made of neighbours within blocks of rows; what is left over in a block goes in a smaller pack, a
    single document alone.
    """
    if terms is None:
        yield from ((row, index.twin_of(row), None) for row in rows)
        return
    # a block is closed before the next one is read: which rows share a pack depends on their order and on nothing that
    # happens during the run, so that a resumed run sends the same requests and finds them answered. Four packs of rows
    # are enough to fill packs around the duplicates and long texts between them, and few enough to hold.
    source = iter(rows)
    while block := [(row, index.twin_of(row)) for row in islice(source, BLOCK * terms.size)]:
        fitting = [row for row, twin in block if twin is None and terms.take(row, inputs)]
        places = _places(fitting, terms.size, key, trial=trial)
        for row, twin in block:
            yield row, twin, places.get(row.position)


def _places(rows: Sequence[Row], size: int, key: Callable[[Row], str], *, trial: bool) -> dict[int, Place]:
    places = {}
    for start in range(0, len(rows), size):
        members = tuple(rows[start : start + size])
        if len(members) > 1:  # a pack of one would send the longer prompt for nothing
            pack = Pack(members, tuple(key(row) for row in members), trial)
            places.update({row.position: Place(pack, number) for number, row in enumerate(members, start=1)})
    return places
