"""The one place where a model is called: looked up, reserved, limited, sent, retried, committed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cupel.engine.first_answers import FirstAnswers
from cupel.engine.money import Hold
from cupel.engine.requests import Request, Response, paid_for
from cupel.errors import DocumentBudgetError, ModelError, SchemaRefusedError, StoppedError, UnknownPriceError
from cupel.limits import Circuits, Limiter, Patience, RetryPolicy, Slot, with_retries
from cupel.models import Completion, complete, open_connection, price
from cupel.runlog import RunLog, StoredResponse
from cupel.tracing import call_context

if TYPE_CHECKING:
    from cupel.engine.batch.batcher import Batcher

EXPECTED_REPLY_TOKENS = 256
_GRACE_S = 1.0

STOP_WITHIN_S = 20.0
"""How long what is in flight may take to land once a run is asked to stop, unless it is told otherwise."""


class Calls:
    """The model calls of one event loop; the same request in flight twice is sent once.

    Args:
        run_log: Where responses are looked up and kept.
        limiter: Whom to ask before sending.
        env: Environment variables, for prices.
        patience: For how long a run waits for a provider that is down.
    """

    def __init__(
        self, run_log: RunLog, limiter: Limiter, env: Mapping[str, str], patience: Patience | None = None
    ) -> None:
        self.run_log = run_log
        self.limiter = limiter
        self.env = env
        self.patience = patience or Patience(Circuits())
        self.circuits = self.patience.circuits
        self.first_answers = FirstAnswers()
        self.batching: Batcher | None = None
        self.begun = asyncio.Event()
        """Set as the first call goes out: what may wait for it begins then."""

        self._beyond: dict[str, float] = {}
        """By model and address, how many times its highest cost a call was billed, where it was more than once."""

        self._in_flight: dict[str, asyncio.Task[StoredResponse]] = {}
        self.stopped = False
        """Nothing new is sent any more; may be set from any thread, `stop` does the rest."""

        self.dropped = False
        """What was in flight was not waited for."""

        self._unsent: set[asyncio.Task[Any]] = set()
        """Calls that wait for their turn: at the limiter, for money, for a circuit, between two tries."""

        self._sent: set[asyncio.Task[Any]] = set()
        """Calls that are at a provider."""

        self._listeners: list[Callable[[], None]] = []
        self._dropping: asyncio.TimerHandle | None = None

    # ---- stopping

    def stop(self, within_s: float = STOP_WITHIN_S) -> None:
        """Send nothing new: what waits for its turn ends at once, what is at a provider may land.

        Args:
            within_s: Seconds after which what has not landed is dropped.
        """
        self.stopped = True
        if self._dropping is None:
            self._dropping = asyncio.get_running_loop().call_later(within_s, self.drop)
            for listener in self._listeners:
                listener()
        for task in self._unsent:
            task.cancel()

    def drop(self) -> None:
        """Wait no longer for what is in flight; what has come back is committed, or kept in a file."""
        self.dropped = True
        self.run_log.hurry()
        self.stop()
        for task in self._sent:
            task.cancel()

    def on_stop(self, listener: Callable[[], None]) -> None:
        """Have this called in the loop, once, when nothing new is to be sent any more; at once if that is so."""
        self._listeners.append(listener)
        if self.stopped:
            listener()

    @property
    def sent(self) -> int:
        """Calls that are at a provider now."""
        return len(self._sent)

    # ---- asking

    async def complete(self, request: Request) -> Response:
        """The response to a request: from the run log, from the same call in flight, or paid for now.

        Raises:
            ModelError: When the provider gave none; its kind says whether the run goes on.
            StopRunError: When the budget or a daily limit does not allow it, or the run was asked to stop.
            DocumentBudgetError: When this document's own budget does not.
        """
        ledger = request.asking.ledger
        try:
            with self.batching.call(request) if self.batching else nullcontext():
                response = await self._complete(request)
        except ModelError as error:
            if ledger is not None and isinstance(error, SchemaRefusedError):
                ledger.refused.append(request)
            if request.asking.watch is not None:
                request.asking.watch(request.event(error=request.asking.tell(error)))
            raise
        if ledger is not None:
            ledger.calls.append(response.call())
        if request.asking.watch is not None:
            request.asking.watch(request.event(response))
        return response

    async def recall(self, request: Request) -> Response | None:
        """The response to a request that was asked earlier; None where it never was. Nothing is sent."""
        stored = await self.run_log.response(request.key)
        if stored is None:
            return None
        request.asking.run.tally.cache_hits += 1
        response = Response(stored, cached=True)
        if request.asking.watch is not None:
            request.asking.watch(request.event(response))
        return response

    async def _complete(self, request: Request) -> Response:
        tally = request.asking.run.tally
        if self.batching is None and not self.run_log.claims.take(request.key):
            await self._wait_for_another(request)
        stored = await self.run_log.response(request.key)
        if stored is not None:
            self.run_log.claims.give_back(request.key)
            tally.cache_hits += 1
            return _found(request, stored)
        pending = self._in_flight.get(request.key)
        if pending is not None:
            tally.cache_hits += 1
            return _found(request, await asyncio.shield(pending))
        return Response(await self._start(request), cached=False)

    async def _wait_for_another(self, request: Request) -> None:
        """Wait while another run on this run log asks the same: its answer will be there, and paid once.

        Not for longer than a call of ours may take in all: the other may wait for a daily limit, or hang.
        """
        request.asking.run.tally.notes.add(
            "another run on this run log was asking the same: its answers were waited for"
        )
        wait, left = 0.02, request.settings.timeout_s * (request.max_retries + 1)
        while left > 0 and not self.run_log.claims.take(request.key):
            if self.stopped:
                raise StoppedError
            await asyncio.sleep(wait)
            left -= wait
            wait = min(1.5 * wait, 0.5)

    async def _start(self, request: Request) -> StoredResponse:
        context, config = call_context(trace_config(request))
        paying = self._pay(request, config) if self.batching is None else self._ask_in_batch(request, config)
        task = asyncio.create_task(paying, context=context)
        self._in_flight[request.key] = task
        task.add_done_callback(lambda done: self._land(request.key, done))
        return await asyncio.shield(task)  # a paid call is finished and stored even if its caller is gone

    async def _ask_in_batch(self, request: Request, config: Any) -> StoredResponse:
        assert self.batching is not None
        return await self.batching.ask(
            request, lambda: self._worst_cost(request), lambda: self._pay(request, config)
        )

    def _land(self, key: str, task: asyncio.Task[StoredResponse]) -> None:
        self._in_flight.pop(key, None)
        self.run_log.claims.give_back(key)
        if not task.cancelled():
            task.exception()  # seen here, in case nobody waits any more

    async def drain(self) -> None:
        """Wait until every call in flight is answered and stored; whoever is cancelled in this drops them."""
        try:
            if self._in_flight:
                await asyncio.wait(list(self._in_flight.values()))
        except asyncio.CancelledError:
            self.drop()
            raise

    async def _pay(self, request: Request, config: Any) -> StoredResponse:
        run = request.asking.run
        most_usd = self._most_by_price(request)
        self._check_document(request, most_usd)
        settings = request.settings
        task = asyncio.current_task()
        assert task is not None
        run.tally.in_flight += 1
        self._unsent.add(task)
        try:
            if self.stopped:
                raise StoppedError  # the gate of all that is paid; what follows tidies up
            completion, held = await with_retries(
                lambda slot: self._send(request, config, most_usd, slot),
                policy=_policy(
                    request.max_retries,
                    settings.timeout_s,
                    # a run waits elsewhere, for model and fallback together
                    waits_for_circuit=not (request.has_fallback or run.stops),
                    max_down_s=self.patience.wait_s if run.stops else math.inf,
                ),
                model=request.model,
                slot=lambda: self.limiter.slot(
                    request.model,
                    tokens=request.input_tokens + EXPECTED_REPLY_TOKENS,
                    most=request.input_tokens + settings.max_output_tokens,
                    key=request.place,
                ),
                circuit=self.circuits.of(request.asked_of),
            )
        except ModelError as error:
            judged = self.first_answers.judge(request, error)
            if judged is error:
                raise
            raise judged from error
        except asyncio.CancelledError:
            if not self.stopped:
                raise
            # a stop cancels what waits, so that no wait needs to know of it; to whoever asked it is an error as others
            task.uncancel()
            raise StoppedError from None
        finally:
            run.tally.in_flight -= 1
            self._unsent.discard(task)
        self.first_answers.note_answer(request)
        stored = paid_for(request, completion, run_id=run.run_id, env=self.env)
        await held.settle(stored)
        if most_usd > 0:
            # some bill beyond the output limit (reasoning beside it): later calls of the model set as much more aside
            seen = (stored.cost_usd or 0.0) / most_usd
            self._beyond[request.asked_of] = max(seen, self._beyond_of(request))
        run.tally.count(request.model, stored.cost_usd)
        return stored

    def _beyond_of(self, request: Request) -> float:
        return self._beyond.get(request.asked_of, 1.0)

    def _worst_cost(self, request: Request) -> float:
        """The most a call can cost, by its price and by what the model was seen to bill beyond it."""
        most_usd = self._most_by_price(request)
        self._check_document(request, most_usd)
        return most_usd * self._beyond_of(request)

    def _most_by_price(self, request: Request) -> float:
        if request.asking.run.budget is None and request.usd_left is None:
            return 0.0  # nothing to keep within; the table of prices is read when the answer is there
        rates = price(request.model, self.env)
        if rates is None:
            raise UnknownPriceError(
                f"the price of {request.model} is unknown, so a cap cannot be kept; set "
                f'CUPEL_PRICES="{request.model}=IN/OUT" (USD per million tokens), or run without a cap'
            )
        return request.input_tokens * rates.input + request.settings.max_output_tokens * rates.output

    def _check_document(self, request: Request, most_usd: float) -> None:
        worst_usd = most_usd * self._beyond_of(request)
        if request.usd_left is not None and worst_usd > request.usd_left:
            raise DocumentBudgetError(
                f"{request.doc_id}: a {request.kind} call may cost ${worst_usd:.4f}, the document has "
                f"${request.usd_left:.4f} left"
            )

    async def _hold(self, request: Request, most_usd: float) -> Hold:
        """Set aside what the call may cost; more where a model was seen to bill more while it waited for room."""
        run = request.asking.run
        while True:
            beyond = self._beyond_of(request)
            held = await Hold.take(self.run_log, run, most_usd * beyond)
            if self._beyond_of(request) <= beyond:
                return held
            await held.lost(surely_free=True)

    async def _send(
        self, request: Request, config: Any, most_usd: float, slot: Slot | None
    ) -> tuple[Completion, Hold]:
        held = await self._hold(request, most_usd)
        task = asyncio.current_task()
        assert task is not None
        try:
            if not self.begun.is_set():
                await open_connection(request.model, request.settings)
                self.begun.set()
            if self.stopped:
                await held.lost(surely_free=True)
                raise StoppedError  # noqa: TRY301  # set aside and not sent
            self._unsent.discard(task)
            self._sent.add(task)
            completion = await complete(
                request.model,
                request.messages,
                schema=request.wire,
                schema_name=request.schema_name,
                settings=request.settings,
                config=config,
            )
        except StoppedError:
            raise
        except BaseException as error:
            was_refused = getattr(error, "status_code", None) is not None
            surely_free = task not in self._sent or was_refused or getattr(error, "was_sent", True) is False
            self._unsent.add(task)  # another try may follow
            await held.lost(surely_free=surely_free)
            if self.stopped and isinstance(error, Exception):
                raise StoppedError from error  # no other try is made
            raise
        finally:
            self._sent.discard(task)
        if slot is not None:
            slot.learn(completion.headers, 200, completion.input_tokens + completion.output_tokens)
        return completion, held


def _found(request: Request, stored: StoredResponse) -> Response:
    """An answer that was there, or under way, already."""
    elsewhere = (stored.run_id, stored.doc_id) != (request.asking.run.run_id, request.doc_id)
    return Response(stored, cached=True, elsewhere=elsewhere)


@lru_cache(maxsize=32)
def _policy(max_retries: int, timeout_s: float, *, waits_for_circuit: bool, max_down_s: float) -> RetryPolicy:
    # the client's own limit comes first: it knows whether a reply had begun
    attempt_s = timeout_s + _GRACE_S
    return RetryPolicy(
        max_attempts=max_retries + 1,
        attempt_timeout_s=attempt_s,
        total_timeout_s=attempt_s * (max_retries + 1),
        waits_for_circuit=waits_for_circuit,
        max_down_s=max_down_s,
    )


def trace_config(request: Request) -> Any:
    """What a trace says about a call; nothing of the document itself."""
    about = {"doc_id": request.doc_id, "model": request.model, "prompt_version": request.prompt_version}
    return {"run_name": request.kind, "metadata": about}
