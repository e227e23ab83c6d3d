"""What a worker does with an order, in this process."""

from dataclasses import replace

from cupel.runs.cluster.worker import clear, enrich_part, halt
from tests.unit.runs.stand_in import rows


def test_a_part_comes_back_with_its_outcomes_in_order(office):
    """A second part of the same order counts only what is new to it."""
    order = office.order()
    first = enrich_part(order, rows("a", "b", "a"))
    again = enrich_part(order, rows("a", "b"))

    assert [outcome["doc_id"] for outcome in first.outcomes] == ["d0", "d1", "d2"]
    assert (first.duplicates, first.reused, first.trouble) == (1, 0, None)
    assert (again.duplicates, again.reused) == (0, 2)
    assert office.graph.asked == ["a", "b"]


def test_what_ends_the_run_comes_back_as_data(office):
    """The driver raises it; what was finished is in the part."""
    order = office.order(concurrency=1)
    part = enrich_part(order, rows("a", "too dear", "b"))

    assert [outcome and outcome["status"] for outcome in part.outcomes] == ["accepted", None, None]
    assert (part.trouble.kind, part.trouble.exit_code) == ("BudgetExceededError", 3)


def test_after_a_stop_a_worker_opens_the_order_anew(office):
    """The budget may have been raised in the meantime; what is finished is reused."""
    order = office.order(concurrency=1)
    enrich_part(order, rows("a", "too dear"))

    assert enrich_part(order, rows("a")).reused == 1


def test_a_halted_order_starts_nothing_more(office):
    """Its rows come back without outcomes."""
    order = office.order()
    enrich_part(order, rows("a"))
    halt(order.name)

    assert enrich_part(order, rows("b")).outcomes == [None]
    assert office.graph.asked == ["a"]


def test_an_order_that_was_cleared_leaves_others_alone(office):
    """Each has its own run log and loop."""
    first, second = office.order(), office.order(input_name="b")
    enrich_part(first, rows("a"))
    clear(first.name)
    clear("nobody")

    assert enrich_part(second, rows("a")).outcomes[0]["status"] == "accepted"


def test_a_one_off_task_is_made_from_the_order_alone(office):
    """Its schema travels, as no folder holds it."""
    schema = {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}
    part = enrich_part(office.order(output_schema=schema, instructions="Name the town."), rows("a"))

    assert part.outcomes[0]["status"] == "accepted"


def test_a_worker_of_another_version_is_told_so(office):
    """Records of two versions would not be one run."""
    part = enrich_part(replace(office.order(), version="0.0.1"), rows("a"))

    assert part.outcomes == [None]
    assert "install the same" in part.trouble.text


def test_a_worker_that_would_make_other_results_is_told_so(office):
    """Its models differ from the driver's."""
    part = enrich_part(office.order(run_id="another"), rows("a"))

    assert "a worker would make other results" in part.trouble.text


def test_a_worker_without_the_shared_run_log_says_whose_environment_lacks_it(office, monkeypatch):
    """The driver may well have it."""
    monkeypatch.delenv("CUPEL_DATABASE_URL")
    part = enrich_part(office.order(), rows("a"))

    assert "(a worker's environment)" in part.trouble.text
    monkeypatch.setenv("CUPEL_DATABASE_URL", "sqlite://")
