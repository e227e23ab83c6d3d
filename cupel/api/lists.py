"""Several things as one list: shown as a table in a notebook, and ready to be one elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from cupel._format import html_of

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


class Listing(list[T]):
    """A list that says itself as JSON and as a table.

    Attributes:
        more: How many there are beside these.
    """

    def __init__(self, items: Iterable[T] = (), *, more: int = 0) -> None:
        super().__init__(items)
        self.more = more

    @classmethod
    def first(cls, items: list[T], limit: int | None) -> Listing[T]:
        """The first so many of a list; all where None.

        >>> Listing.first([1, 2, 3], 2), Listing.first([1, 2, 3], 2).more
        ([1, 2], 1)
        """
        kept = items[:limit]
        return cls(kept, more=len(items) - len(kept))

    def to_json(self) -> list[Any]:
        """Each as plain JSON: what the command's `--json` prints."""
        return [each.to_json() if hasattr(each, "to_json") else each for each in self]

    def to_frame(self) -> pd.DataFrame:
        """A row for each."""
        import pandas as pd

        return pd.DataFrame(self.to_json())

    def _repr_html_(self) -> str:
        more = f"<p>{self.more:,} more</p>" if self.more else ""
        return html_of(self.to_json()) + more
