"""What went wrong in a run of a person's: the raw material of a campaign, beside its own development documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cupel.errors import InputError, UsageError
from cupel.improvement.failure_clusters import Failure
from cupel.improvement.seen import document_hash
from cupel.improvement.versions import version_of
from cupel.runlog import RunLog, find_run, tables
from cupel.task import TaskSpec


@dataclass(frozen=True, slots=True)
class RunFailures:
    """The failures of a run under the prompt as it is.

    Attributes:
        run_id: The run.
        failures: What went wrong, a provider's faults left out.
        texts: Document id → its text, of every document that failed.
    """

    run_id: str
    failures: tuple[Failure, ...]
    texts: Mapping[str, str]

    def without(self, texts: Iterable[str]) -> tuple[Failure, ...]:
        """The failures of documents with other texts than these, whatever the documents are called."""
        withheld = {document_hash(text) for text in texts}
        kept = {doc_id for doc_id, text in self.texts.items() if document_hash(text) not in withheld}
        return tuple(failure for failure in self.failures if failure.doc_id in kept)


def read_run_failures(run_log: RunLog, wanted: str, task: TaskSpec) -> RunFailures:
    """The failures of a run, saved once by it.

    Raises:
        InputError: For no such run, or one of another task.
        UsageError: For a run of another prompt than the one that is to be improved, or without a failure.
    """
    run_id = find_run(run_log, wanted, task.name)["run_id"]
    version = version_of(task)
    rows = [row for row in run_log.rows_of(tables.failures, run_id=run_id) if row["cause"] != "provider"]
    of_prompt = [row for row in rows if row["prompt_version"] == version]
    if not of_prompt:
        others = ", ".join(sorted({row["prompt_version"] for row in rows if row["prompt_version"]}))
        why = (
            f"its failures are of {others}, and the folder is at {version}"
            if others
            else "nothing failed in it"
        )
        raise UsageError(
            f"run {run_id} shows nothing of the prompt of {task.name!r} as it is: {why}; run it anew first"
        )
    failed = {row["doc_id"] for row in of_prompt}
    texts = {o["doc_id"]: text for _, o, text in run_log.run_outcomes(run_id) if o["doc_id"] in failed}
    if lost := failed - {doc_id for doc_id, text in texts.items() if text}:
        raise InputError(f"run {run_id}: the text of {min(lost)!r} is no longer in the run log")
    failures = tuple(Failure.of(row, text=texts[row["doc_id"]]) for row in of_prompt)
    return RunFailures(run_id, failures, texts)
