"""What a graph is given for a row, and what stands for a row that never got through one."""

from cupel.runs.job import NEVER_WALKED, failed_outcome
from tests.unit.runs.stand_in import job_of, row


def test_a_document_names_the_task_of_its_job_and_carries_its_inputs(small):
    """A row with an id keeps it; without one the graph makes it from the text."""
    job = job_of(small)

    assert job.document_input(row(0, "We should.", "a")) == {
        "text": "We should.",
        "meta": {"topic": "a tax"},
        "doc_id": "a",
        "task": "stance",
    }
    assert "doc_id" not in job.document_input(row(0, "We should."))


def test_a_one_off_task_travels_with_the_document(small):
    """A schema and instructions stand in the place of a task's name."""
    job = job_of(small, output_schema={"type": "object"}, instructions="List the towns.")
    document = job.document_input(row(0, "Rome"))

    assert (document["output_schema"], document["instructions"]) == ({"type": "object"}, "List the towns.")
    assert "task" not in document


def test_a_document_that_never_got_through_says_why_and_cost_nothing():
    """Its path tells the next invocation to try again."""
    failed = failed_outcome("stance", row(6), "the cell is empty")

    assert (failed["doc_id"], failed["status"], failed["reasons"]) == (
        "row-6",
        "failed",
        ["the cell is empty"],
    )
    assert (failed["cost_usd"], failed["path"]) == (0.0, NEVER_WALKED)
