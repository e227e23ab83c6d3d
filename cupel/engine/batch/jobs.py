"""Batch jobs at the providers: each is committed before it is sent, followed to its end, and never sent twice."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from cupel.engine.requests import paid_for
from cupel.errors import (
    BadRequestError,
    BatchPendingError,
    CupelError,
    ProviderOutageError,
    ProviderRefusedError,
    RunLogError,
    StopRunError,
    UsageError,
)
from cupel.limits import Patience, RetryPolicy, is_transient, with_retries
from cupel.models import (
    BATCH_SHARE,
    BatchApi,
    BatchState,
    ProviderCallError,
    ReplyCutOffError,
    asked_of,
    request_line,
    result_key,
    result_of,
)
from cupel.runlog import BatchJob, BatchLog, BatchRequest, StoredResponse

T = TypeVar("T")

BATCH_TRIES = 3
"""Jobs that may come back without an answer to a request; then it is sent alone, at the full price."""

SLOWEST_POLL = 6.0
"""The longest wait between two looks, as a multiple of the first."""

_GROWTH = 1.3
_GONE = 404
_POLICY = RetryPolicy(max_attempts=8, attempt_timeout_s=900.0, total_timeout_s=3600.0)


@dataclass(slots=True)
class Results:
    """What a job that has ended answered, and what it did not."""

    answers: list[StoredResponse] = field(default_factory=list)
    again: list[BatchRequest] = field(default_factory=list)
    alone: list[BatchRequest] = field(default_factory=list)
    """Refused as they are, or left unanswered too often: asked one by one, which has the last word."""

    cut_off: list[tuple[BatchRequest, BadRequestError]] = field(default_factory=list)
    """Answered beyond any measure: their documents' problem, and not to be paid again."""

    def miss(self, request: BatchRequest, *, hopeless: bool) -> None:
        """Note a request without an answer."""
        tried = replace(request, tries=request.tries + 1, job_id=None, state="parked")
        (self.alone if hopeless or tried.tries >= BATCH_TRIES else self.again).append(tried)


class Jobs:
    """The jobs of one run.

    Args:
        log: Where each step is committed.
        run_id: The run's name.
        env: Where addresses, keys and prices are.
        poll_s: Before the first look at a job.
        landed: Is given the results of each job, to commit and pass on.
        patience: For how long a provider that is down is waited for.
        stopping: Whether the run is to start nothing more.
    """

    def __init__(
        self,
        log: BatchLog,
        run_id: str,
        env: Mapping[str, str],
        *,
        poll_s: float,
        landed: Callable[[Results], Awaitable[None]],
        patience: Patience,
        stopping: Callable[[], bool],
    ) -> None:
        self._patience, self._stopping = patience, stopping
        self._log, self._run_id, self._env, self._poll_s, self._on_landing = log, run_id, env, poll_s, landed
        self._following: set[asyncio.Task[None]] = set()
        self.open: dict[str, BatchJob] = {}
        self.error: CupelError | None = None
        """What ended the following of a job, such as a refused key."""

    async def resume(self) -> None:
        """Follow what an earlier process left behind."""
        for job in await self._log.open_jobs(self._run_id):
            self._follow(job, resumed=True)

    async def send(self, model: str, requests: Sequence[BatchRequest]) -> None:
        """Commit a job of these requests, then send and follow it."""
        job = BatchJob(job_id=secrets.token_hex(16), run_id=self._run_id, model=model, requests=len(requests))
        await self._log.make_job(job, [request.key for request in requests])
        self._follow(job, resumed=False)

    async def aclose(self) -> None:
        """Follow no longer; the jobs themselves go on."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)

    def _follow(self, job: BatchJob, *, resumed: bool) -> None:
        self.open[job.job_id] = job
        task = asyncio.create_task(self._to_its_end(job, resumed=resumed), name=f"cupel-batch-{job.job_id}")
        self._following.add(task)
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._following.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Note what ends the run; the jobs themselves are none the worse."""
        ends = isinstance(error, StopRunError | ProviderRefusedError | RunLogError | UsageError)
        said = error if isinstance(error, CupelError) else repr(error)
        reason = error if ends else BatchPendingError(f"a batch job could not be followed: {said}")
        self.error = self.error or reason  # type: ignore[assignment]  # `ends` says it is one of ours

    async def join(self, job_id: str) -> bool:
        """Follow a job that another run started; False if there is none to wait for."""
        if job_id in self.open:
            return True
        job = await self._log.job(job_id)
        if job is None or job.batch_id is None or job.state == "ended":
            return False
        if job_id not in self.open:
            self._follow(job, resumed=True)
        return True

    async def _to_its_end(self, job: BatchJob, *, resumed: bool) -> None:
        api = BatchApi(job.model, self._env)
        if job.batch_id is None:
            job = await self._start(api, job, resumed=resumed)
        state = await self._await_end(api, job)
        results = await self._results(api, job, state)
        await self._on_landing(results)
        await self._log.change_job(
            job.job_id, state="ended", problem=None if state and not state.problem else _problem(state)
        )
        del self.open[job.job_id]

    async def _start(self, api: BatchApi, job: BatchJob, *, resumed: bool) -> BatchJob:
        """Upload and start it, each once: what an answer was lost to is looked for before it is done again."""
        file_id = job.file_id
        if file_id is None:
            lines = [request_line(each.key, each.body) for each in await self._log.of_job(job.job_id)]
            file_id = await self._persevere(
                lambda: api.upload(f"cupel-{job.job_id}", "\n".join(lines) + "\n"), job
            )
            await self._log.change_job(job.job_id, state="uploaded", file_id=file_id)
        # A job whose submission was not confirmed may exist all the same, and would be paid twice: from the second try
        # on, or after a restart, the provider is asked for a job on this file before one is made.
        doubtful = resumed

        async def submit() -> BatchState:
            nonlocal doubtful
            earlier = await api.find(file_id, job.job_id) if doubtful else None
            doubtful = True
            return earlier or await api.create(file_id, job.job_id)

        state = await self._persevere(submit, job)
        await self._log.change_job(job.job_id, state="submitted", batch_id=state.batch_id)
        return replace(job, file_id=file_id, batch_id=state.batch_id, state="submitted")

    async def _await_end(self, api: BatchApi, job: BatchJob) -> BatchState | None:
        """Wait for its end, looking less and less often; None if the provider has lost it."""
        wait = self._poll_s
        batch_id = job.batch_id or ""
        while True:
            await asyncio.sleep(wait)
            try:
                state = await self._persevere(lambda: _unless_gone(api, batch_id), job)
            except _GoneError:
                return None
            if state.ended:
                return state
            wait = min(wait * _GROWTH, self._poll_s * SLOWEST_POLL)

    async def _results(self, api: BatchApi, job: BatchJob, state: BatchState | None) -> Results:
        owed = {request.key: request for request in await self._log.of_job(job.job_id)}
        results = Results()
        files = (state.output_file_id, state.error_file_id) if state else ()
        for file_id in filter(None, files):
            await self._persevere(partial(self._read_file, api, file_id, owed, job, results), job)
        for request in owed.values():
            results.miss(request, hopeless=False)
        return results

    async def _read_file(
        self, api: BatchApi, file_id: str, owed: dict[str, BatchRequest], job: BatchJob, results: Results
    ) -> None:
        """Read the answers in a file as they come: what a broken connection left out is read from the next."""
        async with aclosing(api.lines(file_id)) as lines:
            async for line in lines:
                key = result_key(line)
                request = owed.pop(key, None) if key else None
                if request is not None:
                    self._read(line, request, job, results)
                await asyncio.sleep(0)

    def _read(
        self, line: Mapping[str, object], request: BatchRequest, job: BatchJob, results: Results
    ) -> None:
        body = json.loads(request.body)
        try:
            completion = result_of(line, body, model=request.model, latency_s=_since(job.created_at))
        except ReplyCutOffError as error:
            results.cut_off.append((request, BadRequestError(str(error), model=request.model)))
            return
        except ProviderCallError as error:
            results.miss(request, hopeless=not is_transient(error))
            return
        results.answers.append(
            paid_for(request, completion, run_id=request.run_id, env=self._env, share=BATCH_SHARE)
        )

    async def _persevere(self, step: Callable[[], Awaitable[T]], job: BatchJob) -> T:
        """One step of a job, again after what passes, for as long as the run waits for a provider."""
        while True:
            try:
                return await with_retries(
                    lambda _slot: step(),
                    policy=replace(_POLICY, waits_for_circuit=False, max_down_s=self._patience.wait_s),
                    model=job.model,
                    circuit=self._patience.circuits.of(asked_of(job.model)),
                )
            except ProviderOutageError as away:
                if not await self._patience.outlast(
                    [asked_of(job.model)], away, document=job.job_id, stopping=self._stopping
                ):
                    raise


class _GoneError(Exception):
    """The provider does not know the job any more."""


async def _unless_gone(api: BatchApi, batch_id: str) -> BatchState:
    try:
        return await api.state(batch_id)
    except ProviderCallError as error:
        if error.status_code == _GONE:
            raise _GoneError from error
        raise


def _problem(state: BatchState | None) -> str:
    return "the provider does not know this job any more" if state is None else state.problem


def _since(when: str) -> float:
    return max(0.0, round((datetime.now(UTC) - datetime.fromisoformat(when)).total_seconds(), 1))
