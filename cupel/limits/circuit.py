"""A circuit per provider and model: after several failures in a row it opens, and one call at a time tries again.

    closed ── n failures in a row ──→ open ── after a while ──→ half-open: one call
       ↑                               ↑                              │
       └────────── it succeeds ────────┼──────── it fails ────────────┘

A 429 is no failure here: a provider that counts is up. While a circuit is open, its calls raise `CircuitOpenError`
at once, and whoever configured an outage fallback uses that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from cupel.errors import CircuitOpenError, SettingError
from cupel.limits.classify import is_transient, status_of, text_of

CircuitState = Literal["closed", "open", "half-open"]


class Circuit:
    """Whether one provider and model is worth asking.

    Args:
        model: The model id, for messages.
        failures: So many transient failures in a row open it; at least 1.
        rest_s: Seconds before one call tries again; doubles while that fails, up to eight times.
        monotonic: The clock.

    Raises:
        SettingError: If a setting is impossible.
    """

    def __init__(
        self,
        model: str,
        *,
        failures: int = 8,
        rest_s: float = 15.0,
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
        rest = self._rest_s * 2.0 ** min(self._opened - 1, 3)
        # never longer than at first, should the clock have gone back
        return max(0.0, min(rest, self._opened_at + rest - self._monotonic()))

    def check(self) -> None:
        """Let a call pass; follow it by exactly one `record`.

        Raises:
            CircuitOpenError: If the provider is known to be down, or another call is just trying.
        """
        if not self._opened:
            return
        left = self.opens_in_s
        if left > 0 or self._probing:
            raise CircuitOpenError(
                f"failed {self._in_a_row} times in a row, last with {self._last!r}; "
                f"tried again in {left:.0f} s",
                model=self.model,
                retry_in_s=left,
            )
        self._probing = True

    def record(self, error: BaseException | None = None) -> None:
        """Count the end of a call that passed: `None` for an answer, of whatever quality.

        A failure that says nothing about the provider (a cancelled call, a bug) counts neither way.
        """
        self._probing = False
        if error is None or (status_of(error) is not None and not _is_down(error)):
            self._in_a_row = self._opened = 0
        elif _is_down(error):
            self._note_failure(error)

    def _note_failure(self, error: BaseException) -> None:
        self._in_a_row += 1
        self._last = text_of(error)[:120]
        # while it is open, calls that were sent before still come back with failures: only the probe's counts
        due = self._opened and self.opens_in_s <= 0
        if due or (not self._opened and self._in_a_row >= self._most):
            self._opened += 1
            self._opened_at = self._monotonic()


class Circuits:
    """The circuits of a process, made on first use, all alike."""

    def __init__(self) -> None:
        self._circuits: dict[str, Circuit] = {}

    def of(self, model_id: str) -> Circuit:
        """The circuit of one `provider:model`."""
        circuit = self._circuits.get(model_id)
        if circuit is None:
            circuit = self._circuits[model_id] = Circuit(model_id)
        return circuit


def _is_down(error: BaseException) -> bool:
    return is_transient(error) and status_of(error) != 429
