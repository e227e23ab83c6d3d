"""Two prompts on the same documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What one prompt made of one document.

    Attributes:
        score: The task's metric in [0, 1], the mean where the document was run several times; 1 or 0 for
            right or wrong.
        valid: Whether the reply fitted the schema.
        tokens: Tokens of all its calls.
        usd: Their cost; None where a price is unknown.
    """

    score: float
    valid: bool = True
    tokens: int = 0
    usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One held-out document under the old and the new prompt.

    Attributes:
        doc_id: The document.
        group: Its debate or speaker; its own id where it stands alone.
        old: What the old prompt made of it.
        new: What the new prompt made of it.
        slices: Names of the parts of the data it belongs to, such as `language=de` or `length=long`.
    """

    doc_id: str
    group: str
    old: Scored
    new: Scored
    slices: tuple[str, ...] = ()

    @property
    def before(self) -> float:
        """The old prompt's score."""
        return self.old.score

    @property
    def after(self) -> float:
        """The new prompt's score."""
        return self.new.score


def pair_up(
    old: Mapping[str, Scored],
    new: Mapping[str, Scored],
    *,
    groups: Mapping[str, str] | None = None,
    slices: Mapping[str, Iterable[str]] | None = None,
) -> list[Pair]:
    """Pair the runs of two prompts on identical documents.

    Args:
        old: Document id → run of the old prompt.
        new: Document id → run of the new prompt.
        groups: Document id → group; each its own where left out.
        slices: Document id → names of its slices.

    Raises:
        ValueError: If the documents differ, or a score is no number in [0, 1]; it names them.
    """
    if lone := sorted(old.keys() ^ new.keys()):
        raise ValueError(f"{len(lone)} documents were not run with both prompts, such as {lone[:3]}")
    for doc_id in old:
        for run in (old[doc_id], new[doc_id]):
            # a NaN fails this too
            if not 0 <= run.score <= 1:
                raise ValueError(f"document {doc_id!r} has the score {run.score!r}; scores are in [0, 1]")
    return [
        Pair(
            doc_id=doc_id,
            group=(groups or {}).get(doc_id, doc_id),
            old=old[doc_id],
            new=new[doc_id],
            slices=tuple((slices or {}).get(doc_id, ())),
        )
        for doc_id in sorted(old)
    ]
