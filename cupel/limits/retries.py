"""The one retry loop: what is tried again, how long it waits, when it gives up."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeVar

from cupel.errors import CircuitOpenError, ProviderOutageError, SettingError
from cupel.limits.circuit import Circuit
from cupel.limits.classify import asked_wait_s, classify, status_of, text_of, translate
from cupel.limits.slot import Slot

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How often and how long one call is tried.

    Args:
        max_attempts: Tries that end in a failure other than a 429, at least 1.
        max_rejections: 429s before giving up; a paced call meets few.
        attempt_timeout_s: Seconds for one try, without its wait at the limiter.
        total_timeout_s: Seconds for all tries and the waits between them, without the waits at the limiter.
        base_s: The first wait is drawn from 0 to this, the next from 0 to twice it, and so on.
        cap_s: The longest wait drawn.
        waits_for_circuit: Wait for an open circuit within the total, instead of raising for a fallback to take over.
        max_down_s: Try no longer than this once the model's circuit knows of no answer, whoever asked.

    Raises:
        SettingError: If a number is impossible.
    """

    max_attempts: int = 5
    max_rejections: int = 50
    attempt_timeout_s: float = 120.0
    total_timeout_s: float = 600.0
    base_s: float = 0.5
    cap_s: float = 30.0
    waits_for_circuit: bool = True
    max_down_s: float = math.inf

    def __post_init__(self) -> None:
        for name in ("max_attempts", "max_rejections"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name}={getattr(self, name)!r}: at least 1")
        for name in ("attempt_timeout_s", "total_timeout_s", "base_s", "cap_s"):
            if not getattr(self, name) > 0:
                raise SettingError(f"{name}={getattr(self, name)!r}: seconds above 0")


@dataclass(frozen=True, slots=True)
class Retry:
    """One failure that is tried again, for logs and progress.

    Args:
        attempt: Which try failed, from 1.
        error: With what.
        wait_s: Seconds before the next one, without the wait at the limiter.
    """

    attempt: int
    error: BaseException
    wait_s: float


async def with_retries(
    call: Callable[[Slot | None], Awaitable[T]],
    *,
    policy: RetryPolicy,
    model: str = "",
    slot: Callable[[], Slot] | None = None,
    circuit: Circuit | None = None,
    on_retry: Callable[[Retry], None] | None = None,
    uniform: Callable[[float, float], float] = random.uniform,
) -> T:
    """Make one call, again where that may help.

    Args:
        call: Makes the request. It is given its slot, to report headers and tokens to, or `None` without a limiter.
        policy: How often and how long.
        model: The model id, for messages.
        slot: Takes a new slot at the limiter for each try: `lambda: limiter.slot(model, tokens=900)`.
        circuit: The model's circuit.
        on_retry: Told of each failure that is tried again.
        uniform: Draws a number between two others; the waits have full jitter.

    Raises:
        ProviderRefusedError: If the key, the model or the credit is wrong.
        ProviderLimitError: If a daily limit is reached.
        MachineError: If this machine is short of something.
        BadRequestError: If this request will never be answered.
        CircuitOpenError: If the circuit is open and the policy does not wait for it.
        ProviderOutageError: If every try failed.
        Exception: What the call raised, where no provider raised it.
    """
    tries = _Tries(policy, model, uniform)
    while True:
        own_slot = slot() if slot is not None else None
        try:
            async with own_slot or nullcontext():
                return await tries.once(call, own_slot, circuit)
        except Exception as error:  # noqa: BLE001 (raised again below unless it is worth another try)
            failure = error
        wait = tries.wait_after(failure, own_slot, circuit)
        if on_retry is not None:
            on_retry(Retry(tries.count, failure, wait))
        if wait > 0:
            await asyncio.sleep(wait)


class _Tries:
    """What one call has used up of its policy."""

    __slots__ = ("_failures", "_model", "_policy", "_rejections", "_spent_s", "_uniform", "count")

    def __init__(self, policy: RetryPolicy, model: str, uniform: Callable[[float, float], float]) -> None:
        self.count = 0
        self._policy = policy
        self._model = model
        self._uniform = uniform
        self._failures = 0
        self._rejections = 0
        self._spent_s = 0.0

    async def once(
        self, call: Callable[[Slot | None], Awaitable[T]], slot: Slot | None, circuit: Circuit | None
    ) -> T:
        """One try, cut off when its time or the total is up."""
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            if circuit is not None:
                circuit.check()
        except CircuitOpenError:
            if slot is not None:
                slot.take_back()
            raise
        self.count += 1
        try:
            async with asyncio.timeout(min(self._policy.attempt_timeout_s, self._left_s)):
                answer = await call(slot)
        except BaseException as error:
            if circuit is not None:
                circuit.record(error)
            raise
        finally:
            self._spent_s += clock() - started
        if circuit is not None:
            circuit.record()
        return answer

    @property
    def _left_s(self) -> float:
        return self._policy.total_timeout_s - self._spent_s

    def wait_after(self, error: Exception, slot: Slot | None, circuit: Circuit | None) -> float:
        """Seconds to wait before the next try; raises where there is none."""
        if isinstance(error, CircuitOpenError):
            wait = self._wait_for_circuit(error)
        elif classify(error) == "transient":
            wait = self._wait_for_provider(error, slot, circuit)
        else:
            own = translate(error, model=self._model)
            if own is None or own is error:
                raise error
            raise own from error
        self._spent_s += wait
        return wait

    def _wait_for_circuit(self, error: CircuitOpenError) -> float:
        wait = error.retry_in_s + self._uniform(0.1, 1.0)
        if not self._policy.waits_for_circuit or wait >= self._left_s:
            raise error
        return wait

    def _wait_for_provider(self, error: Exception, slot: Slot | None, circuit: Circuit | None) -> float:
        rejected = status_of(error) == 429
        self._rejections += rejected
        self._failures += not rejected
        count = self._rejections if rejected else max(self._failures, 1)
        wait = self._uniform(0.0, min(self._policy.cap_s, self._policy.base_s * 2.0 ** min(count - 1, 20)))
        wait = max(wait, asked_wait_s(error) or 0.0)
        down_s = None if circuit is None else circuit.down_s
        left_s = self._policy.max_down_s - (down_s or 0.0)
        too_long = not rejected and (asked_wait_s(error) or 0.0) > self._policy.max_down_s
        if rejected and slot is not None:
            # the limiter holds everyone on this model back, this call among them
            wait = 0.0
        spent = self._failures >= self._policy.max_attempts or self._rejections >= self._policy.max_rejections
        if spent or too_long or left_s <= 0 or wait >= self._left_s:
            raise self._outage(error) from error
        return min(wait, left_s)

    def _outage(self, error: Exception) -> ProviderOutageError:
        status = status_of(error)
        last = f"{f'{status}: ' if status else ''}{text_of(error)}"[:300]
        return ProviderOutageError(
            f"still failing after {self.count} tries in {self._spent_s:.0f} s, last with {last}",
            model=self._model,
            status=status,
        )
