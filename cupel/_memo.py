"""What is kept in memory: values made once, and how seldom garbage is looked for while a run goes on."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Values by the identity of what they were made from: a schema's closures, a task's prompt.

    For what cannot be hashed, or takes longer to hash than a step may. The objects are held, so that an identity
    stays its own; when there are too many, all are forgotten and made anew.

    Args:
        most: How many values are held.

    >>> lengths = Kept[int]()
    >>> made_from = [1, 2, 3]
    >>> lengths.of((made_from,), "list", make=lambda: len(made_from))
    3
    >>> lengths.of((made_from,), "list", make=lambda: 0)  # already made
    3
    """

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._held: dict[tuple[object, ...], tuple[tuple[object, ...], T]] = {}

    def of(self, parts: tuple[object, ...], *names: str, make: Callable[[], T]) -> T:
        """The value of these very objects and these names, made now if it is not there."""
        key = (*map(id, parts), *names)
        held = self._held.get(key)
        if held is None:
            if len(self._held) >= self._most:
                self._held.clear()
            held = self._held[key] = (parts, make())
        return held[1]


THRESHOLDS = (10_000, 20, 50)
"""New objects before the youngest are walked, and how many such walks before the next older ones are."""

_inside: list[tuple[int, int, int]] = []
"""The thresholds found by everyone inside; the first one's are put back when the last has left."""


@contextmanager
def collect_seldom() -> Iterator[None]:
    """Ask Python's cycle collector less often inside; one asked more seldom already, or switched off, stays as it is.

    It walks every object alive to find cycles, and by default as soon as a quarter more are alive than the last time:
    with hundreds of documents under way that is several walks a second, a third of a run's processor time, and nothing
    found. Almost nothing here is cyclic; reference counting frees the rest at once, collector or not.
    """
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
