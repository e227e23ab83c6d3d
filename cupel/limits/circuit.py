"""A circuit per provider and model: after several failures in a row it opens, and one call at a time tries again.

    closed ── n failures in a row ──→ open ── after a while ──→ half-open: one call
       ↑                               ↑                              │
       └────────── it succeeds ────────┼──────── it fails ────────────┘

A 429 is no failure here: a provider that counts is up. While a circuit is open, its calls raise `CircuitOpenError`
at once, and whoever configured an outage fallback uses that.

A circuit also knows since when its provider has answered nothing at all, 429s included: for how long to wait for it.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable
from typing import Literal

from cupel.errors import CircuitOpenError, SettingError, chain
from cupel.limits.classify import asked_wait_s, is_transient, status_of, text_of

SILENT_AFTER_S = 10.0
"""A first answer may take so long before anybody wonders."""

_ITS_OWN = frozenset({429, 498, 502, 503, 529})
"""Statuses by which a provider speaks of itself: too much to do, not there, behind a gateway that finds nobody."""

CircuitState = Literal["closed", "open", "half-open"]


class Circuit:
    """Whether one provider and model is worth asking.

    Args:
        model: The model id, for messages.
        failures: So many transient failures in a row open it; at least 1.
        rest_s: Seconds before one call tries again; doubles while that fails, up to four times.
        monotonic: The clock.

    Raises:
        SettingError: If a setting is impossible.
    """

    def __init__(
        self,
        model: str,
        *,
        failures: int = 8,
        rest_s: float = 4.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if failures < 1 or rest_s <= 0:
            raise SettingError(f"circuit failures={failures!r}, rest_s={rest_s!r}: at least 1, and above 0")
        self.model = model
        self._most = failures
        self._rest_s = rest_s
        self._monotonic = monotonic
        self._in_a_row = 0
        self._opened = 0
        self._opened_at = 0.0
        self._probing = False
        self._last = ""
        self._down_since: float | None = None
        self._answered_at = -math.inf
        self.under_way = 0
        """Calls that passed and have not ended."""

        self._heard_at = 0.0
        self._longest_s = 0.0
        self.failing: set[str] = set()
        """Documents that have used up their tries since its last answer, as far as anybody noted them."""

        self.may_be_the_calls = False
        """Whether its last failure may be about what was asked: an internal error, or no answer in time."""

        self.asked_s = 0.0
        """Seconds the provider asked to be left alone in its last failure; 0 where it named none."""

    @property
    def state(self) -> CircuitState:
        """Closed lets every call through, half-open one, open none."""
        if not self._opened:
            return "closed"
        return "open" if self.opens_in_s > 0 else "half-open"

    @property
    def opens_in_s(self) -> float:
        """Seconds until a call is let through to try again; 0 where one may go."""
        if not self._opened:
            return 0.0
        rest = self._rest_s * 2.0 ** min(self._opened - 1, 2)
        # never longer than at first, should the clock have gone back
        return max(0.0, min(rest, self._opened_at + rest - self._monotonic()))

    @property
    def down_s(self) -> float | None:
        """Seconds since the first failure after the last answer; None while it answers."""
        return None if self._down_since is None else max(0.0, self._monotonic() - self._down_since)

    @property
    def silent_s(self) -> float:
        """Seconds in which no call under way has ended; 0 where that is no longer than it often takes."""
        if not self.under_way:
            return 0.0
        silent_s = self._monotonic() - self._heard_at
        return silent_s if silent_s >= max(SILENT_AFTER_S, 3 * self._longest_s) else 0.0

    @property
    def trouble(self) -> str:
        """What the last failure was, in a few words."""
        return self._last

    @property
    def retry_in_s(self) -> float:
        """Seconds to leave it alone, for a call that has used up its tries; 0 where it answers."""
        if self._down_since is None:
            return 0.0
        return max(self.asked_s, self.opens_in_s if self._opened else self._rest_s)

    @property
    def is_probed(self) -> bool:
        """Whether a call is just trying, so that nothing but its end can tell more."""
        return self._probing

    def has_answered_since(self, at: float = -math.inf) -> bool:
        """Whether any call was answered since a time of this circuit's clock, whatever the answer was."""
        return self._answered_at > at

    def check(self) -> None:
        """Let a call pass; follow it by exactly one `record`.

        Raises:
            CircuitOpenError: If the provider is known to be down, or another call is just trying.
        """
        left = self.opens_in_s
        if self._opened and (left > 0 or self._probing):
            raise CircuitOpenError(
                f"failed {self._in_a_row} times in a row, last with {self._last!r}; "
                f"tried again in {left:.0f} s",
                model=self.model,
                retry_in_s=left,
            )
        self._probing = bool(self._opened)
        if not self.under_way:
            self._heard_at = self._monotonic()
        self.under_way += 1

    def record(self, error: BaseException | None = None) -> None:
        """Count the end of a call that passed: `None` for an answer, of whatever quality.

        A failure that says nothing about the provider (a cancelled call, a bug) counts neither way.
        """
        self._probing = False
        now = self._monotonic()
        if error is None:
            self._longest_s = max(self._longest_s, now - self._heard_at if self.under_way else 0.0)
        self.under_way, self._heard_at = max(0, self.under_way - 1), now
        if error is None or (status_of(error) is not None and not _is_down(error)):
            self._in_a_row = self._opened = 0
        elif _is_down(error):
            self._note_failure()
        if error is None or (status_of(error) is not None and not is_transient(error)):
            self._down_since, self.asked_s = None, 0.0
            self._answered_at = now
            self.failing.clear()
        elif is_transient(error):
            self._last, self.asked_s = _few_words(error), asked_wait_s(error) or 0.0
            status = status_of(error)
            self.may_be_the_calls = (
                isinstance(error, TimeoutError) if status is None else status not in _ITS_OWN
            )
            if self._down_since is None:
                self._down_since = now

    def _note_failure(self) -> None:
        self._in_a_row += 1
        # while it is open, calls that were sent before still come back with failures: only the probe's counts
        due = self._opened and self.opens_in_s <= 0
        if due or (not self._opened and self._in_a_row >= self._most):
            self._opened += 1
            self._opened_at = self._monotonic()


class Circuits:
    """The circuits of a process, made on first use, all alike.

    Args:
        rest_s: Seconds before one call tries again; doubles while that fails, up to four times.
        monotonic: The clock.
    """

    def __init__(self, *, rest_s: float = 4.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rest_s = rest_s
        self._monotonic = monotonic
        self._circuits: dict[str, Circuit] = {}

    def of(self, model_id: str) -> Circuit:
        """The circuit of one `provider:model`."""
        circuit = self._circuits.get(model_id)
        if circuit is None:
            circuit = self._circuits[model_id] = Circuit(
                model_id, rest_s=self._rest_s, monotonic=self._monotonic
            )
        return circuit

    def now(self) -> float:
        """The time by their clock."""
        return self._monotonic()

    def has_answered(self) -> bool:
        """Whether any model has answered anything."""
        return any(circuit.has_answered_since() for circuit in self._circuits.values())

    def silent(self) -> list[Circuit]:
        """Those whose provider takes calls and ends none, for longer than it ever took."""
        return [circuit for circuit in self._circuits.values() if circuit.silent_s]

    def down(self) -> list[Circuit]:
        """Those whose provider answers nothing now, in the order of first use."""
        return [circuit for circuit in self._circuits.values() if circuit.down_s is not None]


def _is_down(error: BaseException) -> bool:
    return is_transient(error) and status_of(error) != 429


def _few_words(error: BaseException) -> str:
    """The failure in a few words for a line that is read in passing: `connection refused`, `503: overloaded`."""
    status = status_of(error)
    if status is None:
        said = next(filter(None, map(_system_word, chain(error))), "")
        if said:
            return said
    text = " ".join(text_of(error).split())[:120]
    return f"{status}: {text}" if status is not None and not text.startswith(str(status)) else text


def _system_word(error: BaseException) -> str:
    """The system's own word for a connection that failed; empty where it has none."""
    if isinstance(error, socket.gaierror):
        return f"its name cannot be resolved ({error.strerror})"
    if type(error).__module__ != "builtins" or not isinstance(error, OSError) or not error.errno:
        return ""
    return os.strerror(error.errno).lower()
