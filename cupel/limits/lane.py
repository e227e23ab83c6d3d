"""One model's queue: every call passes one gate, first come first served, so that workers do not collide.

    call → [ window | pause | buckets ] ── fits ──→ sent ──→ reply: headers, status, tokens used
                     └─ waits its turn ←── wakes the queue ────┘

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
from cupel.limits.ticket import Ticket


class Lane:
    """The queue in front of one gauge.

    Args:
        gauge: What is known of the limits.
        monotonic: The clock that waits are measured with.
        wall: Epoch seconds, for resets given as a point in time.
        name: What other processes know this lane by.
        shared: Where they are several, the gate they share.
    """

    __slots__ = ("_monotonic", "_name", "_shared", "_timer", "_waiting", "_wall", "gauge", "waited_s")

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
        self._name = name
        self._shared = shared
        self.waited_s = 0.0
        self._monotonic = monotonic
        self._wall = wall
        self._waiting: deque[tuple[asyncio.Future[None], Ticket]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, ticket: Ticket) -> None:
        """Wait until this call may be sent, and count it."""
        now = self._monotonic()
        if not self._waiting and self.gauge.delay_s(ticket, now, self._wall()) <= EARLY_S:
            self.gauge.charge(ticket, now)
            if self._shared is None:
                return
        else:
            await self._turn(ticket)
        if self._shared is not None:
            try:
                await self._shared_turn(ticket, self._shared)
            except BaseException:
                self.gauge.unsent(ticket)
                self.leave(ticket)
                raise
        self.waited_s += self._monotonic() - now

    async def _turn(self, ticket: Ticket) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, ticket))
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.gauge.unsent(ticket)
                self.gauge.ended(ticket)
            self._wake()
            raise

    async def _shared_turn(self, ticket: Ticket, shared: SharedGate) -> None:
        """Take a place in the line of all processes, and keep the pauses of this one."""
        ticket.asks = self.gauge.asks(ticket)
        if not ticket.asks:
            return
        grant = await shared.reserve(self._name, ticket.asks)
        try:
            wait = self.gauge.granted_s(grant, self._wall())
            while wait > EARLY_S:
                await asyncio.sleep(wait)
                wait = self.gauge.pause_left_s(self._monotonic(), self._wall())
        except BaseException:
            shared.give_back(self._name, ticket.asks)
            raise
        ticket.sent_at = self._monotonic()

    def unsent(self, ticket: Ticket) -> None:
        """The call was not made after all: nothing is counted for it."""
        self.gauge.unsent(ticket)
        if self._shared is not None and ticket.asks:
            self._shared.give_back(self._name, ticket.asks)
            ticket.asks = []

    def leave(self, ticket: Ticket) -> None:
        """The call has ended, however it did."""
        self.gauge.ended(ticket)
        if self._waiting:
            self._wake()

    def learn(
        self, ticket: Ticket, headers: Mapping[str, str], status: int, used_tokens: int | None, text: str
    ) -> None:
        """Take in one reply."""
        now, gauge = self._monotonic(), self.gauge
        wall = self._wall()
        if status == 429:
            gauge.refused(ticket, headers, text, now=now, wall=wall)
        elif status < 300:
            gauge.answered(ticket, used_tokens, now)
        if self._shared is not None and ticket.asks:
            self._tell(ticket, self._shared, status, used_tokens)
        for shown in readings(headers, provider=gauge.provider, now=wall):
            gauge.observe(shown, ticket, now)
        if self._waiting:
            self._wake()

    def _tell(self, ticket: Ticket, shared: SharedGate, status: int, used_tokens: int | None) -> None:
        """Pass on what this reply means for the other processes."""
        if status == 429:
            shared.give_back(self._name, ticket.asks)
            shared.pause(self._name, self.gauge.pause.length_s)
        elif status < 300 and used_tokens is not None:
            unused = [
                replace(ask, amount=ask.amount - used_tokens)
                for ask in ticket.asks
                if KINDS[ask.kind][0] == "tokens"
            ]
            if unused:
                shared.give_back(self._name, unused)
        ticket.asks = []

    def _wake(self) -> None:
        """Let go whoever may, and come back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            turn, ticket = self._waiting[0]
            if not turn.done() and not self._admit(turn, ticket):
                return
            self._waiting.popleft()

    def _admit(self, turn: asyncio.Future[None], ticket: Ticket) -> bool:
        now = self._monotonic()
        try:
            delay = self.gauge.delay_s(ticket, now, self._wall())
        except ProviderLimitError as error:
            turn.set_exception(error)
            return True
        if delay > EARLY_S:
            if math.isfinite(delay):
                # a minute at most, so that a clock that jumped is noticed
                delay = min(max(delay, 0.001), 60.0)
                self._timer = asyncio.get_running_loop().call_later(delay, self._wake)
            return False
        self.gauge.charge(ticket, now)
        turn.set_result(None)
        return True
