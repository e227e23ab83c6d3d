"""What is made once from objects that are never changed: a schema's closures, a task's prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Values by the identity of what they were made from.

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
