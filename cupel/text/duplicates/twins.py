"""The outcome of a document that repeats another: the other's record, held against this document's own text."""

from __future__ import annotations

from cupel.state import Outcome
from cupel.tables import Row
from cupel.task import TaskSpec
from cupel.text.computed import complete_record
from cupel.text.documents import document_id
from cupel.text.duplicates.index import Twin
from cupel.text.evidence import ground_record
from cupel.text.grounding import is_grounded

PATH = ["duplicate"]
"""A duplicate walks no graph."""


def take_over(original: Outcome, document: Row, twin: Twin, task: TaskSpec) -> Outcome | None:
    """The outcome of a document by that of its twin; None where the document has to be asked itself.

    It cost nothing and says whose record it is. A near-duplicate carries no confidence and no attempts: nothing
    was measured on it, and each of its quotes has been found again in its own text, with its own offsets.

    Args:
        original: Outcome of the document it repeats.
        document: The document itself.
        twin: How it repeats it.
        task: Whose record it is: says where quotes stand, and what code fills in.
    """
    if not isinstance(document.text, str):
        return None
    mine = document.doc_id or document_id(document.text, document.inputs)
    record = original["record"]
    # without a record only where it is the same document in all: it would find the same answers, and list them again
    if twin.exact and (record is not None or mine == original["doc_id"]):
        return _copy(
            original, mine, f"the same text as {_name(original, mine)}: its outcome, not asked again"
        )
    if record is None:
        return None
    evidence = ground_record(record, task.schema, document.text)
    if not all(is_grounded(item["match"]) for item in evidence):
        return None
    said = (
        f"a near-duplicate of {_name(original, mine)} (similarity {twin.similarity:.3f}): its record, every quote "
        "found again in this text; not asked itself"
    )
    return {
        **_copy(original, mine, said),
        "record": complete_record(record, task, evidence, text=document.text, inputs=document.inputs), "evidence": evidence, "confidence": None, "score": None, "calibrated": False,
        "attempts": [], "verdicts": [], "addenda": [], "review": None,
    }  # fmt: skip


def is_taken_over(outcome: Outcome) -> bool:
    """Whether an outcome is that of another row."""
    return outcome["path"] == PATH


def _name(original: Outcome, mine: str) -> str:
    return original["doc_id"] if original["doc_id"] != mine else "an earlier row"


def _copy(original: Outcome, doc_id: str, said: str) -> Outcome:
    return {
        **original,
        "doc_id": doc_id,
        "reasons": [*original["reasons"], said],
        "cost_usd": 0.0,
        "latency_s": 0.0,
        # its calls were made, and paid, for the other document
        "attempts": [{**attempt, "calls": []} for attempt in original["attempts"]],
        "verdicts": [{**verdict, "calls": []} for verdict in original["verdicts"]],
        "addenda": [{**addendum, "calls": []} for addendum in original["addenda"]],
        "path": list(PATH),
    }
