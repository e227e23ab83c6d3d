"""A quote as the text it is looked up in would spell it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import regex

from cupel.text.grounding.scripts import SHADDA, TATWEEL, VOWEL_SIGNS
from cupel.text.grounding.tokens import SOFT_HYPHEN, Tokens

_MOST_CHECKED = 1_000  # places whose vowel signs or breaks are compared with the quote's
_VOWELS = regex.compile(rf"[{VOWEL_SIGNS}]")
_LETTER_AND_SIGNS = regex.compile(rf"(?V1)[[\p{{Arabic}}\p{{Hebrew}}]&&\p{{L}}]([{VOWEL_SIGNS}]*+)")


@dataclass(frozen=True, slots=True)
class Wording:
    """The tokens of a quote, or of a part of one, and what else a place has to have to be its own.

    Attributes:
        folded: The tokens looked for.
        passage: The quote as it reads where it has vowel signs, else nothing.
        halves: Where the quote has a hyphen of its own in a word that the text breaks: what stands before it, by
            the place of the whole word.
    """

    folded: Sequence[str]
    passage: str = ""
    halves: Mapping[int, str] = field(default_factory=dict)

    def find_in(self, text: Tokens, *, after: int = 0, before: int | None = None) -> Iterator[int]:
        """The first token of every occurrence between two tokens of a text."""
        places = text.occurrences(self.folded, after=after, before=before)
        for first in islice(places, _MOST_CHECKED) if self.halves or self.passage else places:
            if self.halves and not all(
                half in text.halves.get(first + place, ()) for place, half in self.halves.items()
            ):
                continue
            if self.passage and not agree(self.passage, text.passage(first, first + len(self.folded))):
                continue
            yield first


def word(quote: Tokens, first: int, stop: int, text: Tokens) -> Iterator[Wording]:
    """The wordings to look for, likelier first: as the quote has its hyphens, then as the text has them.

    Args:
        quote: The quote as it reads.
        first: Its first token to look for.
        stop: One past the last.
        text: Where it will be looked for.
    """
    passage = quote.passage(first, stop)
    may_be_broken = SOFT_HYPHEN in passage or "-" in quote.folded[first + 1 : stop - 1]
    if passage.isascii() or not _VOWELS.search(passage):
        passage = ""
    yield Wording(quote.folded[first:stop], passage)
    if text.broken or may_be_broken:
        respelt = _respell(quote, first, stop, text)
        if respelt is not None:
            yield Wording(respelt[0], passage, respelt[1])


def _respell(
    quote: Tokens, first: int, stop: int, text: Tokens
) -> tuple[Sequence[str], Mapping[int, str]] | None:
    """The quote with its hyphens where the text has them: price-determining, prac-tices; None if it has already."""
    words: list[str] = []
    halves: dict[int, str] = {}
    place = first
    while place < stop:
        token = quote.folded[place]
        whole = token + quote.folded[place + 2] if place + 2 < stop and quote.folded[place + 1] == "-" else ""
        if whole and _is_inside_word(quote, place) and whole in text.broken:
            halves[len(words)] = token
            words.append(whole)
            place += 3
        elif whole and _is_broken(quote, place) and whole in text.vocabulary:
            words.append(whole)
            place += 3
        elif place in quote.halves and token not in text.vocabulary:
            words += _split(quote, place)
            place += 1
        else:
            words.append(token)
            place += 1
    return None if words == list(quote.folded[first:stop]) else (words, halves)


def _is_inside_word(quote: Tokens, place: int) -> bool:
    """Whether the hyphen after a token has no space around it."""
    return quote.ends[place] == quote.starts[place + 1] and quote.ends[place + 1] == quote.starts[place + 2]


def _is_broken(quote: Tokens, place: int) -> bool:
    """Whether a token, the hyphen and the token after it may be one word: `prac- tices`."""
    is_apart = quote.ends[place + 1] < quote.starts[place + 2]
    return is_apart and quote.ends[place] == quote.starts[place + 1] and quote.folded[place].isalpha()


def _split(quote: Tokens, place: int) -> list[str]:
    """A broken word of the quote with a hyphen at each break."""
    whole, done, words = quote.folded[place], 0, list[str]()
    for half in quote.halves[place]:
        words += [whole[done : len(half)], "-"]
        done = len(half)
    return [*words, whole[done:]]


def agree(one: str, other: str) -> bool:
    """Whether two spellings of the same letters may be the same words: where both have vowel signs, the same.

    >>> agree("كَتَبَ", "كتب"), agree("كَتَبَ", "كُتِبَ")
    (True, False)
    """
    if not (_VOWELS.search(one) and _VOWELS.search(other)):
        return True
    pairs = _signs(one), _signs(other)
    return len(pairs[0]) == len(pairs[1]) and all(map(_may_be_same, *pairs))


def _signs(passage: str) -> list[frozenset[str]]:
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", passage)).replace(TATWEEL, "")
    return [frozenset(signs) for signs in _LETTER_AND_SIGNS.findall(plain.replace(SOFT_HYPHEN, ""))]


def _may_be_same(one: frozenset[str], other: frozenset[str]) -> bool:
    """The signs of one letter, in two spellings."""
    if not one or not other:
        return True
    return (SHADDA in one) == (SHADDA in other) and (one <= other or other <= one)
