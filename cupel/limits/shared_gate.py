"""Limits shared by several processes: what a gate outside this process must do.

`postgres.PostgresGate` is one; anything else that many processes can reach could be another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cupel.limits.buckets import Kind


@dataclass(frozen=True, slots=True)
class Charge:
    """What one call takes from one limit.

    Args:
        kind: Which limit.
        amount: Requests or tokens, at most the limit.
        limit: How much fits, as this process knows it.
        period_s: Seconds in which a full limit empties.
        level: How full this process believes it to be, without its own calls in flight.
    """

    kind: Kind
    amount: float
    limit: float
    period_s: float
    level: float = 0.0

    def seconds(self, amount: float) -> float:
        """How long an amount takes to leak out.

        >>> Charge("rpm", amount=1, limit=600, period_s=60).seconds(2)
        0.2
        """
        return amount * self.period_s / self.limit


@dataclass(frozen=True, slots=True)
class Turn:
    """When a call may be sent, as the line of all processes has it.

    Args:
        wait_s: Seconds to wait before sending.
        kind: The limit that makes it wait; `None` for none, or for a pause that everyone keeps.
    """

    wait_s: float
    kind: Kind | None = None


class SharedGate(Protocol):
    """One line per lane across processes; a lane is one API key and model."""

    async def reserve(self, lane: str, charges: Sequence[Charge]) -> Turn:
        """Charge a call, which counts until it is given back, and say when its turn is.

        Raises:
            RunLogError: If the gate cannot be reached.
        """
        ...

    def give_back(self, lane: str, charges: Sequence[Charge]) -> None:
        """Return amounts that were not used after all; a negative one charges more. Returns at once."""
        ...

    def pause(self, lane: str, wait_s: float) -> None:
        """Hold every process on this lane back for so long. Returns at once."""
        ...

    async def aclose(self) -> None:
        """Write what has not been written yet."""
        ...
