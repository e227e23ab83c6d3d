"""Python's cycle collector, asked less often while a run goes on.

It walks every object alive to find cycles, and by default as soon as a quarter more are alive than the last time: with
hundreds of documents under way that is several walks a second, a third of a run's processor time, and nothing found.
Almost nothing here is cyclic; reference counting frees the rest at once, collector or not.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (10_000, 20, 50)
"""New objects before the youngest are walked, and how many such walks before the next older ones are."""

_inside: list[tuple[int, int, int]] = []
"""The thresholds found by everyone inside; the first one's are put back when the last has left."""


@contextmanager
def collect_seldom() -> Iterator[None]:
    """Raise the thresholds to `THRESHOLDS` inside; one that is higher already, or a collector switched off, stays."""
    before = gc.get_threshold()
    _inside.append(_inside[0] if _inside else before)
    if before[0]:
        gc.set_threshold(*map(max, before, THRESHOLDS))
    try:
        yield
    finally:
        outside = _inside.pop()
        if not _inside:
            gc.set_threshold(*outside)
