"""A record too long to be judged at once, cut into parts that each are read beside a window of the document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cupel.judging.items import Item

MOST_TOKENS = 8_000
"""Of document and record together, at four characters a token, that one call is shown."""

MOST_ITEMS = 80
"""A reader loses the thread of more."""

TOKENS_PER_ITEM = 40
"""Of a reply, where a third of the items are wrong."""

_ITEM_CHARS = 30
"""What a line of the list takes beside the quote."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one call is shown: `[start, end)` of the text, and the items in it."""

    start: int
    end: int
    items: Sequence[Item]


def cut_parts(
    items: Sequence[Item], text: str, windows: Sequence[Sequence[int]], *, max_output_tokens: int
) -> list[Part]:
    """The parts a record is judged in: one, unless document, record or reply would be too long.

    Items whose quotes stand in one window are judged beside it, at most so many at a time that the reply has room. What
    has no quote, as a single value of the whole document, is judged beside the whole text, last.

    Args:
        items: The record's.
        text: The document.
        windows: `[start, end)` of each window it was extracted in.
        max_output_tokens: Longest reply.
    """
    most = max(8, min(MOST_ITEMS, max_output_tokens // TOKENS_PER_ITEM))
    shown = len(text) + sum(len(item.quote) + _ITEM_CHARS for item in items)
    if shown <= 4 * MOST_TOKENS and len(items) <= most:
        return [Part(0, len(text), items)]
    parts, rest = list[Part](), [item for item in items if item.start is not None]
    for start, end in windows or [(0, len(text))]:
        own = [item for item in rest if start <= (item.start or 0) and (item.end or 0) <= end]
        rest = [item for item in rest if item not in own]
        # a window without an item is read all the same: something may be missing from it
        parts += [Part(start, end, own[at : at + most]) for at in range(0, max(1, len(own)), most)]
    left = [*rest, *(item for item in items if item.start is None)]
    parts += [Part(0, len(text), left[at : at + most]) for at in range(0, len(left), most)]
    return parts
