"""The five matches a quote can have, and the result of grounding one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Match = Literal["verbatim", "normalised", "elided", "altered", "absent"]
Span = tuple[int, int]

STRENGTH: Mapping[Match, int] = MappingProxyType(
    {"absent": 0, "altered": 1, "elided": 2, "normalised": 3, "verbatim": 4}
)
"""How much a match proves, 0 to 4: `min(matches, key=STRENGTH.get)` is the weakest of several."""


@dataclass(frozen=True, slots=True)
class Grounding:
    """Where one quote stands in one text.

    Attributes:
        match: How faithfully it was quoted.
        start: First code point in the original text; None where absent.
        end: One past the last code point; None where absent.
        similarity: 1 for verbatim, normalised and elided; below 1 for altered: the share of characters that
            agree (Indel ratio of the normalised strings); for absent that of the best candidate, 0 without one.
        diff: For altered, from the text to the quote: `we must [-not-] accept` (dropped from the text) or
            `we must {+not+} accept` (put in by the quote). Empty otherwise.
        parts: One span per part of an elided quote, otherwise the one span; empty where absent.
    """

    match: Match
    start: int | None = None
    end: int | None = None
    similarity: float = 0.0
    diff: str = ""
    parts: tuple[Span, ...] = ()


def is_grounded(match: str) -> bool:
    """Whether a quote with this match may be shown as a quotation of the text.

    >>> [match for match in STRENGTH if is_grounded(match)]
    ['normalised', 'verbatim']
    """
    return match in ("verbatim", "normalised")
