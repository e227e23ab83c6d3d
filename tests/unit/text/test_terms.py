"""Lists that an input gives: what is the same to a reader is the same here."""

import unicodedata

from cupel.text.terms import fold, paths_of, values_of


def test_an_accent_is_the_same_however_it_is_written():
    """A file of another system may hold each as two signs."""
    apart = unicodedata.normalize("NFD", "Gesundheit > Ärzte")

    assert fold("gesundheit > ärzte") in paths_of(apart)


def test_one_line_may_be_one_term():
    """An outline of a single point has a comma as other sentences do."""
    assert fold("what it costs, and who pays") in values_of("what it costs, and who pays")
