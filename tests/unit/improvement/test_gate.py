"""A prompt is promoted for being better, not for being lucky."""

import math

import pytest

from cupel.improvement.gate import GateSettings, detection, gate, look_alpha, missing_groups
from cupel.metrics.pairs import Pair, Scored, pair_up


def pairs(fixes=0, breaks=0, same=0, *, group_size=1, slices=None, **new):
    outcomes = [(0, 1)] * fixes + [(1, 0)] * breaks + [(1, 1)] * same
    return [
        Pair(
            doc_id=f"d{at}",
            group=f"g{at // group_size}",
            old=Scored(score=float(before), tokens=1000, usd=0.001),
            new=Scored(score=float(after), **{"tokens": 1000, "usd": 0.001, **new}),
            slices=tuple(slices(at)) if slices else (),
        )
        for at, (before, after) in enumerate(outcomes)
    ]


def test_a_clear_gain_is_promoted():
    """A clear gain is promoted, and the decision has its figures."""
    decided = gate(pairs(30, 8, 162), look=1)

    assert decided.decision == "promote"
    assert decided.gain == pytest.approx(0.11)
    assert decided.interval.low > 0
    assert "30 better, 8 worse of 200" in decided.reasons[0]
    assert decided.p <= decided.alpha == look_alpha(1)


def test_what_one_look_would_promote_a_later_one_does_not():
    """Each look at the same documents spends a part of the chance to be wrong."""
    assert gate(pairs(26, 10, 164), look=1).decision == "promote"
    assert gate(pairs(26, 10, 164), look=3).decision == "inconclusive"


def test_all_looks_together_spend_no_more_than_one():
    """This holds however many looks there are."""
    assert sum(look_alpha(k) for k in range(1, 10_000)) < 0.05
    with pytest.raises(ValueError, match="counted from 1"):
        look_alpha(0)


@pytest.mark.parametrize(("fixes", "breaks"), [(10, 10), (5, 20), (0, 0)])
def test_no_gain_is_rejected(fixes, breaks):
    """A candidate without a gain is rejected, also where nothing changed."""
    decided = gate(pairs(fixes, breaks, 150), look=1)

    assert decided.decision == "reject"
    assert "no gain" in decided.reasons[0]
    assert decided.documents_needed is None


def test_a_gain_that_may_be_luck_is_inconclusive_and_says_what_would_decide():
    """New documents, for nearly the gain seen and at the next look's level."""
    decided = gate(pairs(16, 8, 76), look=1)

    assert decided.decision == "inconclusive"
    assert decided.documents_needed > 200
    assert f"about {decided.documents_needed} new documents" in decided.reasons[1]


def test_too_few_documents_say_what_they_could_detect():
    """Too few documents promote nothing, and say what they could detect."""
    decided = gate(pairs(3, 0, 0), look=1)

    assert decided.decision == "inconclusive"
    assert decided.detectable is None
    assert detection([1, 1]) == "2 documents can show no gain at all"


@pytest.mark.parametrize(
    ("made", "settings", "reason"),
    [
        pytest.param(
            pairs(40, 0, 160, tokens=1201), {}, "+20% tokens a document (1201), allowed are +20%", id="tokens"
        ),
        pytest.param(
            pairs(40, 0, 160),
            {"metric": "judge:big", "dev_metric": "judge:big"},
            "tuned by 'judge:big'",
            id="its own judge",
        ),
    ],
)
def test_a_better_prompt_that_is_worse_elsewhere_is_rejected(made, settings, reason):
    """The gain does not buy it."""
    decided = gate(made, look=1, settings=GateSettings(**settings))

    assert decided.decision == "reject"
    assert reason in decided.reasons[0]


def test_fewer_valid_replies_are_rejected():
    """A better metric on fewer records is no progress."""
    made = pairs(40, 0, 160)
    made[50:60] = [
        Pair(doc_id=p.doc_id, group=p.group, old=p.old, new=Scored(score=1, valid=False, tokens=1000))
        for p in made[50:60]
    ]
    decided = gate(made, look=1)

    assert decided.decision == "reject"
    assert "fewer replies fit the schema: 10 lost, 0 gained of 200" in decided.reasons[0]


def test_one_reply_lost_among_few_is_not_proof_of_harm_but_leaves_it_open():
    """Non-inferiority has to be shown."""
    made = pairs(20, 0, 10)
    made[-1] = Pair(doc_id="x", group="x", old=Scored(score=1), new=Scored(score=1, valid=False))
    decided = gate(made, look=1)

    assert decided.decision == "inconclusive"
    assert "valid replies may have fallen" in decided.reasons[0]


@pytest.mark.parametrize(
    ("start", "decision", "said"),
    [(57, "reject", "slice 'german' lost"), (55, "inconclusive", "hardly luck")],
)
def test_a_slice_that_is_harmed_blocks(start, decision, said):
    """Better on the whole but much worse on the German speeches is no gain, beyond doubt or nearly so."""
    german = range(start, 80)
    decided = gate(pairs(60, 12, 128, slices=lambda at: ["german"] if at in german else ["english"]), look=1)

    assert decided.decision == decision
    assert said in decided.reasons[0]
    assert {change.name: change.n for change in decided.slices} == {
        "english": 200 - len(german),
        "german": len(german),
    }


def test_a_slice_that_had_bad_luck_is_noted():
    """Two of twenty-two lost is told and does not block."""
    decided = gate(pairs(40, 2, 158, slices=lambda at: ["short"] if 40 <= at < 62 else []), look=1)

    assert decided.decision == "promote"
    assert "may be luck" in decided.notes[0]


def test_a_slice_of_too_few_documents_is_not_looked_at():
    """Nineteen say nothing."""
    assert gate(pairs(40, 2, 158, slices=lambda at: ["tiny"] if at < 19 else []), look=1).slices == ()


def test_fixes_that_all_lie_in_one_debate_are_not_many_fixes():
    """Thirty documents of one group are one piece of evidence."""
    assert gate(pairs(30, 0, 170), look=1).decision == "promote"
    assert gate(pairs(30, 0, 170, group_size=30), look=1).decision == "inconclusive"


def test_graded_scores_are_compared_by_group():
    """A small gain everywhere is a gain, though nothing is plainly fixed."""
    made = [
        Pair(
            doc_id=f"d{at}",
            group=f"g{at % 40}",
            old=Scored(score=0.5 + at % 7 / 100),
            new=Scored(score=0.53 + at % 5 / 100),
        )
        for at in range(200)
    ]
    decided = gate(made, look=1)

    assert decided.decision == "promote"
    assert "groups" in decided.test


def test_groups_that_do_not_decide_say_how_many_would():
    """In groups and in documents, from the flips of groups."""
    decided = gate(pairs(18, 8, 74, group_size=2), look=1)

    assert decided.decision == "inconclusive"
    assert decided.documents_needed == 2 * decided.groups_needed > 100
    assert (
        f"about {decided.groups_needed} new groups ({decided.documents_needed} documents)"
        in decided.reasons[1]
    )


@pytest.mark.parametrize(
    ("groups", "look", "missing"), [(0, 1, 6), (4, 1, 2), (6, 1, 0), (6, 2, 2), (9, 3, 0), (12, 20, 2)]
)
def test_groups_that_are_missing_are_counted_by_the_test_that_decides(groups, look, missing):
    """Fewer could not pass were every document better."""
    assert missing_groups(groups, look_alpha(look)) == missing


def test_an_empty_comparison_is_a_mistake():
    """There is nothing to decide on."""
    with pytest.raises(ValueError, match="no documents"):
        gate([], look=1)


def test_runs_are_paired_on_identical_documents():
    """Two runs are paired by document id, with groups and slices."""
    made = pair_up(
        {"b": Scored(score=0), "a": Scored(score=1)},
        {"a": Scored(score=1), "b": Scored(score=1)},
        groups={"a": "g"},
        slices={"b": ["s"]},
    )

    assert [(p.doc_id, p.group, p.before, p.after, p.slices) for p in made] == [
        ("a", "g", 1, 1, ()),
        ("b", "b", 0, 1, ("s",)),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"a": Scored(score=1)}, {"b": Scored(score=1)}, "2 documents were not run with both"),
        ({"a": Scored(score=1)}, {"a": Scored(score=math.nan)}, "'a' has the score nan"),
        ({"a": Scored(score=1.5)}, {"a": Scored(score=1)}, "'a' has the score 1.5"),
    ],
)
def test_runs_that_do_not_match_are_refused(old, new, said):
    """A missing document or a score that is none would bias the comparison."""
    with pytest.raises(ValueError, match=said):
        pair_up(old, new)
