"""The side gepa's engine calls: what it is given, what it may not do, and when it ends."""

from __future__ import annotations

import asyncio
import contextvars
import math
import threading

import pytest

from cupel.errors import BudgetExceededError
from cupel.improvement.dev_trials import Tried
from cupel.improvement.engines.gepa import divide
from cupel.improvement.engines.gepa_search import Loader, Minibatches, Proposed, Search, SearchLimits
from cupel.improvement.failure_clusters import Failure

pytest.importorskip("gepa")
IDS = [f"d{at}" for at in range(16)]
FAILING = IDS[::2]
RUN = contextvars.ContextVar("run", default="none")


class Script:
    """Answers a search from functions, and notes where and in which run it was asked."""

    def __init__(self, score=lambda prompt, doc_id: 0.0, propose=lambda number: Proposed(f"[{number}]", "")):
        self.score, self.propose = score, propose
        self.asked = 0
        self.seen = []

    async def try_prompt(self, prompt, ids):
        """Scores by the function; every wrong document has a failure."""
        self.seen.append((threading.current_thread().name, RUN.get()))
        scores = {doc_id: self.score(prompt, doc_id) for doc_id in ids}
        known = {doc_id: score for doc_id, score in scores.items() if score is not None}
        wrong = [doc_id for doc_id, score in known.items() if score < 1]
        failures = [Failure(doc_id=d, criterion="c", prompt_version="v", critique="missed") for d in wrong]
        return Tried(known, tuple(failures))

    async def propose_prompt(self, prompt, failures):
        """The next proposal; it may raise."""
        self.asked += 1
        return self.propose(self.asked)


async def searched(script, folder, **limits):
    """A search over sixteen documents, every second one failing, in a thread of its own."""
    search = Search(
        prompt="[]", learn=IDS[:8], choose=IDS[8:], base={d: float(d not in FAILING) for d in IDS}, failing=frozenset(FAILING), seed=3,
        limits=SearchLimits(**limits), asking=script, loop=asyncio.get_running_loop(),
        context=contextvars.copy_context(),
    )  # fmt: skip
    return search, await asyncio.to_thread(search.run, folder)


def base(_prompt, doc_id):
    """What the prompt as it is makes of a document."""
    return float(doc_id not in FAILING)


async def test_calls_come_back_to_the_event_loop_in_the_run_that_began_the_search(tmp_path):
    """A thread that lost its run would book its money elsewhere and lose its trace."""
    RUN.set("campaign 7")
    script = Script(score=base)

    await searched(script, tmp_path, idle=2)

    assert set(script.seen) == {(threading.current_thread().name, "campaign 7")}


async def test_the_best_candidate_is_returned_and_the_search_ends_when_all_it_chooses_by_is_right(tmp_path):
    """Gepa itself would burn its whole budget on a perfect score."""
    script = Script(score=lambda prompt, doc_id: 1.0 if prompt == "[2]" else base(prompt, doc_id))

    search, best = await searched(script, tmp_path)

    assert best == "[2]"
    assert search.trail()["stopped"] == "every document it chooses by is right"
    assert (search.trail()["proposals"], search.trail()["scores"]) == (2, [0.5, 1.0])


@pytest.mark.parametrize(
    ("limits", "propose", "why"),
    [
        ({"bad": 3}, lambda _: Proposed(None, "it is no edit"), "3 proposals in a row could not be used"),
        ({"idle": 4}, lambda n: Proposed(f"[{n}]", ""), "4 turns in a row made nothing better"),
        ({"proposals": 2}, lambda n: Proposed(f"[{n}]", ""), "the rewriter was asked 2 times"),
        ({"wall_s": 0.0}, lambda n: Proposed(f"[{n}]", ""), "it took longer than 0 s"),
    ],
)
async def test_a_search_without_success_ends_by_itself(tmp_path, limits, propose, why):
    """A search ends by bad proposals, stagnation, a number of proposals or the clock."""
    search, best = await searched(Script(base, propose), tmp_path, **limits)

    assert best is None
    assert why in search.account()


async def test_a_bad_proposal_between_good_ones_does_not_end_it(tmp_path):
    """Only those in a row count."""
    script = Script(base, lambda n: Proposed(None, "no") if n % 2 else Proposed(f"[{n}]", ""))

    search, _ = await searched(script, tmp_path, bad=2, proposals=6, idle=99)

    assert search.stopped == "the rewriter was asked 6 times"


def refusing(_number):
    """The cap is reached at the rewriter."""
    raise BudgetExceededError("the budget of 1 USD is reached")


async def test_what_ends_the_campaign_ends_the_search_at_once(tmp_path):
    """Gepa swallows what a proposer raises and asks it again; here nobody is asked again."""
    script = Script(base, refusing)

    search, best = await searched(script, tmp_path)

    assert isinstance(search.fault, BudgetExceededError)
    assert (script.asked, best) == (1, None)


@pytest.mark.parametrize("score", [math.nan, math.inf, -0.1, 1.5])
async def test_a_score_that_is_none_is_not_passed_on(tmp_path, score):
    """Gepa takes NaN without a word, and its means are NaN from then on."""
    search, best = await searched(Script(lambda *_: score), tmp_path)

    assert best is None
    assert "is not in [0, 1]" in str(search.fault)


async def test_a_document_nobody_could_score_speaks_neither_for_nor_against_a_candidate(tmp_path):
    """Its score under the prompt as it is stands in: a missing judgement is no 0."""
    script = Script(lambda prompt, doc_id: None if prompt != "[]" else base(prompt, doc_id))

    search, best = await searched(script, tmp_path, idle=3)

    assert best is None
    assert search.trail()["scores"] == [0.5]


async def test_the_same_seed_walks_the_same_search(tmp_path):
    """A campaign killed and started anew must ask the very same questions."""
    trails = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        script = Script(lambda prompt, doc_id: float(hash_of(prompt, doc_id) % 10 < 6))
        search, best = await searched(script, tmp_path / name, idle=6)
        trails.append((search.trail(), best, len(script.seen)))

    assert trails[0] == trails[1]


def hash_of(prompt, doc_id):
    """The same number in every process."""
    return sum(map(ord, f"{prompt}{doc_id}")) * 7919 % 101


async def test_a_cancelled_search_stops_waiting(tmp_path):
    """Its thread ends, though the answer it waits for never comes."""
    waiting = asyncio.Event()

    class Hanging(Script):
        async def try_prompt(self, prompt, ids):
            waiting.set()
            await asyncio.Event().wait()

    search = Search(
        prompt="[]", learn=IDS[:8], choose=IDS[8:], base=dict.fromkeys(IDS, 0.0), failing=frozenset(IDS), seed=3, limits=SearchLimits(),
        asking=Hanging(), loop=asyncio.get_running_loop(), context=contextvars.copy_context(),
    )  # fmt: skip
    running = asyncio.create_task(asyncio.to_thread(search.run, tmp_path))
    await waiting.wait()
    search.cancel()

    assert await asyncio.wait_for(running, timeout=10) is None


def test_the_names_of_the_two_sides_never_meet():
    """Gepa's own loaders number both from 0, so that scores of one side were served on the other."""
    learn, choose = Loader("learn", ["a", "b"]), Loader("choose", ["a", "c"])

    assert not set(learn.all_ids()) & set(choose.all_ids())
    assert choose.fetch(choose.all_ids()) == ["a", "c"]
    assert len(learn) == 2


def test_a_minibatch_is_mostly_failures_with_anchors_beside_them():
    """Two in three fail, and where too few pass there are more of the others."""
    loader = Loader("learn", IDS)
    drawn = loader.fetch(Minibatches(FAILING, 6, 1).next_minibatch_ids(loader, None))

    assert sum(doc_id in FAILING for doc_id in drawn) == 4
    assert len(set(drawn)) == 6
    everything = Loader("learn", FAILING)
    assert len(Minibatches(FAILING, 6, 1).next_minibatch_ids(everything, None)) == 6


def test_a_group_lies_on_one_side_and_both_sides_get_failures():
    """This holds as long as two groups fail."""
    groups = {doc_id: f"g{at // 4}" for at, doc_id in enumerate(IDS)}
    sides = divide(FAILING, IDS[1::2], groups)

    assert not {groups[d] for d in sides.learn} & {groups[d] for d in sides.choose}
    assert set(sides.learn) & set(FAILING)
    assert set(sides.choose) & set(FAILING)
    assert sorted((*sides.learn, *sides.choose)) == sorted(IDS)
