"""One model's queue: every call passes it, first come first served, so that workers do not collide.

    call → [ concurrency | pause | buckets ] ── fits ──→ sent ──→ reply: headers, status, tokens used
                         └─ waits its turn ←── wakes the queue ───┘

The n-th waiting call is sent when there is room for it; it does not wake up with the others to find none.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from cupel.errors import ProviderLimitError
from cupel.limits.buckets import KINDS
from cupel.limits.gauge import EARLY_S, Gauge
from cupel.limits.headers import readings
from cupel.limits.shared_gate import SharedGate
from cupel.limits.slot import Slot


class Lane:
    """The queue in front of one gauge.

    Args:
        gauge: What is known of the limits.
        monotonic: The clock that waits are measured with.
        wall: Epoch seconds, for resets given as a point in time.
        name: What other processes know this lane by.
        shared: Where they are several, the gate they share.
    """

    __slots__ = ("_monotonic", "_shared", "_timer", "_waiting", "_wall", "gauge", "name")

    def __init__(
        self,
        gauge: Gauge,
        *,
        monotonic: Callable[[], float],
        wall: Callable[[], float],
        name: str = "",
        shared: SharedGate | None = None,
    ) -> None:
        self.gauge = gauge
        self.name = name
        self._shared = shared
        self._monotonic = monotonic
        self._wall = wall
        self._waiting: deque[tuple[asyncio.Future[None], Slot]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, slot: Slot) -> None:
        """Wait until this call may be sent, and count it."""
        now = self._monotonic()
        # not past those who wait, even where there is room: a stream of small calls would starve a large one
        if not self._waiting and self.gauge.delay_s(slot, now, self._wall()) <= EARLY_S:
            self.gauge.charge(slot, now)
            if self._shared is None:
                return
        else:
            await self._turn(slot)
        if self._shared is not None:
            try:
                await self._shared_turn(slot, self._shared)
            except BaseException:
                self.gauge.take_back(slot)
                self.leave(slot)
                raise

    async def _turn(self, slot: Slot) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, slot))
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            # cancelled in the moment it was let go: it is charged, and nobody will send it
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.gauge.take_back(slot)
                self.gauge.end(slot)
            self._wake()
            raise

    async def _shared_turn(self, slot: Slot, shared: SharedGate) -> None:
        """Take a place in the line of all processes, and keep the pauses of this one."""
        slot.charges = self.gauge.charges(slot)
        if not slot.charges:
            return
        turn = await shared.reserve(self.name, slot.charges)
        try:
            wait = self.gauge.until_turn_s(turn, self._wall())
            # again where a pause has begun meanwhile
            while wait > EARLY_S:
                await asyncio.sleep(wait)
                wait = self.gauge.pause_left_s(self._monotonic(), self._wall())
        except BaseException:
            shared.give_back(self.name, slot.charges)
            raise
        slot.sent_at = self._monotonic()  # it was charged before this wait

    def take_back(self, slot: Slot) -> None:
        """The call was not made after all: nothing is counted for it."""
        self.gauge.take_back(slot)
        if self._shared is not None and slot.charges:
            self._shared.give_back(self.name, slot.charges)
            slot.charges = []

    def leave(self, slot: Slot) -> None:
        """The call has ended, however it did."""
        self.gauge.end(slot)
        if self._waiting:
            self._wake()

    def learn(
        self, slot: Slot, headers: Mapping[str, str], status: int, used_tokens: int | None, text: str
    ) -> None:
        """Take in one reply."""
        now, gauge = self._monotonic(), self.gauge
        wall = self._wall()
        if status == 429:
            gauge.take_refusal(slot, headers, text, now=now, wall=wall)
        elif status < 300:
            gauge.settle(slot, used_tokens, now)
        if self._shared is not None and slot.charges:
            self._tell(slot, self._shared, status, used_tokens)
        for shown in readings(headers, provider=gauge.provider, now=wall):
            gauge.observe(shown, slot, now)
        if self._waiting:
            self._wake()

    def _tell(self, slot: Slot, shared: SharedGate, status: int, used_tokens: int | None) -> None:
        """Pass on what this reply means for the other processes."""
        if status == 429:
            shared.give_back(self.name, slot.charges)
            shared.pause(self.name, self.gauge.pause.length_s)
        elif status < 300 and used_tokens is not None:
            unused = [
                replace(charge, amount=charge.amount - used_tokens)
                for charge in slot.charges
                if KINDS[charge.kind][0] == "tokens"
            ]
            if unused:
                shared.give_back(self.name, unused)
        slot.charges = []

    def _wake(self) -> None:
        """Let go whoever may, and come back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            turn, slot = self._waiting[0]
            if not turn.done() and not self._admit(turn, slot):
                return
            self._waiting.popleft()

    def _admit(self, turn: asyncio.Future[None], slot: Slot) -> bool:
        now = self._monotonic()
        try:
            delay = self.gauge.delay_s(slot, now, self._wall())
        except ProviderLimitError as error:
            turn.set_exception(error)
            return True
        if delay > EARLY_S:
            if math.isfinite(delay):
                # a minute at most, so that a clock that jumped is noticed
                delay = min(max(delay, 0.001), 60.0)
                self._timer = asyncio.get_running_loop().call_later(delay, self._wake)
            return False
        # charged here, not when the call wakes: the next one is looked at before that
        self.gauge.charge(slot, now)
        turn.set_result(None)
        return True
