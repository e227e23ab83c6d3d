"""The words in which a quote differs from its passage, on one line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rapidfuzz.distance import Indel, Opcode

from cupel.text.grounding.tokens import Tokens

_CONTEXT = 4  # words shown on either side of a change
_LONGEST = 240  # characters; a quote that needs more differs everywhere


def word_diff(passage: Tokens, quote: Tokens) -> str:
    """From the passage to the quote: `[-only in the passage-]`, `{+only in the quote+}`.

    >>> from cupel.text.grounding.tokens import tokenise
    >>> word_diff(tokenise("We must not act."), tokenise("we must act"))
    'We must [-not-] act [-.-]'
    >>> word_diff(tokenise("in 27 countries"), tokenise("in 25 countries"))
    'in [-27-] {+25+} countries'
    """
    shown = " ".join(_pieces(passage, quote))
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 2].rstrip() + " …"


def _pieces(passage: Tokens, quote: Tokens) -> Iterator[str]:
    runs = [list(run) for _, run in groupby(Indel.opcodes(passage.folded, quote.folded), key=_is_equal)]
    for place, run in enumerate(runs):
        first, stop = run[0].src_start, run[-1].src_end
        if _is_equal(run[0]):
            yield _keep(passage, first, stop, before=place == 0, after=place == len(runs) - 1)
            continue
        if first < stop:
            yield f"[-{_shorten(passage, first, stop)}-]"
        if run[0].dest_start < run[-1].dest_end:
            yield f"{{+{_shorten(quote, run[0].dest_start, run[-1].dest_end)}+}}"


def _is_equal(step: Opcode) -> bool:
    return step.tag == "equal"


def _keep(passage: Tokens, first: int, stop: int, *, before: bool, after: bool) -> str:
    """Equal words, shortened where no change follows: those before the first and after the last change."""
    if stop - first <= _CONTEXT:
        return passage.wording(first, stop)
    if before:
        return f"… {passage.wording(stop - _CONTEXT, stop)}"
    if after:
        return f"{passage.wording(first, first + _CONTEXT)} …"
    return _shorten(passage, first, stop)


def _shorten(text: Tokens, first: int, stop: int) -> str:
    """The words as they are written; of a long run only both ends."""
    if stop - first <= 2 * _CONTEXT + 1:
        return text.wording(first, stop)
    return f"{text.wording(first, first + _CONTEXT)} … {text.wording(stop - _CONTEXT, stop)}"
