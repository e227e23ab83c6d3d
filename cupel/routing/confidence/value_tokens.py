"""Which tokens of a reply say something: those of the record's values, not those of its scaffold.

Braces, keys and quotes come as a schema wants them. Where a grammar forces them, their probabilities are those of tokens
that the model would not have chosen, about e^-10 each with small models, and a mean over all tokens says nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from cupel.state import Record
from cupel.task import value_places


class Token(NamedTuple):
    """A token of a reply, as a provider tells it.

    Attributes:
        text: What it adds to the reply; half a character is told as �.
        logprob: Its natural log probability.
        alternatives: The log probabilities of the likeliest tokens here, its own included where it is one of them.
        raw: Its bytes, where the provider tells them.
    """

    text: str
    logprob: float
    alternatives: tuple[float, ...] = ()
    raw: bytes | None = None


def value_tokens(
    reply: str, record: Record, tokens: Sequence[Token], *, document: str = ""
) -> dict[str, list[Token]]:
    """The tokens of each field's values, in the reply's order, by the field's name without indexes (`claims/quote`).

    A token that covers a value's first or last character and some of the scaffold belongs to the value. A string without
    characters has no token of its own, and none is counted for it.

    Args:
        reply: What the model said.
        record: What was read from it.
        tokens: Those of the reply, all of them.
        document: The document, as the reader of replies had it.

    Returns:
        Empty where tokens and reply do not fit together, or the record does not stand in the reply.

    >>> tokens = [Token(text, -0.5) for text in ('{"a":', ' "', "gr", "een", '"}')]
    >>> [token.text for token in value_tokens('{"a": "green"}', {"a": "green"}, tokens)["a"]]
    ['gr', 'een']
    """
    aligned = _align(reply, tokens)
    if aligned is None:
        return {}
    bounds, places = aligned
    fields: dict[str, list[Token]] = {}
    for path, (start, end) in value_places(reply, record, document=document).items():
        name = "/".join(str(step) for step in path if isinstance(step, str))
        first, stop = bisect_right(bounds, places[start]) - 1, bisect_left(bounds, places[end])
        if start < end:
            fields.setdefault(name, []).extend(tokens[max(0, first) : stop])
    return fields


def _align(reply: str, tokens: Sequence[Token]) -> tuple[list[int], Sequence[int]] | None:
    """Where each token begins and the last one ends, and where each character of the reply does; None where they differ.

    Counted in characters, else in bytes. Before the reply and after it there may be more: a thought, a mark of the chat
    template.
    """
    texts = [token.text for token in tokens]
    at = "".join(texts).find(reply)
    if at >= 0:
        return [*accumulate(map(len, texts), initial=-at)], range(len(reply) + 1)
    if any(token.raw is None for token in tokens):
        return None
    # a character of several tokens is told as � in each; their bytes make it whole
    whole = b"".join(token.raw or b"" for token in tokens)
    at = whole.find(reply.encode("utf-8", "surrogatepass"))
    if at < 0:
        return None
    bounds = [*accumulate((len(token.raw or b"") for token in tokens), initial=-at)]
    return bounds, [*accumulate((len(char.encode("utf-8", "surrogatepass")) for char in reply), initial=0)]
