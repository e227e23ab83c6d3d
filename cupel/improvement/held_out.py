"""What the gate holds out is withheld: who has seen right and wrong there can prove no change of a prompt on it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from cupel.improvement.ledger import ledger_of


def held_out_of(state: Path, task: str, doc_ids: Collection[str]) -> frozenset[str]:
    """Those of these documents that a campaign of the task holds out.

    Args:
        state: The project's state folder.
        task: The task's name.
        doc_ids: The documents.
    """
    splits = ledger_of(state).entries(task=task, kind="split")
    return frozenset(doc_ids).intersection(*[[name for entry in splits for name in entry.data["held_out"]]])
