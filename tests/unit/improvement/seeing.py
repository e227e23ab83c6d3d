"""What the run log has of documents that were shown."""

from cupel.runlog import RunLog, tables


def seen_of(run_log: RunLog, task: str) -> dict[str, str]:
    """Hash → how it was first seen, of every document of a task."""
    return {row["doc_hash"]: row["how"] for row in run_log.rows_of(tables.seen_documents, task=task)}
