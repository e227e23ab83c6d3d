"""Where calls wait for a batch: parked, sent when every document waits, and woken with their answers."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from cupel.engine.batch.jobs import Jobs, Results
from cupel.engine.requests import Request
from cupel.engine.run import Run
from cupel.errors import BatchPendingError, CupelError, SettingError
from cupel.limits import Budget, Patience, Reservation
from cupel.models import BATCH_SHARE, MAX_BYTES, MAX_REQUESTS, request_body, takes_batches
from cupel.runlog import BatchLog, BatchRequest, RunLog, StoredResponse

LOOK_S = 0.05
"""Between two looks whether every document waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """How a run uses batch APIs."""

    poll_s: float = 10.0
    """Before the first look at a job; the waits then grow to six times that."""

    documents: int = 2000
    """Walked at once: the most documents of one wave."""


@dataclass(slots=True, eq=False)
class _Caller:
    """One call that waits."""

    request: BatchRequest
    answer: asyncio.Future[StoredResponse | None]
    reservation: Reservation | None = None
    settled: bool = False
    """Nothing more to be done for it before a job is sent or has ended."""


@dataclass(slots=True)
class _Wave:
    """What waits to be sent, and whether anything else is still under way."""

    ready: dict[str, _Caller] = field(default_factory=dict)
    calls: Counter[object] = field(default_factory=Counter)
    """Keys of the calls under way in `Calls.complete`."""

    documents: int = 0
    waiting: Counter[object] = field(default_factory=Counter)
    """Rows with a call under way."""


class Batcher:
    """The seam in `Calls.complete`: requests go to a provider's batch API instead of being sent.

    Args:
        run_log: Where everything is committed before it is sent.
        run: The run whose money and counts these are, and whose jobs.
        parts: The runs that are its parts, where it is of several tasks: what is set aside for them is its own.
        settings: How often to look, and how many documents to walk at once.
        live: Calls at once, for models without a batch API and requests no batch answered.
        stopping: Whether the run is to start nothing more.
        env: Where addresses, keys and prices are.
        patience: For how long a provider that is down is waited for.
    """

    def __init__(
        self,
        run_log: RunLog,
        run: Run,
        settings: BatchSettings,
        *,
        live: int,
        stopping: Callable[[], bool],
        env: Mapping[str, str],
        patience: Patience,
        parts: Sequence[str] = (),
    ) -> None:
        self._log = BatchLog(run_log)
        self._run_ids = [run.run_id, *parts]
        self._run_log, self._run, self._env, self._stopping = run_log, run, env, stopping
        # batches belong to one process, which has their lease
        assert run.budget is None or isinstance(run.budget, Budget)
        self._budget = run.budget
        self._live = asyncio.Semaphore(live)
        self._parked: dict[str, _Caller] = {}
        self._held: dict[str, Reservation] = {}
        self._wave = _Wave()
        self._jobs = Jobs(
            self._log, run.run_id, env, poll_s=settings.poll_s, landed=self._land, patience=patience, stopping=stopping
        )  # fmt: skip
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take up the jobs an earlier process left at the providers."""
        budget = self._budget
        if budget is not None:
            for run_id in self._run_ids:
                for key, usd in (await self._log.held_usd(run_id)).items():
                    self._held[key] = await budget.reserve(usd)
        await self._jobs.resume()
        self._keeper = asyncio.create_task(self._keep(), name="cupel-batches")

    async def aclose(self) -> None:
        """Let nobody wait any more; what is at the providers stays there, and in the run log."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._jobs.aclose()
        self._give_up(BatchPendingError(self._pending()))

    # ---- what the runner and the runtime tell

    @contextmanager
    def document(self) -> Iterator[None]:
        """A document is walked inside."""
        self._wave.documents += 1
        try:
            yield
        finally:
            self._wave.documents -= 1

    @contextmanager
    def call(self, request: Request) -> Iterator[None]:
        """The row this is asked for waits for this call inside."""
        key, row = request.key, _row_of(request)
        self._wave.calls[key] += 1
        self._wave.waiting[row] += 1
        try:
            yield
        finally:
            _one_less(self._wave.calls, key)
            _one_less(self._wave.waiting, row)

    async def ask(
        self,
        request: Request,
        worst_usd: Callable[[], float],
        live: Callable[[], Awaitable[StoredResponse]],
    ) -> StoredResponse:
        """The answer to a request by a batch; sent alone where its model has none, or none answered it.

        Raises:
            BatchPendingError: When the run stops while it waits.
            BudgetExceededError: When the cap has no room for it.
        """
        if not takes_batches(request.model):
            return await self._alone(live)
        parked = self._as_parked(request, worst_usd() * BATCH_SHARE)
        caller = _Caller(parked, asyncio.get_running_loop().create_future())
        self._parked[request.key] = caller
        try:
            if not await self._admit(caller):
                return await self._alone(live)
            answer = await caller.answer
        except BaseException:
            self._release(caller)
            raise
        finally:
            self._parked.pop(request.key, None)
            self._wave.ready.pop(request.key, None)
        if answer is not None:
            return answer
        self._release(caller)
        return await self._alone(live)

    # ---- one call

    def _as_parked(self, request: Request, usd: float) -> BatchRequest:
        body = request_body(
            request.model,
            request.messages,
            schema=request.wire,
            schema_name=request.schema_name,
            settings=request.settings,
            env=self._env,
        )
        written = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace").decode()
        return BatchRequest(
            key=request.key,
            run_id=request.asking.run.run_id,
            model=request.model,
            kind=request.kind,
            doc_id=request.doc_id,
            asked=request.asked,
            body=written,
            usd=usd,
        )

    async def _admit(self, caller: _Caller) -> bool:
        """Have it wait for a job, or for the one it is in already; False if it is to be sent alone."""
        # Four ways in: it was given up as hopeless and is sent alone; its answer came while nobody waited; it is in a job
        # that an earlier process, or another run on this log, has sent; or it is new and takes its place in the wave.
        key = caller.request.key
        logged = await self._log.request(key)
        if logged is not None:
            if logged.state == "live":
                return False
            if logged.state == "answered" and (stored := await self._run_log.response(key)) is not None:
                caller.answer.set_result(stored)
            if logged.state == "sent" and logged.job_id and await self._jobs.join(logged.job_id):
                caller.request, caller.settled = logged, True
                return True
        if caller.answer.done():  # its job landed meanwhile
            return True
        budget = self._budget
        if budget is not None:
            # It counts as waiting while it waits for money: what is set aside for the parked is freed only by their
            # answers, so a wave that waited for this one to be parked would never be sent, and neither ever go on.
            caller.settled = True
            caller.reservation = await budget.reserve(caller.request.usd)
            caller.settled = False
        if logged is not None:
            caller.request = replace(caller.request, tries=logged.tries)
        await self._log.park(caller.request, reserved=budget is not None)
        caller.settled = True
        self._wave.ready[key] = caller
        return True

    async def _alone(self, live: Callable[[], Awaitable[StoredResponse]]) -> StoredResponse:
        async with self._live:
            return await live()

    def _release(self, caller: _Caller) -> None:
        if caller.reservation is not None:
            caller.reservation.settle(0.0)
            caller.reservation = None

    # ---- waves

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if self._stopping():
                self._give_up(BatchPendingError(self._pending()))
            elif self._jobs.error is not None:
                self._give_up(self._jobs.error)
            elif self._wave.ready and self._everyone_waits():
                try:
                    await self._send()
                except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
                    self._jobs.fail(error)

    def _everyone_waits(self) -> bool:
        """Whether no document can go on before a job has ended."""
        # Two questions, for a row may have several calls under way and another row none yet: does every row that is
        # walked have one, and does every call wait for a job or for money rather than for the run log?
        wave, parked = self._wave, self._parked
        if sum(1 for row in wave.waiting if row is not None) < wave.documents:
            return False
        return all(key in parked and parked[key].settled for key in wave.calls)

    async def _send(self) -> None:
        """One job for each model, or a few where the provider's limits make it so."""
        # emptied first: what is parked while the jobs are being committed belongs to the next wave
        ready, self._wave.ready = self._wave.ready, {}
        by_model: dict[str, list[BatchRequest]] = defaultdict(list)
        for caller in ready.values():
            by_model[caller.request.model].append(caller.request)
        for model, requests in by_model.items():
            for some in _portions(requests):
                await self._jobs.send(model, some)

    async def _land(self, results: Results) -> None:
        """A job has ended: commit its answers, wake who waits for them, park the rest again or send it alone."""
        # Committed before anybody is woken: whoever goes on may be killed, and its answer must be there already.
        if results.answers:
            await self._log.save_answers(results.answers)
        for stored in results.answers:
            self._settle(stored)
        for again, live in ((results.again, False), (results.alone, True)):
            if again:
                await self._log.ask_again([request.key for request in again], live=live)
        for request in (*results.again, *results.alone):
            self._put_back(request, live=request in results.alone)
        if results.cut_off:
            await self._log.give_up([request.key for request, _ in results.cut_off])
        for request, error in results.cut_off:
            self._fail(request, error)

    def _settle(self, stored: StoredResponse) -> None:
        caller = self._parked.get(stored.key)
        held = self._held.pop(stored.key, None)
        if caller is not None and caller.reservation is not None:
            held, caller.reservation = caller.reservation, None
        if held is not None:
            held.settle(stored.cost_usd or 0.0)
        self._run.tally.count(stored.model, stored.cost_usd)
        if caller is not None and not caller.answer.done():
            caller.answer.set_result(stored)

    def _fail(self, request: BatchRequest, error: CupelError) -> None:
        """What it was billed nobody can read: what was set aside counts as spent."""
        caller = self._parked.get(request.key)
        held = self._held.pop(request.key, None)
        if caller is not None:
            held, caller.reservation = caller.reservation or held, None
            if not caller.answer.done():
                caller.answer.set_exception(error)
        if held is not None:
            held.settle(request.usd)

    def _put_back(self, request: BatchRequest, *, live: bool) -> None:
        caller = self._parked.get(request.key)
        held = self._held.pop(request.key, None)
        if caller is None:
            if held is not None:
                held.settle(0.0)
        elif live:
            caller.reservation = caller.reservation or held
            if not caller.answer.done():
                caller.answer.set_result(None)
        else:
            caller.reservation = caller.reservation or held
            caller.request = request
            self._wave.ready[request.key] = caller

    def _give_up(self, error: CupelError) -> None:
        for caller in self._parked.values():
            if not caller.answer.done():
                caller.answer.set_exception(error)

    def _pending(self) -> str:
        jobs = len(self._jobs.open)
        at = f"{jobs} batch job{'s' if jobs != 1 else ''} left at the provider"
        return f"stopped with {at}; nothing of it is lost"


async def held_usd(run_log: RunLog, run_id: str) -> float:
    """What is set aside for a run's requests at providers now; `Batcher.open` takes it up again.

    What was set aside for requests that were never sent is freed: their documents park them anew.
    """
    log = BatchLog(run_log)
    await log.forget_unsent(run_id)
    return sum((await log.held_usd(run_id)).values())


def check_batchable(models: Iterable[str]) -> None:
    """See that a run has something to batch.

    Raises:
        SettingError: If no model's provider has a batch API.
    """
    names = sorted({name for name in models if name})
    if not any(takes_batches(name) for name in names):
        raise SettingError(
            f"--batch: none of {', '.join(names) or 'no models'} has a batch API; "
            "openai: and groq: models have one. Choose one with --cheap-model, or leave out --batch"
        )


def _portions(requests: list[BatchRequest]) -> Iterator[list[BatchRequest]]:
    """The requests in as many parts as a provider's limits ask for."""
    part: list[BatchRequest] = []
    size = 0
    for request in requests:
        length = len(request.body.encode()) + 200
        if part and (len(part) >= MAX_REQUESTS or size + length > MAX_BYTES):
            yield part
            part, size = [], 0
        part.append(request)
        size += length
    if part:
        yield part


def _row_of(request: Request) -> tuple[str, int] | None:
    """The row a request waits for: of one run, for several tasks go over the same rows."""
    asking = request.asking
    return None if asking.row is None else (asking.run.run_id, asking.row)


def _one_less(counter: Counter[object], key: object) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
