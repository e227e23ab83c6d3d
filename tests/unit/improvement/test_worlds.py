"""The whole way from a rewriter's reply to a decision, in simulated worlds; `benchmarks/gate.py` has the figures."""

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import world


def trial(rewriter, seed=1, **settings):
    return world.try_rewriter(world.World(seed), rewriter, world.Notebook(), random.Random(seed), **settings)


@pytest.mark.parametrize("name", world.HARMFUL)
def test_a_harmful_rewriter_is_never_promoted_and_told_why(name):
    """In none of four worlds is a harmful edit promoted, and the ledger says why."""
    for seed in range(4):
        result = trial(world.HARMFUL[name], seed)

        assert not result.promoted
        assert result.reason


def test_a_rewriter_that_does_nothing_is_hardly_ever_promoted():
    """Four users of ten looks, each at new documents; one in twenty may be lucky."""
    lucky = 0
    for seed in range(4):
        ledger, drawing = world.Notebook(), random.Random(seed)
        places = [world.World(10 * seed + look) for look in range(10)]
        trials = [world.try_rewriter(place, world.null, ledger, drawing) for place in places]
        lucky += any(t.promoted for t in trials)

        assert [t.decision.look for t in trials] == list(range(1, 11))

    assert lucky <= 1


def test_documents_that_were_looked_at_are_not_looked_at_again():
    """Another candidate needs others; the same one is the same look."""
    place, ledger, drawing = world.World(1), world.Notebook(), random.Random(1)
    first = world.try_rewriter(place, world.useful, ledger, drawing)
    second = world.try_rewriter(place, world.useful, ledger, drawing)

    assert first.decision.look == 1
    assert second.decision is None
    assert len(ledger.book.looks) == 1


def test_a_useful_rewriter_is_promoted_more_often_than_not():
    """By its power a useful edit is promoted in eight of ten; here in at least half of twelve worlds."""
    promoted = [trial(world.useful, seed).promoted for seed in range(12)]

    assert sum(promoted) >= 6


def test_a_campaign_started_again_gives_the_same_ledger():
    """Nothing is tried, looked at or written twice."""
    ledgers = []
    for name in ("once", "twice"):
        ledger = world.Notebook()
        for _ in range(2 if name == "twice" else 1):
            drawing = random.Random(5)
            for at in range(4):
                world.try_rewriter(world.World(5 + at), world.null, ledger, drawing)
        ledgers.append(ledger.entries)

    assert ledgers[0] == ledgers[1]
