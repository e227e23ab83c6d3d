"""What is to be done to documents, and what stands for one that never got through its graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from cupel.context import RunContext
from cupel.engine import BatchSettings, Bundle, Packing
from cupel.redaction import redact
from cupel.runlog import cost_of
from cupel.runs.purses import Purse
from cupel.state import Call, DocumentInput, Outcome, calls_of
from cupel.tables import Row
from cupel.task import RecordClass, TaskSpec

NEVER_WALKED: list[str] = []
"""Path of a document that never got through its graph; the same command tries it again."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Terms:
    """Within which bounds documents are worked on: declared here for a command, a function, a job and a worker's order.

    Attributes:
        graph: Of langgraph.json.
        concurrency: Documents worked on at once.
        max_usd: Hard cap on what the run may cost, in US dollars; None for none.
        retry_failed: Whether documents that failed before are asked about anew.
        instructions: What to extract, for a one-off task.
        near_duplicates: Similarity from which a document takes over the record of an earlier one; None for equal texts only.
    """

    graph: str = "enrich"
    concurrency: int = 16
    max_usd: float | None = None
    retry_failed: bool = False
    instructions: str = ""
    near_duplicates: float | None = None

    @classmethod
    def shared(cls, other: Terms, *, without: Collection[str] = ()) -> dict[str, Any]:
        """What is the same in another one: the fields of this class, as that one has them."""
        return {each.name: getattr(other, each.name) for each in fields(cls) if each.name not in without}


@dataclass(frozen=True, kw_only=True, eq=False)
class Work(Terms):
    """Terms of documents that have a name and a task's schema.

    Attributes:
        input_name: What the run log calls them.
        output_name: The file they are written to; None for none.
        output_schema: Of a one-off task, as it was given.
        packing: Ask the cheap model about several short documents at once; None for one at a time.
        purse: The run of several tasks this is a part of; None where it is a run of its own.
    """

    input_name: str = "rows"
    output_name: str | None = None
    output_schema: Mapping[str, Any] | None = None
    packing: Packing | None = None
    purse: Purse | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Job(Work):
    """What is to be done to every document, and within which bounds."""

    task: TaskSpec
    context: RunContext = field(default_factory=RunContext)
    record_class: RecordClass | None = None
    """The pydantic class the schema was made of, which a record has to stand as well."""

    bundle: Bundle | None = None
    """The tasks of the run that are asked about in one request, this one among them."""

    batch: BatchSettings | None = None
    """Ask by the providers' batch APIs."""

    def document_input(self, document: Row) -> DocumentInput:
        """What the graph is given; `prepare` judges whatever stands in the text column."""
        document_input = DocumentInput(text=document.text, meta=dict(document.inputs))  # type: ignore[typeddict-item]
        if document.doc_id:
            document_input["doc_id"] = document.doc_id
        if self.output_schema is None:
            document_input["task"] = self.task.name
        else:
            document_input["output_schema"] = dict(self.output_schema)
            document_input["instructions"] = self.instructions
        return document_input


def failed_outcome(task: str, document: Row, reason: str) -> Outcome:
    """The outcome of a document that never got through its graph; the reason may quote any exception.

    What it cost is added by `add_calls`.
    """
    return Outcome(
        doc_id=document.doc_id or f"row-{document.position}", task=task, status="failed", record=None, evidence=[],
        confidence=None, score=None, calibrated=False, model=None, tier=None, prompt_version="", reasons=[redact(reason)],
        cost_usd=0.0, latency_s=0.0, language=None, attempts=[], verdicts=[], addenda=[], review=None,
        path=NEVER_WALKED,
    )  # fmt: skip


def add_calls(outcome: Outcome, paid: Iterable[Call]) -> Outcome:
    """The outcome with all that was paid for its document, whatever its graph lists.

    Args:
        outcome: As the graph left it, or of a graph that failed.
        paid: Every call that was made for the document, in this walk and in those before it.
    """
    listed = [call for _, call in calls_of(outcome)]
    keys = {call["key"] for call in listed}
    others = {call["key"]: call for call in paid if call["key"] not in keys}
    if not others:
        return outcome
    more = list(others.values())
    costs = outcome["cost_usd"], cost_of(more)
    return {
        **outcome,
        "other_calls": [*outcome.get("other_calls", ()), *more],
        "cost_usd": None if None in costs else sum(cost for cost in costs if cost),
        "latency_s": round(outcome["latency_s"] + sum(call["latency_s"] for call in more), 4),
    }
