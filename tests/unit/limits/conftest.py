"""Virtual time and a leaky provider, so that minutes of pacing are tested in milliseconds."""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

MINUTE, DAY = 60.0, 86_400.0


class JumpingSelector(selectors.SelectSelector):
    """Instead of waiting, moves the clock to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everything waits and no timer is set: this would hang")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps."""

    def __init__(self) -> None:
        self.jumping = JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now


@pytest.fixture
def virtual():
    """Run a coroutine in virtual time: `virtual(main)` calls `main(clock)` and returns its result."""

    def run(main: Callable[[Callable[[], float]], Awaitable[Any]]) -> Any:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(_with_clock(main))

    return run


async def _with_clock(main):
    return await main(asyncio.get_running_loop().time)


class ProviderError(Exception):
    """Shaped like the openai and groq clients' errors."""

    def __init__(self, message: str, status: int, headers: dict[str, str] | None = None, **body: Any) -> None:
        super().__init__(message)
        self.status_code = status
        self.body = {"message": message, **body}
        self.response = type("Response", (), {"headers": headers or {}})()


@dataclass
class Leaky:
    """A leaky bucket on the provider's side."""

    limit: float
    period_s: float
    level: float = 0.0
    at: float = 0.0

    def leak(self, now: float) -> float:
        self.level = max(0.0, self.level - (now - self.at) * self.limit / self.period_s)
        self.at = now
        return self.level

    def wait(self, amount: float, now: float) -> float:
        return max(0.0, (self.leak(now) + amount - self.limit) * self.period_s / self.limit)


@dataclass
class Provider:
    """A provider with leaky limits in one of three header dialects.

    Args:
        clock: The loop's time.
        limits: By kind: rpm, tpm, rpd.
        dialect: openai, groq, openrouter, or silent (no headers, and refusals that name nothing).
        latency_s: From arrival to reply.
        travel_s: From sending to arrival, by request number.
        late_headers: Count for the headers when the reply is written rather than on arrival.
    """

    clock: Callable[[], float]
    limits: dict[str, float]
    dialect: str = "openai"
    latency_s: float = 0.2
    travel_s: Callable[[int], float] = lambda number: 0.01
    late_headers: bool = True
    at_once: float = math.inf
    accepted: list[float] = field(default_factory=list)
    refused: int = 0
    sent: int = 0
    in_flight: int = 0

    def __post_init__(self) -> None:
        periods = {"rpm": MINUTE, "tpm": MINUTE, "rpd": DAY}
        self.buckets = {k: Leaky(v, periods[k], at=self.clock()) for k, v in self.limits.items()}

    async def call(self, *, reserved: float = 0, used: float = 0) -> dict[str, str]:
        """The headers of an answer; raises ProviderError where it is refused."""
        self.sent += 1
        await asyncio.sleep(self.travel_s(self.sent))
        self._admit(reserved)
        shown = self.headers()
        self.accepted.append(self.clock())
        if "tpm" in self.buckets:
            self.buckets["tpm"].level += used - reserved
        self.in_flight += 1
        await asyncio.sleep(self.latency_s)
        self.in_flight -= 1
        return self.headers() if self.late_headers else shown

    def _admit(self, reserved: float) -> None:
        if self.in_flight >= self.at_once:
            self.refused += 1
            raise ProviderError("Too many concurrent requests.", 429, {"retry-after": "1"})
        now = self.clock()
        asked = {kind: reserved if kind == "tpm" else 1.0 for kind in self.buckets}
        waits = {kind: self.buckets[kind].wait(amount, now) for kind, amount in asked.items()}
        kind = max(waits, key=waits.__getitem__, default=None)
        if kind is not None and waits[kind] > 1e-9:
            self.refused += 1
            raise self._refusal(kind, asked[kind], waits[kind])
        for kind, amount in asked.items():
            self.buckets[kind].level += amount

    def _refusal(self, kind: str, amount: float, wait: float) -> ProviderError:
        bucket = self.buckets[kind]
        unit, per = ("tokens" if kind == "tpm" else "requests"), ("day" if kind == "rpd" else "minute")
        text = (
            f"Rate limit reached for model `m` on {unit} per {per} ({kind.upper()}): Limit {bucket.limit:.0f}, "
            f"Used {bucket.level:.0f}, Requested {amount:.0f}. Please try again in {wait:.3f}s."
        )
        return ProviderError(
            "slow down" if self.dialect == "silent" else text,
            429,
            {**self.headers(), "retry-after": str(math.ceil(wait))},
        )

    def headers(self) -> dict[str, str]:
        if self.dialect == "silent":
            return {}
        requests = "rpd" if self.dialect == "groq" and "rpd" in self.buckets else "rpm"
        shown = {}
        for name, kind in (("requests", requests), ("tokens", "tpm")):
            if kind in self.buckets:
                shown |= self._shown(name, self.buckets[kind])
        return shown

    def _shown(self, name: str, bucket: Leaky) -> dict[str, str]:
        left = max(0, int(bucket.limit - bucket.leak(self.clock())))
        reset = bucket.level * bucket.period_s / bucket.limit
        if self.dialect == "openrouter":
            if name == "tokens":
                return {}
            epoch_ms = int((WALL + self.clock() + reset) * 1000)
            return {
                "X-RateLimit-Limit": f"{bucket.limit:.0f}",
                "X-RateLimit-Remaining": str(left),
                "X-RateLimit-Reset": str(epoch_ms),
            }
        return {
            f"x-ratelimit-limit-{name}": f"{bucket.limit:.0f}",
            f"x-ratelimit-remaining-{name}": str(left),
            f"x-ratelimit-reset-{name}": f"{reset:.3f}s" if reset >= 1 else f"{reset * 1000:.0f}ms",
        }


WALL = 1_900_000_000.0


@pytest.fixture
def provider():
    """The simulated provider's class."""
    return Provider


@pytest.fixture
def failure():
    """An error shaped like a provider client's: `failure("message", 503, {"retry-after": "1"})`."""
    return ProviderError


@pytest.fixture
def work():
    """Put so many documents through a limiter and a provider; returns the answers and the seconds."""

    async def run(
        limiter, provider, model, documents, *, concurrency=32, tokens=0, most=0, reserved=0, used=0
    ):
        from cupel.limits.retries import RetryPolicy, with_retries

        answers: list[int] = []
        todo = iter(range(documents))

        async def one(slot):
            headers = await provider.call(reserved=reserved, used=used)
            slot.learn(headers, 200, int(used) or None)

        async def worker():
            for number in todo:
                place = lambda: limiter.slot(model, tokens=tokens, most=most)  # noqa: E731 (as a caller writes it)
                await with_retries(one, policy=RetryPolicy(), model=model, slot=place)
                answers.append(number)

        started = provider.clock()
        await asyncio.gather(*(worker() for _ in range(concurrency)))
        return answers, provider.clock() - started

    return run
