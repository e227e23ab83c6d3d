"""Quotes that mark a gap: "we must accept … and then act"."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import regex

from cupel.text.grounding.matches import Span
from cupel.text.grounding.negations import hides_negation
from cupel.text.grounding.reading import read
from cupel.text.grounding.tokens import Tokens, is_solid, is_word, tokenise, trim
from cupel.text.grounding.wording import Wording, word

MAX_GAP = 1_500
"""Characters that may lie between two parts, about 250 words: beyond, two passages are not one quote."""

# words and letters a part needs; two words only beside a long part
_ENOUGH = (3, 6)
_ENOUGH_BESIDE = (2, 10)
_LONG_PART = (5, 20)

_ELLIPSIS = r"(?:…++|\.(?:\s?\.){2,}+)"
_GAP = regex.compile(rf"[\[(<{{]\s*+{_ELLIPSIS}\s*+[\])>}}]|(?P<bare>{_ELLIPSIS})")

# more gaps than anybody marks in one quote; each costs a search of the whole text
_MOST_GAPS = 32
_LONGEST = 20_000  # characters of a quote with gaps: a longer one is only looked for as it is
_WORK = 2_000_000  # characters compared in looking for chains


@dataclass(frozen=True)
class Elision:
    """The parts of a quote with marked gaps, where they stand.

    Attributes:
        spans: One span per part, in the text as given.
        tokens: The tokens `[first, stop)` of the text from the first part to the last, gaps included.
        hides_negation: Whether a gap leaves a negation out of a sentence that is quoted in part.
    """

    spans: tuple[Span, ...]
    tokens: tuple[int, int]
    hides_negation: bool


def has_gap(quote: str) -> bool:
    """Whether a quote marks that something is left out: `...`, `…`, `[...]`, `(…)`."""
    return _GAP.search(quote) is not None


def find_parts(quote: Tokens, text: Tokens, *, used: Container[Span] = ()) -> Elision | None:
    """The parts of a quote with marked gaps, or nothing where it is not such a quote.

    Every part must say something (three words, or two beside a part of five), stand in the text word for word,
    after the one before it and at most `MAX_GAP` characters away. Of several such chains the tightest that is free
    is taken, of those that hide no negation if there are any.
    """
    parts = _merge(quote, text)
    if len(parts) < 2 or not _are_telling(parts):
        return None
    found = [_elide(chain, parts, text) for chain in _chains(parts, text)]
    return min(
        found,
        key=lambda elision: (
            elision.hides_negation,
            (elision.spans[0][0], elision.spans[-1][1]) in used,
            elision.spans[-1][1] - elision.spans[0][0],
        ),
        default=None,
    )


def _merge(quote: Tokens, text: Tokens) -> list[Wording]:
    """The parts between the gaps, as the text spells them; an ellipsis that stands in the text itself is no gap."""
    parts: list[Wording] = []
    given = quote.reading.text
    gaps = [*islice(_GAP.finditer(given), _MOST_GAPS + 1)]
    if len(gaps) > _MOST_GAPS or len(given) > _LONGEST:
        return []
    literal = False
    begun = at = 0
    for gap in [*gaps, None]:
        end = gap.start() if gap else len(given)
        words = _bare(quote, at, end)
        joined = _spell(_bare(quote, begun, end), text) if parts and literal and len(words) else None
        if joined is not None and next(joined.find_in(text), None) is not None:
            parts[-1] = joined
        elif len(words):
            parts.append(_spell(words, text))
            begun = at
        # a mark at the end of what has been read stands in the text if the next words follow it there
        literal = text.has_ellipsis and bool(gap and gap["bare"])
        at = gap.end() if gap else len(given)
    return parts


def _spell(words: Tokens, text: Tokens) -> Wording:
    """The wording that the text has, else the quote's own."""
    wordings = list(word(words, 0, len(words), text))
    if len(wordings) == 1:
        return wordings[0]
    return next(
        (wording for wording in wordings if next(wording.find_in(text), None) is not None), wordings[0]
    )


def _bare(quote: Tokens, start: int, end: int) -> Tokens:
    """The tokens of the quote's characters `[start, end)` as they read, without punctuation around them."""
    given = quote.reading.text
    if quote.reading.is_as_given and (not start or given[start : start + 1].isspace()):
        # nothing before the space can change how they are read: they are the quote's own
        words = quote.part(bisect_left(quote.starts, start), bisect_left(quote.starts, end))
    else:
        words = tokenise(read(given[start:end], is_quote=True))
    return words.part(*trim(words.folded))


def _are_telling(parts: Sequence[Wording]) -> bool:
    """Whether every part is long enough not to stand in any text by chance."""
    sizes = [_measure(part.folded) for part in parts]
    enough = _ENOUGH_BESIDE if any(_reaches(size, _LONG_PART) for size in sizes) else _ENOUGH
    return all(_reaches(size, _ENOUGH) or _reaches(size, enough) for size in sizes)


def _reaches(size: tuple[int, int], fewest: tuple[int, int]) -> bool:
    return size[0] >= fewest[0] and size[1] >= fewest[1]


def _measure(part: Sequence[str]) -> tuple[int, int]:
    """Words and letters, up to a long part's; a character of a script without spaces is a word of two letters."""
    words = letters = 0
    for token in part:
        if is_word(token):
            words += 1
            letters += 2 if is_solid(token) else len(token)
            if _reaches((words, letters), _LONG_PART):
                break
    return words, letters


def _chains(parts: Sequence[Wording], text: Tokens) -> Iterator[tuple[int, ...]]:
    """The first token of every part, for each occurrence of the first part that the others follow."""
    lengths = [len(part.folded) for part in parts]
    most = _WORK // (len(parts) * MAX_GAP + sum(sum(map(len, part.folded)) for part in parts)) + 1
    for first in islice(parts[0].find_in(text), most):
        chain = [first]
        for length, part in zip(lengths, parts[1:], strict=False):
            # the first place that the part before leaves room for: a later one only lengthens the gap
            after = chain[-1] + length
            following = next(part.find_in(text, after=after, before=_reach(text, after, part)), None)
            if following is None or text.starts[following] - text.ends[after - 1] > MAX_GAP:
                break
            chain.append(following)
        else:
            yield tuple(chain)


def _reach(text: Tokens, after: int, part: Wording) -> int:
    """One past the last token that a part may end with: it begins at most `MAX_GAP` characters further on."""
    farthest = bisect_right(text.starts, text.ends[after - 1] + MAX_GAP, after)
    return min(len(text), farthest + len(part.folded))


def _elide(chain: Sequence[int], parts: Sequence[Wording], text: Tokens) -> Elision:
    ends = [first + len(part.folded) for first, part in zip(chain, parts, strict=True)]
    return Elision(
        spans=tuple(text.span(first, stop) for first, stop in zip(chain, ends, strict=True)),
        tokens=(chain[0], ends[-1]),
        hides_negation=any(
            hides_negation(text, stop, first) for stop, first in zip(ends, chain[1:], strict=False)
        ),
    )
