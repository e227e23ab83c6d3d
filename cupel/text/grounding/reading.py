"""A text as a reader sees it: without layout and markup, each character knowing where it stood.

What may be there or not, in the text as in a quote, and is still the same words. This is the whole of it:

    a word broken at a line's end        `prac-⏎tices`, also with `‐`, `¬` or a soft hyphen, the next line indented
    the same with its line break lost    `prac- tices`, where the other side has `practices` (`wording.py`)
    HTML                                 entities; tags that only format; `<br>`, `<p>`, `<td>` … as space (`markup.py`)
    Markdown                             emphasis, links, `> ` before lines, backslashes (`markup.py`)
    characters                           soft hyphens, ZWNJ, ZWJ, tatweel, CJK radicals (`_fold` of `tokens.py`)
    vowel signs of Arabic and Hebrew     where one side has none: two that differ are two words (`wording.py`)

What stays, because it changes what is said: `non-⏎binding` and `-⏎5`, all marks between two digits (`12[3]`,
`12<b>3</b>`), powers (`10^2`, `10<sup>2</sup>`), what is struck out (`~~must~~`, `<del>`), comments, images, and
everything that is not in the list above.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

import regex

from cupel.text.grounding.markup import MARKS, Edit, find_markup
from cupel.text.grounding.scripts import SOLID

_ALPHA = rf"[[\p{{L}}\p{{M}}]--[{SOLID}]]"
# "pre- and post-war", "Vor- und Nachteile": the hyphen stands for the rest of the word
_AND = "and|or|to|und|oder|bzw|bis|sowie|et|ou|en|of|och|eller|og|ja|tai|és|vagy|y|e|o|i|a|ve|и|или|και|ή"
_SAME_CASE = r"(?: (?!\p{Lu}|\p{Lt}) | (?<=\p{Lu}\p{Lu}[^\p{L}]+) (?=\p{Lu}\p{Lu}) )"


def _break(space: str, after: str = "") -> regex.Pattern[str]:
    """A hyphen inside a word with white space after it, and a condition on what comes then."""
    return regex.compile(
        rf"""(?V1)(?i:(?P<non>\b(?<=\bnon)))? (?<={_ALPHA})
        [-‐¬֊\u00ad] [\u00ad\u200b]*+ {space}
        (?: (?<={_ALPHA}{{2}}[^\p{{L}}\p{{M}}]+) (?={_ALPHA}{{2}}) | (?={_ALPHA}{{3}}) ) {_SAME_CASE} {after}""",
        regex.VERBOSE,
    )


_NEW_LINE = r"(?:\r\n|[\n\r\v\f\x85\u2028])"
_AT_LINE_END = _break(rf"(?:[ \t]*+{_NEW_LINE}){{1,2}}[ \t\u00a0\u3000]*+", rf"(?! (?:{_AND})\b )")
_ANYWHERE = _break(rf"[ \t\u00a0]*+{_NEW_LINE}?+[ \t\u00a0]*+(?<=\s)")
_RARE_HYPHENS = "‐¬֊\u00ad"
_RARE_LINE_ENDS = "\v\f\x85\u2028"
_SHORT = 1_000  # characters: one search is faster than one for each sign in turn
_ANY_SIGN = re.compile(rf"[{re.escape(MARKS + _RARE_HYPHENS)}]|&[#\w]|\]\(|-\s")


@dataclass(frozen=True)
class Reading:
    """A text as it reads, and where its characters stand in the text as given.

    Attributes:
        text: The text as given.
        plain: The text as it reads; a soft hyphen where a word was broken.
        starts: The place in `text` of each character of `plain`; None where the two are the same.
        ends: One past that place; more where several characters stand for one, as in `&amp;`.
    """

    text: str
    plain: str
    starts: array[int] | None = None
    ends: array[int] | None = None

    @property
    def is_as_given(self) -> bool:
        """Whether there was nothing to leave out."""
        return self.starts is None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The code points of the text as given that `plain[start:end]` stands for."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]

    def place(self, at: int) -> int | None:
        """Where a place in the text as given is in `plain`; None inside something that cannot be cut."""
        if self.starts is None or self.ends is None:
            return at
        place = bisect_left(self.starts, at)
        is_inside = place > 0 and self.ends[place - 1] > at
        return None if is_inside and not self.plain[place - 1].isspace() else place

    def change(self, edits: Iterable[Edit]) -> Reading:
        """The same with some stretches of `plain` put otherwise; `edits` are in order and do not overlap."""
        pieces: list[str] = []
        starts, ends = array("I"), array("I")
        done = 0
        for start, end, put in [*edits, (len(self.plain), len(self.plain), "")]:
            pieces += (self.plain[done:start], put)
            starts.extend(range(done, start) if self.starts is None else self.starts[done:start])
            ends.extend(range(done + 1, start + 1) if self.ends is None else self.ends[done:start])
            if put:
                first, stop = self.span(start, end)
                starts.extend([first] * len(put))
                ends.extend([stop] * len(put))
            done = end
        return Reading(self.text, "".join(pieces), starts, ends)


def read(text: str, *, is_quote: bool = False) -> Reading:
    r"""A text without its layout and markup.

    Args:
        text: The text as given.
        is_quote: Keep what is struck out as it is written; in a document it becomes one character that no quote
            can reach into or pass over.

    >>> read("such **rules** and prac-\n  tices &amp; so on").plain.replace("\u00ad", "|")
    'such rules and prac|tices & so on'
    """
    reading = Reading(text, text)
    if len(text) < _SHORT and not has_marks(text):
        return reading
    edits = find_markup(text, is_quote=is_quote)
    if edits:
        reading = reading.change(edits)
    breaks = find_breaks(reading.plain)
    return reading.change(breaks) if breaks else reading


def has_marks(text: str) -> bool:
    """Whether a text has characters that layout and markup are made of."""
    return _ANY_SIGN.search(text) is not None


def find_breaks(text: str) -> list[Edit]:
    """The words broken at a line's end: one word, with a soft hyphen where it may or may not have a hyphen.

    After "non" the hyphen stays: what it negates can then never be quoted without it.
    """
    if not _has_hyphen(text, ("-\n", "-\r", "- "), _RARE_HYPHENS + _RARE_LINE_ENDS):
        return []
    return [
        (*found.span(), "-" if found["non"] is not None else "\u00ad")
        for found in _AT_LINE_END.finditer(text)
    ]


def find_lost_breaks(text: str) -> list[Edit]:
    """What may be broken words or not: `prac- tices`, whose line is no longer broken, or `Br-⏎and`."""
    if not _has_hyphen(text, ("- ", "-\t", "-\u00a0", "-\n", "-\r"), _RARE_HYPHENS):
        return []
    return [(*found.span(), "\u00ad") for found in _ANYWHERE.finditer(text) if found["non"] is None]


def _has_hyphen(text: str, common: Iterable[str], rare: str) -> bool:
    """Whether it is worth looking closer: single characters are found fast, but a hyphen stands in most texts."""
    return any(mark in text for mark in rare) or ("-" in text and any(mark in text for mark in common))
