"""The walks of documents through the graph: bounded, started and handed out in the input's order."""

from __future__ import annotations

import asyncio
import hashlib
import weakref
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING

from cupel.engine import Asking, Ledger, Place, Seat, arrange, ask_as
from cupel.errors import RunLogError
from cupel.limits import ending_of
from cupel.runlog import StoredOutcome, is_forgotten, tombstone_key
from cupel.runs.job import NEVER_WALKED, add_calls, failed_outcome
from cupel.state import Outcome, calls_of
from cupel.tables import Row
from cupel.text import TextIndex, Twin, document_id, take_over

if TYPE_CHECKING:
    from cupel.runs.runner import Runner

_LOOK_S = 0.25

LOOKAHEAD = 8
"""Rows read ahead, as a multiple of the concurrency: how far a slow document may hold back the output."""

LONGEST_LOOKAHEAD = 4096
"""Rows held while documents wait for a provider: those that do not need it go on, as far as memory is no worry."""


class Walks:
    """The walks of one open runner; it names the run, keeps the counts and says when to stop."""

    def __init__(self, runner: Runner) -> None:
        self._runner, self._bundle = runner, runner.bundle

    async def outcomes(self, documents: Iterable[Row]) -> AsyncIterator[tuple[Row, Outcome | None]]:
        """Every document with its outcome, in the input's order; None for those a stopped run did not reach.

        Memory does not grow with the input: at most `LOOKAHEAD` × concurrency rows are held, and
        `LONGEST_LOOKAHEAD` while a provider is waited for.
        """
        at_once, held = self._at_once()
        room = self._runner.room or asyncio.Semaphore(at_once)
        waiting: deque[tuple[Row, asyncio.Task[Outcome | None]]] = deque()
        flying: weakref.WeakValueDictionary[int, asyncio.Task[Outcome | None]] = weakref.WeakValueDictionary()
        job = self._runner.job
        arranged = arrange(
            documents, TextIndex(job.near_duplicates), self._runner.terms, inputs=job.task.required_inputs,
            key=self._runner.outcome_key, trial=job.packing is not None and job.packing.trial is not None,
        )  # fmt: skip
        try:
            for document, twin, place in arranged:
                if twin is None:
                    work = self._guarded(document, place, room)
                else:
                    work = self._repeated(document, twin, flying.get(twin.position), room)
                task = flying[document.position] = asyncio.create_task(work)
                waiting.append((document, task))
                while await self._is_full(waiting, held):
                    yield await _next(waiting)
            while waiting:
                yield await _next(waiting)
            self._judge_first_answers()
        finally:
            for _, task in waiting:
                task.cancel()

    def _judge_first_answers(self) -> None:
        """All of a model's answers refused its schema, though they were too few to end the run before."""
        refusal = self._runner.runtime.calls.first_answers.refusal()
        if refusal is not None and not self._runner.stop.requested:
            self._runner.stop.because_of(refusal)

    def _at_once(self) -> tuple[int, int]:
        """How many documents are walked at once, and how many rows held."""
        job = self._runner.job
        if job.batch is not None:
            return job.batch.documents, job.batch.documents
        return self._runner.concurrency, self._runner.concurrency * LOOKAHEAD

    async def _is_full(self, waiting: deque[tuple[Row, asyncio.Task[Outcome | None]]], held: int) -> bool:
        """Whether the first row has to be handed out before another is read."""
        while len(waiting) >= held:
            first = waiting[0][1]
            if first.done() or len(waiting) >= max(held, LONGEST_LOOKAHEAD):
                return True
            under_way = [first]
            if self._runner.runtime.patience.waiting:
                # what is done waits here for the first row: only what is under way counts
                under_way = [task for _, task in waiting if not task.done()]
                if len(under_way) < held:
                    return False
            await asyncio.wait(under_way, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        return False

    async def _guarded(self, document: Row, place: Place | None, room: asyncio.Semaphore) -> Outcome | None:
        async with Seat(room) as seat:
            if self._runner.stop.requested:
                return None
            try:
                with self._runner.batcher.document() if self._runner.batcher else nullcontext():
                    return await self._one(document, place, seat)
            except Exception as error:
                ends = ending_of(error)
                if ends is None:
                    raise
                self._runner.stop.because_of(ends)
                return None

    async def _repeated(
        self,
        document: Row,
        twin: Twin,
        original: asyncio.Task[Outcome | None] | None,
        room: asyncio.Semaphore,
    ) -> Outcome | None:
        """A row whose text an earlier one has: by that row's outcome, or else asked itself."""
        try:
            if (kept := await self._kept(document)) is not None:
                return kept
            if original is not None:
                outcome = await asyncio.shield(original)
            else:
                outcome = await self._runner.runtime.run_log.outcome_at(self._runner.run_id, twin.position)
            taken = outcome and take_over(outcome, document, twin, self._runner.job.task)
            if taken:
                await self._take_over(document, taken)
                return taken
        except RunLogError as error:
            self._runner.stop.because_of(error)
            return None
        return await self._guarded(document, None, room)

    async def _kept(self, document: Row) -> Outcome | None:
        """What this row took over before, where this run forgot documents: the earlier row may be one of them."""
        if not self._runner.forgotten:
            return None
        stored = await self._runner.runtime.run_log.outcome(self._taken_key(document))
        return await self._reused(document, self._taken_key(document), stored.outcome) if stored else None

    def _taken_key(self, document: Row) -> str:
        return hashlib.sha256(f"{self._runner.outcome_key(document)}\x1fduplicate".encode()).hexdigest()

    async def _take_over(self, document: Row, taken: Outcome) -> None:
        key = self._taken_key(document)
        log = self._runner.runtime.run_log
        stored = await log.outcome(key)
        is_kept = stored is not None and stored.outcome == taken
        if is_kept:
            await log.note_row(self._runner.run_id, document.position, key)
        else:
            await log.save_outcome(
                key, self._runner.run_id, taken, str(document.text), position=document.position,
                tries=stored.tries + 1 if stored else 1, code=self._runner.code, again=stored is not None,
            )  # fmt: skip
        self._runner.progress.duplicates += 1
        self._runner.progress.note(taken, reused=is_kept)

    async def _one(self, document: Row, place: Place | None, seat: Seat) -> Outcome:
        key = self._runner.outcome_key(document)
        log = self._runner.runtime.run_log
        stored = await log.outcome(key)
        buried = tombstone_key(self._runner.run_id, _name(document)) if self._runner.forgotten else ""
        if buried in self._runner.forgotten and (mark := await log.outcome(buried)) is not None:
            return await self._reused(document, buried, mark.outcome)
        if stored is not None and (self._stands(stored) or is_forgotten(stored.outcome)):
            return await self._reused(document, key, stored.outcome)
        # a further try asks for replies of its own; whatever else makes a document be walked again goes by those there are
        retry = 0 if stored is None else stored.tries - (not self._is_asked_anew(stored.outcome))
        ledger = Ledger()
        asking = Asking(
            run=self._runner.run,
            retry=retry,
            place=place,
            bundle=self._bundle,
            row=document.position,
            seat=seat,
            ledger=ledger,
        )
        with ask_as(asking):
            outcome = await self._invoked(document)
        earlier = [call for _, call in calls_of(stored.outcome)] if stored else []
        outcome = add_calls(outcome, [*ledger.calls, *earlier])
        text = document.text if isinstance(document.text, str) else ""
        code = self._code_of(ledger)
        self._runner.progress.undecided += code is None
        await log.save_outcome(
            key, self._runner.run_id, outcome, text, position=document.position, tries=retry + 1,
            code=code, again=stored is not None,
        )  # fmt: skip
        self._runner.progress.note(outcome, reused=False)
        return outcome

    async def _reused(self, document: Row, key: str, outcome: Outcome) -> Outcome:
        await self._runner.runtime.run_log.note_row(self._runner.run_id, document.position, key)
        self._runner.progress.note(outcome, reused=True)
        return {**outcome, "doc_id": _name(document)} if is_forgotten(outcome) else outcome

    def _code_of(self, ledger: Ledger) -> str | None:
        """The code that made an outcome; none for one that may be the run's fault, so that it is walked anew."""
        first = self._runner.runtime.calls.first_answers
        return None if any(map(first.is_undecided, ledger.refused)) else self._runner.code

    def _stands(self, stored: StoredOutcome) -> bool:
        """Whether it is used again: not what a fault of the graph itself left behind, nor what other code made."""
        return (
            stored.code == self._runner.code
            and stored.outcome["path"] != NEVER_WALKED
            and not self._is_asked_anew(stored.outcome)
        )

    def _is_asked_anew(self, stored: Outcome) -> bool:
        """Whether a person wants it tried once more, with new replies where those there are were of no use."""
        return (
            self._runner.job.retry_failed and stored["status"] == "failed" and stored["path"] != NEVER_WALKED
        )

    async def _invoked(self, document: Row) -> Outcome:
        task, tracer = self._runner.job.task, self._runner.runtime.tracer
        if document.problem is not None:
            return failed_outcome(task.name, document, document.problem)
        try:
            with tracer.document(
                task=task.name, doc_id=document.doc_id, run_id=self._runner.run_id, identity=task.identity
            ) as config:
                outcome: Outcome = await self._runner.graph.ainvoke(
                    self._runner.job.document_input(document), config, context=self._runner.job.context
                )
        except Exception as error:  # noqa: BLE001 - a fault in one document's walk is that document's outcome
            ends = ending_of(error)
            if ends is not None:
                raise ends from (None if ends is error else error)
            return failed_outcome(task.name, document, f"the graph failed: {type(error).__name__}: {error}")
        tracer.feedback(config, outcome)
        return outcome


def _name(document: Row) -> str:
    """A document's id, as `prepare` gives it."""
    text = document.text if isinstance(document.text, str) else ""
    return document.doc_id or document_id(text, document.inputs)


async def _next(waiting: deque[tuple[Row, asyncio.Task[Outcome | None]]]) -> tuple[Row, Outcome | None]:
    document, task = waiting[0]
    outcome = await task
    waiting.popleft()
    return document, outcome
