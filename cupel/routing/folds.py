"""Folds by document: rows with one id are never on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cupel.errors import NotEnoughDataError
from cupel.routing.rows import IntArray


def fold_of(doc_id: Sequence[str], *, folds: int = 5, seed: int = 0) -> IntArray:
    """A fold number per row, shape (n,), equal for equal ids; fold sizes differ by at most one id.

    Raises:
        NotEnoughDataError: Fewer different documents than folds.

    >>> sorted(fold_of(["a", "b", "c", "a"], folds=3).tolist()) in ([0, 0, 1, 2], [0, 1, 1, 2], [0, 1, 2, 2])
    True
    """
    unique, inverse = np.unique(np.asarray(doc_id, dtype=str), return_inverse=True)
    if len(unique) < folds:
        raise NotEnoughDataError(
            f"{len(unique)} different documents cannot be put into {folds} folds; give more"
        )
    # by document, not by row: a twin on the other side would be known by heart
    places = np.random.default_rng(seed).permutation(len(unique)) % folds
    return places[inverse].astype(np.int64)
