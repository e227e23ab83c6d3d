"""Routers that see only the text learn which kind of document the cheap model fails on."""

from __future__ import annotations

import numpy as np
import pytest

from cupel.errors import InputError, NotEnoughDataError, SettingError
from cupel.routing.rankings import MatrixFactorisation, SimilarityRanking
from cupel.routing.replay import figures, play
from cupel.routing.rows import RunRows
from cupel.routing.text_routers import (
    LogisticRouter,
    NeighbourRouter,
    best_threshold,
    prerouter_from_json,
)


def letters(texts):
    """A small embedding: how often some letters occur."""
    return np.array([[text.count(c) + 0.1 for c in "aeinortp"] for text in texts])


@pytest.mark.parametrize(
    "learner",
    [
        LogisticRouter(),
        LogisticRouter(embed=letters),
        NeighbourRouter(),
        NeighbourRouter(embed=letters),
        SimilarityRanking(),
        SimilarityRanking(embed=letters),
        MatrixFactorisation(),
        MatrixFactorisation(embed=letters),
    ],
    ids=lambda learner: f"{learner.name}{' on embeddings' if learner.embed else ''}",
)
def test_a_router_recovers_more_of_the_gap_than_chance(log, learner):
    """Out of fold a router recovers more than random mixing, which has 0.5."""
    assert figures(play(learner, log), log)["APGR"] > 0.6


@pytest.mark.parametrize("surface", [0.0, 0.3], ids=["words", "words and surface"])
def test_a_stored_prerouter_chooses_as_before(log, surface):
    """Vocabulary, weights and threshold survive JSON."""
    router = LogisticRouter(surface_weight=surface, threshold=0.2).fit(log)
    read = prerouter_from_json(router.to_json())

    assert np.allclose(read.scores(log), router.scores(log))
    by_gain = [log.text[i] for i in np.argsort(router.scores(log))]
    assert (read.choose(by_gain[0]), read.choose(by_gain[-1])) == ("cheap", "strong")


@pytest.mark.parametrize("text", ["", "{}", '{"policy": "threshold", "format": 1}'])
def test_a_foreign_file_is_no_prerouter(text):
    """A file that is something else is refused with a setting error."""
    with pytest.raises(SettingError):
        prerouter_from_json(text)


def test_a_router_that_keeps_its_texts_is_not_stored(log):
    """A neighbour router would write the training texts to disk."""
    with pytest.raises(SettingError, match="cannot be stored"):
        NeighbourRouter().fit(log).to_json()


def test_the_best_threshold_keeps_its_share_of_the_quality(log):
    """As many documents go to the strong model as 95 % of its quality needs."""
    router = LogisticRouter().fit(log)
    scores = router.scores(log)
    best = best_threshold(log, scores)
    mixed = np.where(scores >= best, log.strong, log.weak).mean()

    assert mixed >= 0.95 * log.strong.mean()


def test_without_texts_or_with_too_few_there_is_no_router(log):
    """Each learner says what is missing."""
    bare = RunRows.from_columns(weak=log.weak, strong=log.strong)
    for learner in (LogisticRouter(), NeighbourRouter(), SimilarityRanking(), MatrixFactorisation()):
        with pytest.raises(NotEnoughDataError, match="no texts"):
            learner.fit(bare)
        with pytest.raises(NotEnoughDataError, match="5 texts"):
            learner.fit(log.take(range(5)))


def test_a_model_that_is_always_right_is_one_class_and_no_error(log):
    """The strong head falls back to its base rate."""
    rows = RunRows.from_columns(weak=log.weak, strong=np.ones(len(log)), text=log.text)

    assert np.isfinite(LogisticRouter().fit(rows).scores(rows)).all()


def test_an_embedding_of_the_wrong_shape_is_refused(log):
    """An embedding must give one vector per text."""
    with pytest.raises(InputError, match="one vector each"):
        LogisticRouter(embed=lambda texts: np.zeros(3)).fit(log)
