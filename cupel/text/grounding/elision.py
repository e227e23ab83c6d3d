"""Quotes that mark a gap: "we must accept … and then act"."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterator, Sequence

import regex

from cupel.text.grounding.matches import Span
from cupel.text.grounding.tokens import Tokens, is_solid, is_word, tokenise, trim

MAX_GAP = 1_500
"""Characters that may lie between two parts, about 250 words: beyond, two passages are not one quote."""

# words and letters a part needs; two words only beside a long part
_ENOUGH = (3, 6)
_ENOUGH_BESIDE = (2, 10)
_LONG_PART = (5, 20)

_ELLIPSIS = r"(?:…+|\.(?:\s?\.){2,})"
_GAP = regex.compile(rf"[\[(<{{]\s*{_ELLIPSIS}\s*[\])>}}]|(?P<bare>{_ELLIPSIS})")

# "We must … accept this" for "We must not accept this": a gap this short, with one of these, is no gap
_SHORT_GAP = 3
_NEGATIONS = frozenset(
    """not no never nor neither without cannot hardly barely scarcely nothing nobody none
    ne n pas jamais non ni sans aucun aucune rien personne nicht nie niemals kein keine keinen keinem keiner
    keines weder ohne nichts niemand nunca jamás sin ningún ninguna nada nadie mai né senza nessun nessuno
    nessuna niente nulla não sem nem nenhum nenhuma niet geen nooit noch zonder niets nie bez żaden żadna ani
    nic nu niciodată fără nici inte ej aldrig utan ingen inget inga ikke ei emme ette eivät eikä älä ilman
    soha nélkül sem nikdy není nejsou nikoli δεν δε μη μην ποτέ χωρίς ούτε не без никога нито няма nije nisu
    nikad nikada ni nikoli brez nėra niekada nav nekad""".split()  # noqa: SIM905  a hundred quoted strings hide the words
)


def has_gap(quote: str) -> bool:
    """Whether a quote marks that something is left out: `...`, `…`, `[...]`, `(…)`."""
    return _GAP.search(quote) is not None


def find_parts(quote: str, text: Tokens, *, used: Container[Span] = ()) -> tuple[Span, ...]:
    """The span of each part of a quote with marked gaps, or nothing where it is not such a quote.

    Every part must say something (three words, or two beside a part of five), stand in the text word for word,
    after the one before it and at most `MAX_GAP` characters away. Of several such chains the tightest that is free
    is taken.
    """
    parts = _merge(quote, text)
    if len(parts) < 2 or not _are_telling(parts):
        return ()
    chains = [_spans(chain, parts, text) for chain in _chains(parts, text)]
    return min(chains, key=lambda spans: (_whole(spans) in used, spans[-1][1] - spans[0][0]), default=())


def _merge(quote: str, text: Tokens) -> list[list[str]]:
    """The parts between the gaps; an ellipsis that stands in the text itself is no gap."""
    parts: list[list[str]] = []
    literal = False
    at = 0
    for gap in [*_GAP.finditer(quote), None]:
        words = tokenise(quote[at : gap.start() if gap else len(quote)]).folded
        joined = [*parts[-1], "…", *words] if parts and literal else []
        if joined and next(text.occurrences(_bare(joined)), None) is not None:
            parts[-1] = joined
        elif _bare(words):
            parts.append(words)
        literal = bool(gap and gap["bare"])
        at = gap.end() if gap else len(quote)
    return [_bare(part) for part in parts]


def _bare(words: list[str]) -> list[str]:
    return words[slice(*trim(words))]


def _are_telling(parts: Sequence[Sequence[str]]) -> bool:
    """Whether every part is long enough not to stand in any text by chance."""
    has_long = any(_has(part, *_LONG_PART) for part in parts)
    return all(_has(part, *_ENOUGH) or (has_long and _has(part, *_ENOUGH_BESIDE)) for part in parts)


def _has(part: Sequence[str], fewest_words: int, fewest_letters: int) -> bool:
    """Counting a character of a script without spaces as a word of two letters."""
    words = [token for token in part if is_word(token)]
    letters = sum(2 if is_solid(token) else len(token) for token in words)
    return len(words) >= fewest_words and letters >= fewest_letters


def _chains(parts: Sequence[Sequence[str]], text: Tokens) -> Iterator[tuple[int, ...]]:
    """The first token of every part, for each occurrence of the first part that the others follow."""
    places = [list(text.occurrences(part)) for part in parts]
    # the first place of each part that the one before leaves room for: a later one only lengthens the gap
    for first in places[0]:
        chain = [first]
        for part, later in zip(parts, places[1:], strict=False):
            following = bisect_left(later, chain[-1] + len(part))
            if following == len(later) or not _is_gap(text, chain[-1] + len(part), later[following]):
                break
            chain.append(later[following])
        else:
            yield tuple(chain)


def _is_gap(text: Tokens, first: int, stop: int) -> bool:
    """Whether the tokens `[first, stop)` may be left out: not too much, and not just a negation."""
    if text.starts[stop] - text.ends[first - 1] > MAX_GAP:
        return False
    if stop - first > 4 * _SHORT_GAP:
        return True
    words = [token for token in text.folded[first:stop] if is_word(token)]
    return len(words) > _SHORT_GAP or not any(word in _NEGATIONS or word.endswith("n't") for word in words)


def _spans(chain: Sequence[int], parts: Sequence[Sequence[str]], text: Tokens) -> tuple[Span, ...]:
    return tuple(text.span(first, first + len(part)) for first, part in zip(chain, parts, strict=True))


def _whole(spans: Sequence[Span]) -> Span:
    return spans[0][0], spans[-1][1]
