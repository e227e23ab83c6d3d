"""What a task wants of its quotes beside that they stand in the text: enough words, and no span in two lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from cupel.state import Evidence
from cupel.text import words

SAME_SPAN = 0.8
"""Share of what two quotes cover together from which they are one span: a comma or "I think" more makes no other."""


def short_quotes(evidence: Sequence[Evidence], min_words: int) -> Iterator[str]:
    """Each quote of fewer words than that, in words; of scripts without spaces every character is one.

    Args:
        evidence: Where each quote of the record stands, by its path.
        min_words: What the task wants; 0 for nothing.

    >>> list(short_quotes([{"path": "/q", "quote": "No!"}], 2))
    ["/q: 'No!' is a quote of 1 word, and the task wants at least 2"]
    """
    for entry in evidence if min_words else ():
        pointer, quote = entry["path"], entry["quote"]
        worded = (part for part in quote.split() if part[0].isalnum())
        if next(islice(worded, min_words - 1, None), None) is not None:
            continue  # nearly always, and each such part has a word
        count = len(words(quote))
        if count < min_words:
            said = f"{count} word" if count == 1 else f"{count} words"
            yield f"{pointer}: {quote!r} is a quote of {said}, and the task wants at least {min_words}"


def shared_spans(evidence: Sequence[Evidence], exclusive: Sequence[Sequence[str]]) -> Iterator[str]:
    """Each span that stands in two lists of which it may be in one, in words; named once, by its later place.

    Args:
        evidence: Where each quote of the record stands, by its path.
        exclusive: Groups of top-level lists that exclude each other.

    >>> def at(path, start, end):
    ...     return {"path": path, "quote": "we must act", "start": start, "end": end}
    >>> said_twice = [at("/claims/0/quote", 7, 18), at("/premises/0/quote", 7, 19)]
    >>> list(shared_spans(said_twice, [["claims", "premises"]]))
    ["/premises/0/quote: 'we must act' is in claims too (/claims/0/quote), and a span is in one of claims, premises"]
    """
    for group in exclusive:
        quotes = [entry for entry in evidence if _list_of(entry) in group]
        for first, second in _pairs_of_one_span(quotes):
            yield (
                f"{second['path']}: {second['quote']!r} is in {_list_of(first)} too ({first['path']}), "
                f"and a span is in one of {', '.join(group)}"
            )


def _list_of(entry: Evidence) -> str:
    return entry["path"].split("/")[1]


def _pairs_of_one_span(quotes: Sequence[Evidence]) -> Iterator[tuple[Evidence, Evidence]]:
    """Each quote that is another list's too, with the first such one before it."""
    faulted: set[str] = set()
    placed = [entry for entry in quotes if entry["start"] is not None]
    # in the order of the text, a quote need only be held against those that begin before it ends
    placed.sort(key=lambda entry: entry["start"] or 0)
    for at, first in enumerate(placed):
        for second in placed[at + 1 :]:
            if (second["start"] or 0) >= (first["end"] or 0):
                break
            if _list_of(first) != _list_of(second) and _is_one_span(first, second):
                yield from _once(first, second, faulted)
    by_words: dict[str, Evidence] = {}
    for entry in quotes:  # one that stands nowhere is told by its words alone
        if entry["start"] is None:
            first = by_words.setdefault(" ".join(words(entry["quote"])), entry)
            if _list_of(first) != _list_of(entry):
                yield from _once(first, entry, faulted)


def _once(one: Evidence, other: Evidence, faulted: set[str]) -> Iterator[tuple[Evidence, Evidence]]:
    if other["path"] not in faulted:
        faulted.add(other["path"])
        yield one, other


def _is_one_span(one: Evidence, other: Evidence) -> bool:
    starts, ends = (one["start"] or 0, other["start"] or 0), (one["end"] or 0, other["end"] or 0)
    return min(ends) - max(starts) >= SAME_SPAN * (max(ends) - min(starts))
