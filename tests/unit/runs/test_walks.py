"""Documents on their way through a graph of one step: order, resume, repeats and stops."""

import asyncio

from cupel.engine.run import current_asking
from cupel.errors import BudgetExceededError, MachineError, RunLogError
from cupel.runs.runner import Runner
from tests.unit.runs.stand_in import OneStep, job_of, row, rows

LONG = " ".join(f"We must build home number {n} in town {n + 1}." for n in range(20))


async def walk(project, documents, *, graph=None, **more):
    """Outcomes in the order they came, with the runner and the graph."""
    graph = graph or OneStep()
    async with Runner(job_of(project, **more), project, env={}, graph=graph) as runner:
        return [outcome async for _, outcome in runner.outcomes(documents)], runner, graph


def ids(outcomes):
    """Their documents."""
    return [outcome and outcome["doc_id"] for outcome in outcomes]


async def test_outcomes_come_in_the_order_of_the_rows_however_long_each_takes(small):
    """The first document is the slowest, and is handed out first."""

    class Slow(OneStep):
        async def ainvoke(self, given, config, *, context):
            await asyncio.sleep(0.05 if given["doc_id"] == "d0" else 0)
            return await super().ainvoke(given, config, context=context)

    outcomes, _, graph = await walk(small, rows(*"abcdef"), graph=Slow(), concurrency=2)

    assert ids(outcomes) == ["d0", "d1", "d2", "d3", "d4", "d5"]
    assert graph.asked[0] != "a"


async def test_a_second_invocation_takes_every_outcome_from_the_run_log(small):
    """Nothing finished is walked again."""
    first, *_ = await walk(small, rows("a", "b"))
    again, runner, graph = await walk(small, rows("a", "b"))

    assert again == first
    assert (graph.asked, runner.progress.reused) == ([], 2)


async def test_a_fault_of_the_graph_is_that_documents_outcome_and_is_tried_again(small):
    """Its neighbours are none the worse; the next invocation walks it anew."""
    outcomes, *_ = await walk(small, rows("a", "fails"))
    _, _, graph = await walk(small, rows("a", "fails"))

    assert outcomes[1]["reasons"] == ["the graph failed: ValueError: a fault in a node"]
    assert graph.asked == ["fails"]


async def test_a_failed_document_is_asked_anew_only_when_told_so(small):
    """A record nobody could make is an outcome like any other, until somebody asks again."""
    await walk(small, rows("a", "empty"))
    _, _, kept = await walk(small, rows("a", "empty"))
    _, _, anew = await walk(small, rows("a", "empty"), retry_failed=True)

    assert (kept.asked, anew.asked) == ([], ["empty"])


async def test_a_row_with_a_problem_never_reaches_the_graph(small):
    """Its outcome says what is wrong with the row."""
    outcomes, _, graph = await walk(small, [row(0, "a", "d0", problem="no topic: the cell is empty")])

    assert (outcomes[0]["status"], outcomes[0]["reasons"]) == ("failed", ["no topic: the cell is empty"])
    assert graph.asked == []


async def test_an_error_that_ends_the_run_leaves_the_rows_after_it_without_an_outcome(small):
    """What was finished before keeps its outcome."""
    outcomes, runner, graph = await walk(small, rows("a", "too dear", "b", "c"), concurrency=1)

    assert ids(outcomes) == ["d0", None, None, None]
    assert isinstance(runner.stop.error, BudgetExceededError)
    assert graph.asked == ["a", "too dear"]


async def test_rows_with_the_same_text_are_asked_once(small):
    """The second takes over the first one's outcome while that is still under way, and says so."""
    outcomes, runner, graph = await walk(small, rows("a", "a", "b"))

    assert graph.asked == ["a", "b"]
    assert runner.progress.duplicates == 1
    assert outcomes[1]["reasons"] == ["the same text as d0: its outcome, not asked again"]


async def test_a_repeat_far_behind_its_original_finds_the_outcome_in_the_run_log(small):
    """The original has long been handed out and let go of."""
    texts = ["a", *(f"speech {n}" for n in range(20)), "a"]
    outcomes, runner, graph = await walk(small, rows(*texts), concurrency=1)
    again, resumed, _ = await walk(small, rows(*texts), concurrency=1)

    assert (graph.asked.count("a"), runner.progress.duplicates) == (1, 1)
    assert outcomes[-1]["path"] == ["duplicate"]
    assert again == outcomes
    assert (resumed.progress.reused, resumed.progress.duplicates) == (22, 1)


async def test_a_nearly_equal_text_takes_over_from_the_similarity_asked_for(small):
    """It has no confidence of its own, as nothing was measured on it."""
    texts = (f"{LONG} The first said so.", f"{LONG} The second said so.")
    outcomes, _, graph = await walk(small, rows(*texts), near_duplicates=0.8)

    assert graph.asked == [texts[0]]
    assert "a near-duplicate of d0" in outcomes[1]["reasons"][0]


async def test_a_repeat_of_a_text_without_a_record_is_asked_itself(small):
    """There is nothing to take over."""
    _, runner, graph = await walk(small, rows("empty", "empty"))

    assert graph.asked == ["empty", "empty"]
    assert runner.progress.duplicates == 0


async def test_a_run_log_that_is_gone_ends_the_run(small):
    """Neither the document nor its repeat has an outcome."""

    class Gone(OneStep):
        async def ainvoke(self, given, config, *, context):
            raise RunLogError("the run log is locked")

    outcomes, runner, _ = await walk(small, rows("a", "a"), graph=Gone())

    assert outcomes == [None, None]
    assert isinstance(runner.stop.error, RunLogError)


async def test_documents_given_up_half_way_leave_nothing_under_way(small):
    """Whoever stops iterating cancels the walks that were started ahead."""
    graph = OneStep()
    async with Runner(job_of(small, concurrency=1), small, env={}, graph=graph) as runner:
        walks = runner.outcomes(rows(*(f"speech {n}" for n in range(30))))
        first = await anext(walks)
        await walks.aclose()

    assert first[0].doc_id == "d0"
    assert len(graph.asked) < 30


async def test_what_the_machine_is_short_of_ends_the_run_wherever_it_was_met(small):
    """In a node of the graph, wrapped as a library wrapped it: no row is failed for it."""

    class Short(OneStep):
        async def ainvoke(self, given, config, *, context):
            if given["text"] == "b":
                raise ValueError("the node failed") from OSError(24, "Too many open files")
            return await super().ainvoke(given, config, context=context)

    outcomes, runner, _ = await walk(small, rows("a", "b", "c"), graph=Short(), concurrency=1)

    assert ids(outcomes) == ["d0", None, None]
    assert isinstance(runner.stop.error, MachineError)


async def test_fewer_documents_are_worked_on_where_fewer_connections_are_allowed(small, monkeypatch):
    """The run says so, and goes on."""
    monkeypatch.setattr("cupel.runs.runner.connections_at_once", lambda: 5)

    outcomes, runner, _ = await walk(small, rows(*"abcdefgh"), concurrency=64)

    assert len(outcomes) == 8
    assert runner.concurrency == 5
    assert [
        note for note in runner.tally.notes if "5 documents were worked on at once in place of 64" in note
    ]


async def test_a_row_that_is_asked_anew_gets_replies_of_its_own_and_one_the_graph_lost_does_not(small):
    """A fault of the graph is no reason to pay again: the same replies are found."""
    seen = []

    class Watching(OneStep):
        async def ainvoke(self, given, config, *, context):
            seen.append((given["text"], current_asking().retry))
            return await super().ainvoke(given, config, context=context)

    for _ in range(3):
        await walk(small, rows("fails", "empty"), graph=Watching(), concurrency=1, retry_failed=True)

    assert seen == [("fails", 0), ("empty", 0), ("fails", 0), ("empty", 1), ("fails", 0), ("empty", 2)]
