"""A text as the words, numbers and marks that a faithful quote must repeat.

Comparison is by whole tokens, so a quote can never match inside a word, and offsets never have to be carried
through normalisation: each token keeps its own `[start, end)` in the original text.

What a token is:

- a word: letters, digits and marks, with `n't` kept on ("can" is not a quote of "can't");
- a number with its sign, separators and unit letters: `-5`, `1.5`, `3,000` and `3.5bn` are one token each, so
  that no formatting rule can make two different numbers equal;
- one character of a script that puts no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese), or
  glues particles to them (Korean);
- a run of quotation marks, a run of dashes, an ellipsis, or any other single visible character.

Whitespace, control and zero-width characters separate tokens or vanish; they are never tokens.
"""

from __future__ import annotations

import unicodedata
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, chain

import regex

from cupel.text.grounding.reading import Reading
from cupel.text.grounding.scripts import RADICALS, SOLID, TATWEEL, VOWEL_SIGNS

_QUOTES = "'\"‘’‚‛“”„‟«»‹›`´ʼ＇＂「」『』"
_APOSTROPHES = "'’‘ʼ`´＇"
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[ʼ\p{{DI}}{SOLID}]]"
_DASHES = r"[\p{Pd}−]"
_SIGNS = r"[[\p{Pd}−]--[—―⸺⸻〜〰]]"

_RUN = rf"""
    {_LETTER}++
    (?: (?: [.,٫٬·] (?<=\d.) (?=\d)                                           # 1.5  3,000
          | [{_APOSTROPHES}] (?<=\d.) (?=\d{{3}}(?!\d))                       # 3'000
          | [{_APOSTROPHES}] (?<=[nN].) (?=[tT](?!{_LETTER}))                 # can't
          | \p{{DI}}++ (?={_LETTER})                                          # soft hyphen, zero-width space
        ) {_LETTER}++ )*
"""
# the commonest first: this runs on every document
_TOKEN = regex.compile(
    rf"""(?V1)
    [a-zA-Z]++ (?=[\ ,\n])                                                    # what _RUN finds too, a third faster
    | {_RUN}
    | {_SIGNS} (?<![^\s\p{{DI}}\p{{Ps}}\p{{Pi}}'"=:/].) \p{{Sc}}? \.? (?=\d) {_RUN} # its sign
    | \. (?<![\p{{L}}\p{{N}}.,].) (?=\d) {_RUN}                               # so does a leading point: .5
    | [{_QUOTES}]+
    | {_DASHES}++ (?!\d) | {_DASHES}+ (?={_DASHES}\d)                          # 1--5 may be 1 and -5
    | …+ | \.(?:\s?\.){{2,}}
    | (?=[{SOLID}]) \X
    | [^\s\p{{Cc}}\p{{DI}}]
    """,
    regex.VERBOSE,
)
SOFT_HYPHEN = "\u00ad"
_NEW_LINE = regex.compile(r"[\n\r\v\f\x85\u2028\u2029]")
_GROUP_SPACES = " \u00a0\u2009\u202f"
_WORD = regex.compile(r"[\p{L}\p{N}]")
_SOLID_LETTER = regex.compile(rf"[{SOLID}]")
# what may be missing or different around a quote; not % # & @ / and other marks that carry meaning
_TRIMMABLE = regex.compile(r"(?V1)[\p{Pd}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Pc}…[\p{Po}--[%‰‱٪#&@/\\§¶†‡′″‴]]]+")
_IGNORABLE = regex.compile(rf"[\p{{DI}}{TATWEEL}{VOWEL_SIGNS}]+")
_COMPATIBLE = regex.compile(r"(?<=\p{L}[\p{M}\p{DI}]*)\p{No}|\P{No}+")
_SPELT = str.maketrans({"œ": "oe", "æ": "ae", **dict.fromkeys(_APOSTROPHES, "'"), **RADICALS})
# an occurrence of a needle costs its length: 4,000 of a needle of a thousand characters, then no more
_WORK = 4_000_000
_FEWEST_TRIES = 16
_LONGEST = (
    500  # characters of one token that are folded: to normalise a million accents on a letter takes hours
)

_WORD_LENGTH = 40  # characters of a token whose form is kept for the next time


@dataclass(frozen=True)
class Tokens:
    """The tokens of one text, in order, with their places in it.

    Attributes:
        reading: The text as it reads, and as given.
        folded: Each token in the form it is compared in.
        starts: Its first code point in the text as it reads.
        ends: One past its last code point there.
    """

    reading: Reading
    folded: list[str]
    starts: array[int]
    ends: array[int]

    def __len__(self) -> int:
        return len(self.folded)

    @cached_property
    def joined(self) -> str:
        """All tokens in one string, a space around each: a quote is found in it by `str.find`."""
        return f" {' '.join(self.folded)} "

    @cached_property
    def offsets(self) -> array[int]:
        """Where in `joined` the space before each token is, and the last space."""
        return array("I", accumulate((len(token) + 1 for token in self.folded), initial=0))

    @cached_property
    def has_ellipsis(self) -> bool:
        """Whether the text itself has a mark that a quote may leave a gap with."""
        return " … " in self.joined

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Every token once."""
        return frozenset(self.folded)

    @cached_property
    def has_solid(self) -> bool:
        """Whether some of the text is in a script without spaces between words."""
        return _SOLID_LETTER.search(self.reading.plain) is not None

    @cached_property
    def halves(self) -> Mapping[int, tuple[str, ...]]:
        """What stands before each soft hyphen of a token that has some, by the token's place."""
        plain, found = self.reading.plain, dict[int, tuple[str, ...]]()
        at = plain.find(SOFT_HYPHEN)
        while at >= 0:
            place = bisect_right(self.starts, at) - 1
            if place >= 0 and at < self.ends[place] - 1:
                found[place] = (*found.get(place, ()), _fold(plain[self.starts[place] : at]))
            at = plain.find(SOFT_HYPHEN, at + 1)
        return found

    @cached_property
    def broken(self) -> frozenset[str]:
        """The tokens that have a soft hyphen: a hyphen of the quote may be theirs."""
        return frozenset(self.folded[place] for place in self.halves)

    def part(self, first: int, stop: int) -> Tokens:
        """Tokens `[first, stop)` alone, with the same offsets."""
        return Tokens(self.reading, self.folded[first:stop], self.starts[first:stop], self.ends[first:stop])

    def span(self, first: int, stop: int) -> tuple[int, int]:
        """The code points `[start, end)` of tokens `[first, stop)` in the text as given."""
        return self.reading.span(self.starts[first], self.ends[stop - 1])

    def wording(self, first: int, stop: int) -> str:
        """Tokens `[first, stop)` as the text has them, on one line."""
        start, end = self.span(first, stop)
        return " ".join(self.reading.text[start:end].split())

    def passage(self, first: int, stop: int) -> str:
        """Tokens `[first, stop)` as they read, with all between them."""
        return self.reading.plain[self.starts[first] : self.ends[stop - 1]]

    def tokens_at(self, start: int, stop: int) -> tuple[int, int]:
        """The tokens `[first, stop)` that the characters `[start, stop)` of `joined` touch."""
        return max(0, bisect_right(self.offsets, start) - 1), min(len(self), bisect_left(self.offsets, stop))

    def occurrences(
        self, words: Sequence[str], *, after: int = 0, before: int | None = None
    ) -> Iterator[int]:
        """The first token of every occurrence, overlapping ones too, that cuts nothing in two.

        Args:
            words: The tokens looked for.
            after: The first token an occurrence may begin with.
            before: One past the last token it may end with; None for the end of the text.

        A needle of thousands of words that all look alike is only tried at the first places.
        """
        needle = f" {' '.join(words)} "
        # the offsets take time, and most needles are not there
        end = len(self.joined) if before is None else self.offsets[before] + 1
        at = self.joined.find(needle, self.offsets[after] if after else 0, end)
        tries = _WORK // len(needle) + _FEWEST_TRIES
        while at >= 0 and tries:
            first = bisect_left(self.offsets, at)
            if self.is_whole(first, first + len(words)):
                yield first
            # one on, not one needle on: in "no no no" the quote "no no" stands twice
            at, tries = self.joined.find(needle, at + 1, end), tries - 1

    def between(self, start: int, end: int) -> Sequence[str] | None:
        """The folded tokens of `plain[start:end]`, or None where an edge cuts something in two."""
        first, stop = bisect_left(self.starts, start), bisect_left(self.starts, end)
        if (first and self.ends[first - 1] > start) or (stop > first and self.ends[stop - 1] > end):
            return None
        return self.folded[first:stop] if self.is_whole(first, stop) else None

    def is_whole(self, first: int, stop: int) -> bool:
        """Whether tokens `[first, stop)` neither begin nor end inside `3 000` or `non-binding`."""
        return not (self._is_glued(first) or self._is_glued(stop))

    def widen(self, first: int, stop: int) -> tuple[int, int]:
        """The smallest range around tokens `[first, stop)` that is whole."""
        while self._is_glued(first):
            first -= 1
        while self._is_glued(stop):
            stop += 1
        return first, stop

    def _is_glued(self, place: int) -> bool:
        """Whether a token means something else without the one before it."""
        if not 0 < place < len(self):
            return False
        before, word = self.folded[place - 1], self.folded[place]
        between = self.reading.plain[self.ends[place - 1] : self.starts[place]]
        if between:
            if before == "-":  # a minus at the end of a line, or a dash: nobody knows
                return word[0].isnumeric() and _NEW_LINE.search(between) is not None
            digits = before.lstrip("-")
            is_group = len(digits) <= 3 and digits.isdecimal() and len(word) == 3 and word.isdecimal()
            return is_group and between in _GROUP_SPACES
        if before == "non":
            return word.startswith("-")
        if "^" in (before, word):  # 10^2 is no 10
            return before[-1].isnumeric() or (
                before == "^" and place > 1 and self.folded[place - 2][-1].isnumeric()
            )
        return before == "-" and self._is_glued(place - 1)


def tokenise(text: str | Reading) -> Tokens:
    """The tokens of a text, as given or as it reads.

    >>> tokenise("We can’t take 3,000 °C.").folded
    ['we', "can't", 'take', '3,000', '°', 'c', '.']
    """
    reading = text if isinstance(text, Reading) else Reading(text, text)
    text = reading.plain
    spans = [token.span() for token in _TOKEN.finditer(text)]
    raw = [text[start:end] for start, end in spans]
    forms = {token: _fold(token) for token in set(raw)}
    folded = [forms[token] for token in raw]
    several = {token: form.count(" ") + 1 for token, form in forms.items() if " " in form}
    if several:  # one character that stands for several tokens, such as ℃
        spans = [span for token, span in zip(raw, spans, strict=True) for _ in range(several.get(token, 1))]
        folded = list(chain.from_iterable(form.split(" ") for form in folded))
    return Tokens(
        reading, folded, array("I", [start for start, _ in spans]), array("I", [end for _, end in spans])
    )


def trim(words: Sequence[str]) -> tuple[int, int]:
    """The part `[first, stop)` that is left without leading and trailing punctuation.

    A dash before a number stays: it may be a minus.

    >>> trim(["'", "we", "accept", ".", "'"])
    (1, 3)
    """
    first, stop = 0, len(words)
    if words and words[0].isalnum() and words[-1].isalnum():
        return first, stop
    while stop and _TRIMMABLE.fullmatch(words[stop - 1]):
        stop -= 1
    while first < stop and _TRIMMABLE.fullmatch(words[first]) and not _negates(words, first):
        first += 1
    return first, stop


def _negates(words: Sequence[str], place: int) -> bool:
    return words[place].startswith("-") and words[place + 1].lstrip(".")[:1].isnumeric()


def is_word(token: str) -> bool:
    """Whether a token has a letter or digit, rather than being a mark."""
    return _WORD.search(token) is not None


def is_solid(token: str) -> bool:
    """Whether a token is one character of a script without spaces between words."""
    return _SOLID_LETTER.match(token) is not None


def _fold(raw: str) -> str:
    """The form a token is compared in; several, separated by spaces, where it stands for several."""
    if raw.isascii() and raw.isalnum():
        return raw.lower()
    head = raw[0]
    if head in _QUOTES:
        return "'"
    if head == "…" or raw.startswith("..") or (head == "." and len(raw) > 2 and not is_word(raw)):
        return "…"
    if unicodedata.category(head) == "Pd" or head == "−":
        rest = raw.lstrip(head)
        return "-" + _fold(rest) if rest and is_word(rest) else "-"
    if raw.isascii():
        return raw.lower()
    return _fold_unicode(raw)


def _fold_unicode(raw: str) -> str:
    if len(raw) > _LONGEST:
        return raw.casefold()
    return _fold_known(raw) if len(raw) <= _WORD_LENGTH else _fold_anew(raw)


def _fold_anew(raw: str) -> str:
    # ² and ½ only fold beside a letter (m², CO₂): 10² is not 102
    bare = _IGNORABLE.sub("", raw)
    plain = _COMPATIBLE.sub(lambda run: unicodedata.normalize("NFKC", run.group()), bare)
    if plain != bare:  # ﷲ and שּׁ bring signs of their own
        plain = _IGNORABLE.sub("", plain)
    plain = unicodedata.normalize("NFC", plain.casefold()).replace("i̇", "i").translate(_SPELT)
    if plain == raw or (len(plain) == 1 and not plain.isspace()):
        return plain
    return " ".join(token.group() for token in _TOKEN.finditer(plain)) or raw


# a quote's words are the text's, whose tokens have been folded before it
_fold_known = lru_cache(maxsize=1 << 14)(_fold_anew)
