"""What a task wants of its quotes is seen by code: enough words, and no span in two lists."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from cupel.judging.quotes import SAME_SPAN, shared_spans, short_quotes

GROUP = [("claims", "premises")]


def at(path, start, end, quote="we must act"):
    """A quote that stands there; nowhere, without a place."""
    return {"path": path, "quote": quote, "start": start, "end": end}


@pytest.mark.parametrize(
    ("quote", "is_short"),
    [
        ("No", True), ("No!", True), ("«Нет»", True), ("…", True), ("", True), ("it works", False), ("L’Union européenne", False),
        ("增税", False), ("40 %", True),
    ],
)  # fmt: skip
def test_a_quote_of_one_word_is_short_in_any_script(quote, is_short):
    """Punctuation is no word; where words have no spaces between them, a character is one."""
    evidence = [at("/q", 0, 9, quote)]

    assert bool(list(short_quotes(evidence, 2))) == is_short
    assert list(short_quotes(evidence, 0)) == []


@pytest.mark.parametrize(
    ("one", "other", "is_shared"),
    [
        pytest.param(at("/claims/0/quote", 0, 40), at("/premises/0/quote", 0, 40), True, id="the same"),
        pytest.param(at("/claims/0/quote", 0, 40), at("/premises/0/quote", 2, 41), True, id="but for its edges"),
        pytest.param(at("/claims/0/quote", 0, 40), at("/premises/0/quote", 20, 40), False, id="the reason in it"),
        pytest.param(at("/claims/0/quote", 0, 40), at("/premises/0/quote", 40, 80), False, id="the next"),
        pytest.param(at("/claims/0/quote", 0, 40), at("/claims/1/quote", 0, 40), False, id="one list"),
        pytest.param(at("/claims/0/quote", 0, 40), at("/others/1/quote", 0, 40), False, id="a list that may"),
        pytest.param(at("/claims/0/q", None, None, "We act!"), at("/premises/0/q", None, None, "we act"), True, id="nowhere"),
        pytest.param(at("/claims/0/q", None, None, "a b"), at("/premises/0/q", None, None, "a c"), False, id="nowhere, and others"),
    ],
)  # fmt: skip
def test_a_span_of_two_lists_is_named_once(one, other, is_shared):
    """In whichever order they come."""
    for evidence in ([one, other], [other, one]):
        faults = list(shared_spans(evidence, GROUP))

        assert len(faults) == is_shared
        assert all("a span is in one of claims, premises" in fault for fault in faults)
    assert list(shared_spans([one, other], [])) == []


spans = st.tuples(st.sampled_from(["claims", "premises"]), st.integers(0, 30), st.integers(1, 12))


@given(st.lists(spans, max_size=12))
def test_no_shared_span_is_passed_over(told):
    """The sweep over the text finds what holding each against each would find."""
    evidence = [
        at(f"/{name}/{n}/quote", start, start + length) for n, (name, start, length) in enumerate(told)
    ]

    def is_one(a, b):
        shared = min(a["end"], b["end"]) - max(a["start"], b["start"])
        return shared >= SAME_SPAN * (max(a["end"], b["end"]) - min(a["start"], b["start"]))

    pairs = [
        (a, b)
        for n, a in enumerate(evidence)
        for b in evidence[:n]
        if a["path"][:3] != b["path"][:3] and is_one(a, b)
    ]

    assert bool(list(shared_spans(evidence, GROUP))) == bool(pairs)
