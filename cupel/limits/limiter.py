"""The limiter of a process: one gate per provider, key and model, open at once where no limit is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from cupel.errors import SettingError
from cupel.limits.buckets import Kind, Limits
from cupel.limits.classify import headers_of, status_of, text_of
from cupel.limits.gauge import Gauge
from cupel.limits.lane import Lane
from cupel.limits.shared_gate import SharedGate
from cupel.limits.ticket import Ticket

_UNLIMITED = ("local", "offline", "recorded")


@dataclass(frozen=True, slots=True)
class LaneReport:
    """What one gate has let through so far.

    Args:
        model: The model id.
        requests: Calls sent.
        rejected: Of these, answered with a 429.
        waited_s: Seconds all calls together waited for their turn.
        limits: The limits in force, set or learnt.
    """

    model: str
    requests: int
    rejected: int
    waited_s: float
    limits: dict[Kind, float]


class Slot(Ticket):
    """One call's place at the gate; `async with` it, and tell it what came back.

    Leaving it on an exception that carries a response (`.response.headers`, `.status_code`) learns from that.
    """

    __slots__ = ("_lane", "_status")

    def __init__(self, lane: Lane, tokens: float, most: float = 0.0) -> None:
        super().__init__(tokens, most)
        self._lane = lane
        self._status = 0

    @property
    def waits_for_daily_limits(self) -> bool:
        """Whether a daily limit is waited for instead of ending the run."""
        return self._lane.gauge.patient

    async def __aenter__(self) -> Self:
        await self._lane.enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._learn_from(error)
        finally:
            self._lane.leave(self)

    def learn(
        self, headers: Mapping[str, str], status: int, used_tokens: int | None = None, *, text: str = ""
    ) -> None:
        """Take in a reply: its limits, whether it was refused, what it really used.

        Args:
            headers: Of any dialect or none; a plain dict may have names in any case.
            status: The HTTP status.
            used_tokens: Tokens that count against the limit; `None` where the reply does not say.
            text: The message of a refusal, which names the limit and the wait more exactly than the headers.
        """
        self._status = status
        if type(headers) is dict:
            headers = {name.lower(): value for name, value in headers.items()}
        self._lane.learn(self, headers, status, used_tokens, text)

    def unsent(self) -> None:
        """The call was not made after all: nothing is counted for it."""
        self._lane.unsent(self)

    def _learn_from(self, error: BaseException) -> None:
        status = status_of(error)
        # an error inside a reply with status 200 comes after the reply was learnt from
        if status is not None and self._status in {0, 200}:
            self.learn(headers_of(error), status, text=text_of(error))


class Limiter:
    """Paces the calls of one process and event loop.

    Args:
        limits: What a person allows, by model id, by provider (`groq`) or for all (`*`); the closest name wins.
        wait: Wait for a daily limit to open instead of raising `ProviderLimitError`.
        pilot: Let the first call of each model go alone until its reply, or two seconds, have passed: the limits
            it shows spare the others a collision. Never for `local:`, `offline:` and `recorded:` models.
        shared: The gate that several processes share, where they do.
        monotonic: The clock of all waiting.
        wall: Epoch seconds, for resets that a provider gives as a point in time.

    Raises:
        SettingError: If a limit is not a `Limits`.
    """

    def __init__(
        self,
        *,
        limits: Mapping[str, Limits] | None = None,
        wait: bool = False,
        pilot: bool = True,
        shared: SharedGate | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._limits = dict(limits or {})
        for name, value in self._limits.items():
            if not isinstance(value, Limits):
                raise SettingError(
                    f"limits of {name}: {value!r} is not a Limits; build it with Limits.of(...)"
                )
        self._wait = wait
        self._pilot = pilot
        self._shared = shared
        self._monotonic = monotonic
        self._wall = wall
        self._lanes: dict[tuple[str, str], Lane] = {}

    def slot(self, model_id: str, *, tokens: float = 0, most: float = 0, key: str = "") -> Slot:
        """A place for one call; `async with` waits until it may be sent.

        Args:
            model_id: `provider:model`.
            tokens: What the call will use: the prompt's tokens plus those of the reply, as far as known.
            most: The prompt's tokens plus the whole output limit: what some providers count before they answer,
                which the first refusal shows. 0 where nobody knows.
            key: The fingerprint of the API key, where a process uses several.

        Raises:
            ProviderLimitError: On entering, if a daily limit is reached and nobody wants to wait for it.
        """
        lane = self._lanes.get((model_id, key))
        return Slot(lane if lane is not None else self._open(model_id, key), tokens, most)

    def _open(self, model_id: str, key: str) -> Lane:
        provider = model_id.partition(":")[0]
        named = [self._limits[name] for name in (model_id, provider, "*") if name in self._limits]
        gauge = Gauge(
            model_id,
            limits=named[0] if named else Limits(),
            patient=self._wait,
            pilot=self._pilot and provider not in _UNLIMITED,
            shared=self._shared is not None,
            now=self._monotonic(),
        )
        lane = self._lanes[model_id, key] = Lane(
            gauge,
            monotonic=self._monotonic,
            wall=self._wall,
            name=f"{key}@{model_id}",
            shared=self._shared,
        )
        return lane

    def count_earlier(self, model_id: str, *, requests: float, tokens: float, key: str = "") -> None:
        """Count what earlier processes sent in the last day against the daily limits a person set.

        Args:
            model_id: `provider:model`.
            requests: Requests in the last 24 hours, as the run log has them.
            tokens: Their tokens.
            key: The fingerprint of the API key.
        """
        lane = self._lanes.get((model_id, key)) or self._open(model_id, key)
        for kind, bucket in lane.gauge.own.items():
            if bucket.daily:
                bucket.level = max(bucket.level, requests if kind == "rpd" else tokens)

    def reports(self) -> list[LaneReport]:
        """What each gate let through, in the order of first use."""
        return [
            LaneReport(
                model=lane.gauge.model,
                requests=lane.gauge.requests,
                rejected=lane.gauge.rejected,
                waited_s=lane.waited_s,
                limits=lane.gauge.limits(),
            )
            for lane in self._lanes.values()
        ]
