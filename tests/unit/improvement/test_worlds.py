"""The whole way from a rewriter's reply to a decision, in simulated worlds; `benchmarks/gate.py` has the figures."""

import random
import sys
from pathlib import Path

import pytest

from cupel.improvement.ledger import Ledger

sys.path.insert(0, str(Path(__file__).parent))

import world


def trial(tmp_path, rewriter, seed=1, **settings):
    return world.try_rewriter(
        world.World(seed), rewriter, Ledger(tmp_path / f"{seed}.jsonl"), random.Random(seed), **settings
    )


@pytest.mark.parametrize("name", world.HARMFUL)
def test_a_harmful_rewriter_is_never_promoted_and_told_why(name, tmp_path):
    """In none of four worlds is a harmful edit promoted, and the ledger says why."""
    for seed in range(4):
        result = trial(tmp_path, world.HARMFUL[name], seed)

        assert not result.promoted
        assert result.reason


def test_a_rewriter_that_does_nothing_is_hardly_ever_promoted(tmp_path):
    """Four campaigns of ten looks at one held-out version each; one in twenty may be lucky."""
    lucky = 0
    for seed in range(4):
        place, ledger = world.World(seed), Ledger(tmp_path / f"{seed}.jsonl")
        drawing = random.Random(seed)
        trials = [world.try_rewriter(place, world.null, ledger, drawing) for _ in range(10)]
        lucky += any(t.promoted for t in trials)

        assert [t.decision.look for t in trials] == list(range(1, 11))

    assert lucky <= 1


def test_a_useful_rewriter_is_promoted_more_often_than_not(tmp_path):
    """By its power a useful edit is promoted in eight of ten; here in at least half of twelve worlds."""
    promoted = [trial(tmp_path, world.useful, seed).promoted for seed in range(12)]

    assert sum(promoted) >= 6


def test_a_campaign_started_again_gives_the_same_ledger(tmp_path):
    """Nothing is tried, looked at or written twice."""
    ledgers = []
    for name in ("once", "twice"):
        ledger = Ledger(tmp_path / name)
        for _ in range(2 if name == "twice" else 1):
            drawing = random.Random(5)
            for _ in range(4):
                world.try_rewriter(world.World(5), world.null, ledger, drawing)
        ledgers.append(ledger.path.read_bytes())

    assert ledgers[0] == ledgers[1]
