"""What the gate holds out is withheld: who has seen right and wrong there can prove no change of a prompt on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cupel.improvement.ledger import ledger_of
from cupel.improvement.seen import document_hash, note_seen
from cupel.runlog import RunLog

SPENDS = (
    "--show-held-out shows them, and spends them: a prompt that is changed after that can prove nothing there"
)
SPENT = "held out by the gate, and shown: a prompt that is changed after this can prove nothing there"


def held_out_names(state: Path, task: str) -> frozenset[str]:
    """What campaigns of a task hold out: ids of documents, or hashes of their words.

    Args:
        state: The project's state folder.
        task: The task's name.
    """
    splits = ledger_of(state).entries(task=task, kind="split")
    return frozenset(name for entry in splits for name in entry.data.get("held_out", ()))


def held_out_of(state: Path, task: str, texts: Mapping[str, str]) -> frozenset[str]:
    """Those of these documents that a campaign of the task holds out.

    Args:
        state: The project's state folder.
        task: The task's name.
        texts: Document id → its text.
    """
    named = held_out_names(state, task)
    return frozenset(
        doc_id
        for doc_id, text in texts.items()
        if named and (doc_id in named or document_hash(text) in named)
    )


def showable(
    state: Path, run_log: RunLog, task: str, texts: Mapping[str, str], *, how: str, held_out_too: bool = False
) -> frozenset[str]:
    """The documents that may be shown with right and wrong; they are noted as seen.

    Args:
        state: The project's state folder.
        run_log: Where what is seen is noted.
        task: The task's name.
        texts: Document id → its text.
        how: Where they are shown, in a word.
        held_out_too: Whether somebody asked for those that the gate holds out.
    """
    withheld = frozenset[str]() if held_out_too else held_out_of(state, task, texts)
    shown = frozenset(texts) - withheld
    note_seen(run_log, task, [document_hash(texts[doc_id]) for doc_id in sorted(shown)], how=how)
    return shown
