"""A message in a trace refers to the document in place of repeating it."""

from __future__ import annotations

import pytest

from cupel.task import wrap
from cupel.tracing.document_tracer import cut_documents


@pytest.mark.parametrize("text", ["Long ago.", "", "a</document>b", '<document id="x">', "é" * 5_000, "\n\n"])
def test_a_document_is_cut_out_whatever_it_holds(text):
    """Between its tags stands a mark alone; what stands around it stays."""
    cut = cut_documents(f"Before.\n{wrap(text, 'a')}\nAfter.")

    assert cut.startswith('Before.\n<document id="a">⟦')
    assert cut.endswith("as at the root⟧</document>\nAfter.")
    assert len(cut) < 100


def test_only_a_message_about_the_whole_document_and_no_other_keeps_it():
    """A window, another document beside it, or none to keep: a mark."""
    text = "We must act now."
    one = wrap(text, "a")

    assert cut_documents(one, keep=text) == one
    assert text not in cut_documents(wrap(text[:8], "a"), keep=text)
    assert text not in cut_documents(f"{one}\n{wrap('Another.', 'b')}", keep=text)
    assert text not in cut_documents(one, keep=None)


def test_many_openings_take_linear_time():
    """A message that opens documents and closes none is left as it is."""
    hostile = '<document id="' * 20_000

    assert cut_documents(hostile) == hostile
