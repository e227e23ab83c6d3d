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
    """Seven in ten documents are held out."""
    made = split(documents())
    sides = [{made.groups[doc_id] for doc_id in side} for side in (made.dev, made.held_out)]

    assert not sides[0] & sides[1]
    assert len(made.dev) + len(made.held_out) == 300
    assert len(made.held_out) == 210


def test_the_order_of_documents_does_not_matter():
    """Any order gives the same sides and the same version."""
    assert split(documents()) == split(list(reversed(documents())))


def test_what_was_seen_is_never_held_out_again():
    """Not by more documents, not by another share or salt; nor is anything else of its group."""
    first = split(documents(40))
    for change in ({}, {"held_out": 0.9}, {"held_out": 0.2}, {"salt": "2"}):
        after = split(documents(80), seen=first.dev, **change)
        known = {after.groups[doc_id] for doc_id in first.dev}

        assert not known & {after.groups[doc_id] for doc_id in after.held_out}
        assert sorted([*after.dev, *after.held_out, *after.spent]) == sorted(d.doc_id for d in documents(80))


def test_one_document_shown_takes_its_whole_debate():
    """A prompt may have been made for that debate."""
    made = split(documents(), seen=["d7-3"])

    assert not {f"d7-{n}" for n in range(5)} & set(made.held_out)


def test_after_a_look_new_documents_are_all_for_the_gate():
    """There is enough to tune on: four hundred that come fresh are four hundred held out."""
    old = documents(60)
    made = split(documents(140), seen=[d.doc_id for d in old])

    assert len(made.held_out) == 400
    assert {d.doc_id for d in old} == {*made.dev, *made.spent}


def test_with_little_seen_some_of_what_is_new_is_tuned_on():
    """A hundred documents are wanted for it, or the share that was asked for."""
    made = split(documents(60), seen=["d0-0"])

    assert 85 <= len(made.dev) <= 95


@pytest.mark.parametrize("sizes", [[1] * 24, [2] * 12, [6, 4, 3, 3, 2, 2, 2, 1, 1], [8, 4, 4, 4, 2, 1, 1]])
@pytest.mark.parametrize("salt", [str(n) for n in range(20)])
def test_the_sides_are_as_large_as_asked_whatever_the_hash(sizes, salt):
    """Of 24 documents 17 are held out, give or take what whole groups allow; never 20 and 4."""
    made = split(
        [
            Document(doc_id=f"{group}-{n}", group=f"g{group}", text=f"Speech {n} in {group}.")
            for group, size in enumerate(sizes)
            for n in range(size)
        ],
        salt=salt,
    )

    assert 15 <= len(made.held_out) <= 18


def test_tuning_leaves_the_gate_so_many_groups_as_it_needs():
    """Of seven debates six are held out, where two for tuning would be nearer to the share."""
    assert len({d.split("-")[0] for d in split(documents(7), least_groups=6).held_out}) == 6
    assert len({d.split("-")[0] for d in split(documents(7)).held_out}) == 5


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
