"""A run at a deployed server: what is asked there, what is fetched, waited for, given up, and what ends the run."""

from __future__ import annotations

import asyncio
import math

import pytest
import pytest_asyncio

from cupel.context import RunContext
from cupel.errors import (
    BudgetExceededError,
    ProviderDownError,
    ProviderLimitError,
    ProviderRefusedError,
    SettingError,
    TaskError,
)
from cupel.project import Project
from cupel.runs import Job, JointRun, Server, ServerRunner, ask_offer
from cupel.runs.server import documents
from tests.unit.runs.server.stand_in import STANCE, standing_in
from tests.unit.runs.stand_in import rows


@pytest_asyncio.fixture
async def far():
    """A deployed server."""
    async with standing_in() as server:
        yield server


@pytest.fixture
def here(tmp_path):
    """A folder that keeps what came back."""
    return Project(tmp_path, tmp_path / ".cupel")


async def run(far, here, *texts, key="", wait_s=5.0, task="stance", concurrency=4, settings=None, **more):
    """A run of these texts at a server; the runner, closed, and the outcomes."""
    async with Server(far.url, key, wait_s=wait_s) as server:
        offer = await ask_offer(server)
        job = Job(
            task=offer.task(task).spec(),
            context=RunContext(**(settings or {})),
            concurrency=concurrency,
            **more,
        )
        async with ServerRunner(job, server, offer, here, wait_s=wait_s, tell=lambda _: None) as runner:
            outcomes = [outcome async for _, outcome in runner.outcomes(rows(*texts))]
            runner.told = await runner.summary(None)
    return runner, outcomes


async def test_each_row_is_begun_once_and_read_whole(far, here):
    """One request to begin, one to read; records, models, counts and cost are the server's."""
    runner, outcomes = await run(far, here, "a", "b", "c", settings={"judge": "never"})

    assert [one["status"] for one in outcomes] == ["accepted"] * 3
    assert [one["doc_id"] for one in outcomes] == ["d0", "d1", "d2"]
    assert sorted(far.begun) == ["a", "b", "c"]
    assert far.contexts == [{"judge": "never"}] * 3
    assert far.seen["POST /threads"] == 0
    assert runner.told["calls"] == {"openai:small": 3}
    assert runner.told["cost_usd_total"] == pytest.approx(0.003)
    assert far.url in runner.told["notes"][0]


async def test_several_tasks_at_a_server_are_one_run_under_one_cap(here):
    """Each row is a thread for each task; what all of them cost counts against the one cap, also when it is resumed."""
    two = [{**STANCE, "inputs": []}, {**STANCE, "name": "tone", "identity": "def", "inputs": []}]
    async with standing_in(tasks=two) as far:

        async def joint(max_usd, *texts):
            async with Server(far.url, "", wait_s=5.0) as server:
                offer = await ask_offer(server)
                jobs = [
                    Job(
                        task=offer.task(each["name"]).spec(),
                        context=RunContext(),
                        max_usd=max_usd,
                        concurrency=1,
                    )
                    for each in two
                ]
                parts = [ServerRunner(job, server, offer, here, tell=lambda _: None) for job in jobs]
                async with JointRun(parts) as run:
                    run.expect(len(texts))
                    outcomes = [row async for _, row in run.outcomes([rows(*texts)] * 2)]
                    return outcomes, await run.summary(None), run

        outcomes, told, run = await joint(0.0215, "a", "b", "c")
        assert isinstance(run.stop.error, BudgetExceededError)
        assert told["statuses"] == {"accepted": 2, "pending": 4}
        outcomes, told, _ = await joint(1.0, "a", "b", "c")

    assert [[one["status"] for one in row] for row in outcomes] == [["accepted"] * 2] * 3
    assert sorted(far.begun) == sorted("aabbcc")
    assert told["cost_usd_total"] == pytest.approx(0.006)
    assert list(told["tasks"]) == ["stance", "tone"]


async def test_what_is_kept_here_is_not_asked_for_again(far, here):
    """The same command costs no request but the one for the offer."""
    await run(far, here, "a", "b")
    before = sum(far.seen.values())
    runner, outcomes = await run(far, here, "a", "b")

    assert sum(far.seen.values()) == before + 1
    assert runner.progress.reused == len(outcomes) == 2
    assert runner.told["calls"] == {}


async def test_what_the_server_finished_for_a_lost_client_is_fetched(far, here):
    """A run whose client was killed before anything came back: nothing is begun a second time, and it is paid by this run."""
    far.release.clear()
    lost = asyncio.create_task(run(far, here, "a", "b"))
    while len(far.begun) < 2:
        await asyncio.sleep(0.01)
    lost.cancel()
    await asyncio.gather(lost, return_exceptions=True)
    far.release.set()
    runner, outcomes = await run(far, here, "a", "b", "c")

    assert sorted(far.begun) == ["a", "b", "c"]
    assert [one["status"] for one in outcomes] == ["accepted"] * 3
    assert runner.told["account"]["paid"]["calls"] == 3


async def test_a_connection_that_broke_is_no_second_run(far, here):
    """Whether it was begun is looked up first."""
    _, outcomes = await run(far, here, "lost on the way", "b")

    assert [one["status"] for one in outcomes] == ["accepted"] * 2
    assert sorted(far.begun) == ["b", "lost on the way"]


async def test_a_run_that_a_killed_server_forgot_is_begun_anew(far, here, monkeypatch):
    """Its thread stays at work for ever: it is waited for a while, and no longer."""
    monkeypatch.setattr(documents, "_LOST_AFTER_S", 0.05)
    _, outcomes = await run(far, here, "forgotten")

    assert outcomes[0]["status"] == "accepted"
    assert far.begun == ["forgotten"] * 2


async def test_a_server_that_is_away_for_a_moment_is_waited_for(far, here):
    """A gateway's 503, a closed connection, and one that is restarted on its port."""
    far.faults = [503, "close", 502]

    async def restart():
        while not far.begun:
            await asyncio.sleep(0.01)
        await far.close()
        await asyncio.sleep(0.3)
        await far.open(far.port)

    restarting = asyncio.create_task(restart())
    _, outcomes = await run(far, here, *(f"text {number}" for number in range(12)), concurrency=2)
    await restarting

    assert [one["status"] for one in outcomes] == ["accepted"] * 12


async def test_a_server_that_stays_away_ends_the_run_which_goes_on_later(far, here):
    """What was done is kept; the sentence says how long nobody answered."""
    far.faults = [None, *[503] * 200]
    runner, _ = await run(far, here, "a", "b", wait_s=0.4, concurrency=1)
    with pytest.raises(ProviderDownError, match="it answered 503"):
        runner.stop.check()
    far.faults = []
    runner, outcomes = await run(far, here, "a", "b")

    assert [one["status"] for one in outcomes] == ["accepted"] * 2
    assert runner.progress.reused == 1
    assert far.begun.count("a") == 1


async def test_a_limit_is_waited_for_as_long_as_the_server_says(far, here):
    """It is no outage, and nobody is asked in between."""
    far.faults, far.after = [429], {"retry-after": "0.2"}
    _, outcomes = await run(far, here, "a")

    assert outcomes[0]["status"] == "accepted"
    assert far.seen["POST /threads/{thread}/runs/wait"] == 2


async def test_a_limit_that_opens_too_late_ends_the_run_at_once(far, here):
    """The server's own sentence is told, and how to wait longer."""
    far.faults, far.after = [429] * 50, {"retry-after": "30000"}
    runner, outcomes = await run(far, here, "a", "b")

    assert outcomes == [None, None]
    with pytest.raises(ProviderLimitError, match=r"so it is: 429.*--wait") as told:
        runner.stop.check()
    assert told.value.resets_in_s == 30000


async def test_a_wrong_key_ends_it_before_a_row_is_sent(far, here):
    """With a sentence that says where a key goes."""
    with pytest.raises(ProviderRefusedError, match=r"not known here.*CUPEL_SERVER_KEY"):
        await run(far, here, "a", key="wrong")

    assert far.seen["POST /threads/{thread}/runs/wait"] == 0


async def test_what_is_not_for_this_caller_ends_the_run_with_the_servers_sentence(far, here):
    """403 once, and nothing else is sent."""
    far.faults = [403] * 9
    runner, outcomes = await run(far, here, *"abcdef", concurrency=1)

    assert outcomes == [None] * 6
    with pytest.raises(ProviderRefusedError, match="so it is: 403"):
        runner.stop.check()
    assert len(far.faults) == 8


async def test_a_document_the_server_does_not_take_is_that_documents_failure(far, here):
    """Too long, or a graph that fails at it three times: the others are done, and the same command tries these again."""
    _, outcomes = await run(far, here, "a", "too long", "the graph fails here", None, "half \ud800")

    assert [one["status"] for one in outcomes] == ["accepted", *["failed"] * 4]
    said = [one["reasons"][0] for one in outcomes[1:]]
    for reason, word in zip(
        said, ("413", "a fault in a node", "the cell is empty", "surrogate"), strict=True
    ):
        assert word in reason
    assert far.begun.count("the graph fails here") == 3
    runner, _ = await run(far, here, "a", "too long", "the graph fails here", None, "half \ud800")
    assert runner.progress.reused == 1


async def test_a_server_that_takes_none_of_the_first_documents_ends_the_run(far, here):
    """They share what is wrong, and so would the others."""
    far.faults = [422] * 99
    runner, outcomes = await run(far, here, *"abcdefgh", concurrency=1)

    assert [one and one["status"] for one in outcomes[:4]] == ["failed", "failed", None, None]
    with pytest.raises(ProviderRefusedError, match="refused the first 3 documents"):
        runner.stop.check()


async def test_a_cap_sets_aside_what_a_document_may_cost(far, here):
    """$0.004 a document, $0.02 a request: under $0.025 a second one fits once the first is paid, and no third."""
    runner, outcomes = await run(far, here, *(f"dear {n}" for n in range(9)), concurrency=1, max_usd=0.025)

    assert sum(one is not None for one in outcomes) == 2
    with pytest.raises(BudgetExceededError, match="--max-usd"):
        runner.stop.check()
    again, _ = await run(far, here, *(f"dear {n}" for n in range(9)), concurrency=1, max_usd=0.04)
    assert again.told["cost_usd_total"] <= 0.04
    assert again.progress.done > 2


async def test_a_cap_where_nothing_bounds_a_document_is_refused(here):
    """Nobody could say what to set aside."""
    async with standing_in(usd_per_request=None) as far:
        with pytest.raises(SettingError, match="--max-usd-per-document"):
            await run(far, here, "a", max_usd=1.0)
        _, outcomes = await run(far, here, "a", max_usd=1.0, settings={"max_usd_per_document": 0.01})

    assert outcomes[0]["status"] == "accepted"
    assert far.contexts == [{"max_usd_per_document": 0.01}]


async def test_documents_that_failed_are_asked_afresh_on_threads_of_their_own(far, here):
    """`--retry-failed` has the server pay for new replies, for those alone; without it a failure stands."""
    _, outcomes = await run(far, here, "a", "hopeless at first")
    assert [one["status"] for one in outcomes] == ["accepted", "failed"]
    runner, outcomes = await run(far, here, "a", "hopeless at first")
    assert (runner.progress.reused, len(far.begun)) == (2, 2)
    runner, outcomes = await run(far, here, "a", "hopeless at first", retry_failed=True)

    assert [one["status"] for one in outcomes] == ["accepted", "accepted"]
    assert far.begun[2:] == ["hopeless at first"]
    assert far.contexts[2:] == [{"ask_afresh": True}]
    assert len(far.threads) == 3


async def test_other_keys_have_other_threads_and_the_same_run(far, here, tmp_path):
    """Whoever gets a new key goes on with what is kept here; a thread of the old one would be somebody else's."""
    first, _ = await run(far, here, "a", key="one-key-4711")
    second, _ = await run(far, Project(tmp_path, tmp_path / "b"), "a", key="two-key-4711")

    assert first.run_id == second.run_id
    assert len(far.threads) == 2
    assert far.keys >= {"one-key-4711", "two-key-4711"}


async def test_a_run_is_another_one_as_what_decides_at_the_server_changes(far, here):
    """Its task's wording, its models, the settings that are sent; not what it merely says of itself."""
    names = []
    for offer in ({}, {"cupel": "9"}, {"models": {"cheap": "openai:large"}}):
        far.offer |= offer
        names.append((await run(far, here, "a"))[0].run_id)
    far.offer["tasks"] = [{**far.offer["tasks"][0], "identity": "other"}]
    names.append((await run(far, here, "a"))[0].run_id)
    names.append((await run(far, here, "a", settings={"judge": "never"}))[0].run_id)

    assert names[0] == names[1]
    assert len(set(names)) == 4


async def test_what_the_server_does_not_offer_is_refused_with_what_it_does(far, here):
    """A task, an input, a graph: before a row is read."""
    async with Server(far.url) as server:
        offer = await ask_offer(server)
    with pytest.raises(TaskError, match="no task 'arguments' for this key; it has stance"):
        offer.task("arguments")
    with pytest.raises(SettingError, match=r"takes no input 'party' \(inputs: topic\)"):
        offer.task("stance", ["party"])
    with pytest.raises(SettingError, match="it has enrich"):
        await run(far, here, "a", graph="improve")


async def test_an_outcome_that_cannot_be_read_is_that_documents_failure(far, here):
    """What a server of another version leaves out is named by its place."""
    far._finish = lambda thread, body: far.threads[thread].update(
        status="idle", values={"status": "accepted"}
    )
    _, outcomes = await run(far, here, "a")

    assert outcomes[0]["status"] == "failed"
    assert "cannot be read: " in outcomes[0]["reasons"][0]


async def test_a_run_that_is_stopped_waits_for_no_document(far, here):
    """The server goes on with them, and the next invocation fetches them."""
    far.release.clear()
    async with Server(far.url) as server:
        offer = await ask_offer(server)
        job = Job(task=offer.task("stance").spec(), concurrency=2)
        async with ServerRunner(job, server, offer, here, wait_s=math.inf, tell=lambda _: None) as runner:
            walking = asyncio.create_task(collect(runner, rows("a", "b", "c")))
            while len(far.begun) < 2:
                await asyncio.sleep(0.01)
            runner.runtime.calls.stop(60.0)
            outcomes = await walking

    assert outcomes == [None] * 3
    assert runner.stop.interrupted
    far.release.set()
    await run(far, here, "a", "b", "c")
    assert sorted(far.begun) == ["a", "b", "c"]


async def collect(runner, documents):
    """The outcomes of a run."""
    return [outcome async for _, outcome in runner.outcomes(documents)]
