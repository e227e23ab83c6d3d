"""One text, prepared once, and the quotes looked up in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from unicodedata import normalize

from cupel.text.grounding.alignment import Aligner, similarity
from cupel.text.grounding.elision import find_parts, has_gap
from cupel.text.grounding.markup import Edit
from cupel.text.grounding.matches import Grounding, Match, Span
from cupel.text.grounding.reading import Reading, find_lost_breaks, has_marks, read
from cupel.text.grounding.tokens import Tokens, is_word, tokenise, trim
from cupel.text.grounding.word_diff import word_diff
from cupel.text.grounding.wording import word

MIN_SIMILARITY = 0.75
"""Indel ratio from which a passage counts as the one that was meant; two random sentences reach about .5."""

_MIN_SIMILARITY_SHORT = 0.8
_SHORT = 3  # words up to which a quote has too few letters to forgive several of them
_FEWEST_LETTERS = 5  # a shorter quote that differs in one letter is another word
_LONGEST = 800  # tokens; only the very words are looked for beyond: alignment takes time by the square

# the first places of a quote are checked in a small piece of the text: most quotes are verbatim and their
# text need never be prepared as a whole
_PIECE = 48
_TRIES = 4
_WORK = 4_000_000  # characters of the quote compared again at place after place, as "aaa" has in "aaaaaaaaa"


def ground(quote: str, text: str) -> Grounding:
    """Find a quote in a text and say how faithful it is.

    The last few texts stay prepared, so further quotes of the same text are cheap; `Grounder` does the same
    under the caller's control and hands out repeated quotes one place at a time.

    >>> quote = ground("we must accept", "Today we must not accept this.")
    >>> quote.match, quote.start, quote.end, quote.diff
    ('altered', 6, 24, 'we must [-not-] accept')
    """
    return _prepare(text).ground(quote)


class Grounder:
    """Grounds many quotes in one text, which is prepared once.

    Args:
        text: The document as given; offsets refer to exactly this string.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def ground(self, quote: str, *, used: Collection[Span] = ()) -> Grounding:
        """Find one quote.

        Args:
            quote: What is said to stand in the text.
            used: Places already given to earlier quotes. A free one is preferred, be it only normalised; once
                all are used the first is given again.
        """
        reading = read(quote, is_quote=True)
        words = tokenise(reading)
        given = words if reading.is_as_given else tokenise(quote)
        first, stop = trim(words.folded)
        if first == stop:
            return Grounding("absent")
        taken = {self._strip(span) for span in used}
        return (
            self._find_faithful(given, words, taken)
            or self._find_elided(quote, words, taken)
            or self._find_altered(words.part(first, stop))
        )

    @cached_property
    def _reading(self) -> Reading:
        return read(self._text)

    @cached_property
    def _tokens(self) -> Tokens:
        """The text as it reads."""
        return tokenise(self._reading)

    @cached_property
    def _given(self) -> Tokens:
        """The text as it is written, markup and all."""
        return self._tokens if self._reading.is_as_given else tokenise(self._text)

    @property
    def _is_tokenised(self) -> bool:
        """Whether the text as it is written need not be prepared again."""
        return "_given" in self.__dict__ or ("_tokens" in self.__dict__ and self._reading.is_as_given)

    @cached_property
    def _lost_breaks(self) -> list[Edit]:
        return find_lost_breaks(self._reading.plain)

    @cached_property
    def _unbroken(self) -> Tokens:
        """The text with words joined that may have been broken at the end of a line: `prac- tices`."""
        return tokenise(self._reading.change(self._lost_breaks))

    @cached_property
    def _aligner(self) -> Aligner:
        return Aligner(self._tokens)

    def _find_faithful(self, given: Tokens, words: Tokens, taken: Collection[Span]) -> Grounding | None:
        """The first free place that is verbatim, else normalised, else the first place at all."""
        spare: Grounding | None = None
        for match, span in self._places(given, words):
            grounding = Grounding(match, *span, similarity=1.0, parts=(span,))
            if self._strip(span) not in taken:
                return grounding
            spare = spare or grounding
        return spare

    def _places(self, given: Tokens, words: Tokens) -> Iterator[tuple[Match, Span]]:
        for span in self._literal(given):
            yield "verbatim", span
        for span in self._equal(words, self._tokens):
            yield "normalised", span
        if self._lost_breaks and not self._unbroken.broken.isdisjoint(words.folded):
            for span in self._equal(words, self._unbroken):
                yield "normalised", span
        # marks that the quote has in common with the text, as in half a link; without any, reading it was enough
        if given is not words or (not self._reading.is_as_given and has_marks(given.reading.text)):
            for span in self._equal(given, self._given):
                if self._reads_whole(span):
                    yield "normalised", span

    def _literal(self, words: Tokens) -> Iterator[Span]:
        """Where the quote's own characters stand, as the same tokens."""
        quote = words.reading.text
        at, tries = self._text.find(quote), 0
        most = _WORK // len(quote) + _TRIES
        while at >= 0 and tries < most:
            span = (at, at + len(quote))
            if self._stands(span, words.folded, in_piece=tries < _TRIES) and self._reads_whole(span):
                yield span
            at, tries = self._text.find(quote, at + 1), tries + 1

    def _stands(self, span: Span, words: Sequence[str], *, in_piece: bool) -> bool:
        """Whether a span of the text reads as these tokens: "art" is in "part", but does not stand there."""
        start, end = span
        if not in_piece or self._is_tokenised:
            return self._given.between(start, end) == words
        origin = max(0, start - _PIECE)
        return tokenise(self._text[origin : end + _PIECE]).between(start - origin, end - origin) == words

    @cached_property
    def _has_far_marks(self) -> bool:
        """Whether a mark far from a passage may decide how it reads: a tag, a link, what is struck out."""
        return "<" in self._text or "~" in self._text or ("]" in self._text and "](" in self._text)

    def _reads_whole(self, span: Span) -> bool:
        """Whether a span cuts nothing in two where the text is read without its markup."""
        start, end = span
        if self._has_far_marks or "_reading" in self.__dict__:
            reading = self._reading
        else:
            origin = max(0, start - _PIECE)
            reading = read(self._text[origin : end + _PIECE])
            start, end = start - origin, end - origin
        if reading.is_as_given:
            return True
        first, stop = reading.place(start), reading.place(end)
        if first is None or stop is None:
            return False
        origin = max(0, first - _PIECE)
        return (
            tokenise(reading.plain[origin : stop + _PIECE]).between(first - origin, stop - origin) is not None
        )

    def _equal(self, words: Tokens, text: Tokens) -> Iterator[Span]:
        """Where the same tokens stand, with as much of the punctuation around the quote as is there too."""
        first, stop = trim(words.folded)
        is_acronym = stop - first == 1 and _is_acronym(words.wording(first, stop))
        for wording in word(words, first, stop, text):
            for start in wording.find_in(text):
                end = start + len(wording.folded)
                if is_acronym and text.wording(start, end).islower():
                    continue
                lead = _count_equal(
                    text.folded[max(0, start - first) : start][::-1], words.folded[:first][::-1]
                )
                tail = _count_equal(text.folded[end : end + len(words) - stop], words.folded[stop:])
                yield text.span(start - lead, end + tail)

    def _find_elided(self, quote: str, words: Tokens, taken: Collection[Span]) -> Grounding | None:
        """Its parts, or what a gap hides: that a "not" was left out of a sentence makes the quote altered."""
        elision = find_parts(words, self._tokens, used=taken) if has_gap(quote) else None
        if elision is None:
            return None
        place = elision.spans[0][0], elision.spans[-1][1]
        if not elision.hides_negation:
            return Grounding("elided", *place, similarity=1.0, parts=elision.spans)
        passage = self._tokens.part(*elision.tokens)
        if max(len(passage), len(words)) > _LONGEST:
            return None
        return Grounding(
            "altered",
            *place,
            similarity=similarity(words.folded, passage.folded),
            diff=word_diff(passage, words),
            parts=elision.spans,
        )

    def _find_altered(self, words: Tokens) -> Grounding:
        """The closest passage with its diff, or absent where the closest is not close."""
        is_comparable = _letters(words) >= _FEWEST_LETTERS and len(words) <= _LONGEST
        closest = self._aligner.closest(words.folded) if is_comparable else None
        if closest is None:
            return Grounding("absent")
        first, stop = self._tokens.widen(*closest)
        passage = self._tokens.part(first, stop)
        closeness = similarity(words.folded, passage.folded)
        if closeness < (_MIN_SIMILARITY_SHORT if len(words) <= _SHORT else MIN_SIMILARITY):
            return Grounding("absent", similarity=closeness)
        if words.folded == passage.folded:  # it is the vowel signs that differ
            words, passage = _with_signs(words), _with_signs(passage)
            closeness = similarity(words.folded, passage.folded)
        if words.folded == passage.folded:
            return Grounding("absent")
        span = self._tokens.span(first, stop)
        diff = word_diff(passage, words)
        return Grounding("altered", *span, similarity=closeness, diff=diff, parts=(span,))

    def _strip(self, span: Span) -> Span:
        """The span without whitespace at its ends."""
        quoted = self._text[slice(*span)]
        return span[0] + len(quoted) - len(quoted.lstrip()), span[1] - len(quoted) + len(quoted.rstrip())


@lru_cache(maxsize=16)
def _prepare(text: str) -> Grounder:
    return Grounder(text)


def _is_acronym(quote: str) -> bool:
    """Two or three capitals: US is not us, WHO not who, and UN not the French un."""
    return 2 <= len(quote) <= 3 and quote.isalpha() and quote.isupper()


def _with_signs(words: Tokens) -> Tokens:
    """The same with each token as it is written."""
    spelt = [normalize("NFC", words.passage(place, place + 1)) for place in range(len(words))]
    return replace(words, folded=spelt)


def _count_equal(tokens: Sequence[str], others: Sequence[str]) -> int:
    """How many tokens agree before the first that does not."""
    return next(
        (i for i, (a, b) in enumerate(zip(tokens, others, strict=False)) if a != b),
        min(len(tokens), len(others)),
    )


def _letters(words: Tokens) -> int:
    return sum(len(token) for token in words.folded if is_word(token))
