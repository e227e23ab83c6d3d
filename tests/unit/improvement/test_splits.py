"""Documents are tuned on or held out by group, for good."""

import pytest

from cupel.errors import NotEnoughDataError
from cupel.improvement.splits import split
from cupel.runs.bench import Document


def documents(groups=60, size=5):
    return [
        Document(doc_id=f"d{group}-{n}", group=f"debate {group}", text=f"Speech {n} of debate {group}.")
        for group in range(groups)
        for n in range(size)
    ]


def test_no_group_is_on_both_sides_and_no_document_is_lost():
    """About seven in ten groups are held out."""
    made = split(documents())
    sides = [{made.groups[doc_id] for doc_id in side} for side in (made.dev, made.held_out)]

    assert not sides[0] & sides[1]
    assert len(made.dev) + len(made.held_out) == 300
    assert 0.5 < len(made.held_out) / 300 < 0.9


def test_the_order_of_documents_does_not_matter():
    """Any order gives the same sides and the same version."""
    assert split(documents()) == split(list(reversed(documents())))


def test_a_document_stays_on_its_side_when_others_come():
    """What was held out is never tuned on later."""
    before, after = split(documents(40)), split(documents(80))

    assert set(before.held_out) <= set(after.held_out)
    assert before.version != after.version


def test_another_salt_holds_out_others():
    """A new salt is for a held-out side that was looked at too often."""
    assert split(documents()).held_out != split(documents(), salt="2").held_out


def test_groups_that_share_a_text_stay_together():
    """The same speech under two debates would be tuned on and held out."""
    twins = [
        Document(doc_id=f"copy{n}", group=f"other {n}", text=f"Speech 0   of DEBATE {n}") for n in range(60)
    ]
    made = split([*documents(), *twins])

    for n in range(60):
        assert (f"copy{n}" in made.dev) == (f"d{n}-0" in made.dev)


@pytest.mark.parametrize("few", [[], documents(1)])
def test_too_few_groups_are_refused(few):
    """One debate cannot be on both sides; the message says how many there are."""
    with pytest.raises(NotEnoughDataError, match=r"documents in [01] group"):
        split(few)
