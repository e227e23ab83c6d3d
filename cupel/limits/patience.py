"""How long a run waits for what is away: a provider that is down, or a daily limit; and what is said meanwhile.

call ── its own tries fail ──→ others were answered meanwhile?  yes: the document's own trouble
no: wait, one call at a time tries again ──→ answered: all go on
└─ down for `wait_s`: the run ends, resumable
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from cupel.errors import CupelError, ProviderDownError, ProviderLimitError, SettingError, StopRunError
from cupel.limits.circuit import Circuit, Circuits
from cupel.limits.headers import HOUR_S

DEFAULT_WAIT_S = 120.0

SHOWN_AFTER_S = 2.0
"""A provider that answers again sooner than this is not worth a word."""

REPEATED_AFTER_S = 60.0
"""An outage that goes on is told again after so long, where lines are told and not drawn anew."""

_LOOK_S = 0.25
_APART_S = 0.5
"""One call after the other tries again while nobody knows: so far apart."""


class Patience:
    """What the runs of one event loop wait for, and for how long.

    Args:
        circuits: What is known of each model's provider.
        wait_s: Seconds without any answer after which a run ends; `math.inf` waits for ever.

    Raises:
        SettingError: For a negative time, or none.
    """

    def __init__(self, circuits: Circuits, *, wait_s: float = DEFAULT_WAIT_S) -> None:
        if not wait_s >= 0:
            raise SettingError(f"wait={wait_s!r}: seconds from 0 up, or forever")
        self.circuits = circuits
        self.wait_s = wait_s
        self._lines: dict[tuple[str, ...], asyncio.Lock] = {}
        self._tried_at: dict[tuple[str, ...], float] = {}
        self.waiting = 0
        """Documents that wait for a provider now."""

        self.elsewhere: dict[str, str] = {}
        """What is away for other processes of the same run, by provider, as their `troubles` have it."""

        self._limits: dict[str, float] = {}
        """By model, when its daily limit opens, while anybody waits for that."""

    async def outlast(
        self,
        models: Sequence[str],
        trouble: CupelError,
        *,
        document: str = "",
        stopping: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Return when it is worth asking one of these models again, of which none could be asked just now.

        Args:
            models: The model, and its stand-in where it has one.
            trouble: What the last of them failed with.
            document: Whose call it was.
            stopping: Whether the run is to start nothing more.

        Returns:
            Whether to ask again: False where waiting is over and all speaks for the document's own trouble, since it
            alone got errors from a provider that answered others before.

        Raises:
            ProviderDownError: When none of them has answered anything for `wait_s`, or will before that.
            ProviderLimitError: When a daily limit opens later than that.
            StopRunError: When the run is to stop.
        """
        known = [self.circuits.of(model) for model in models]
        now = self.circuits.now
        opens_at = self._opens_at(trouble)
        due_at = [now() + circuit.retry_in_s for circuit in known] if opens_at is None else [opens_at]
        line = tuple(models)
        for circuit in known:
            circuit.failing.add(document)
        with self._noted(models[-1], opens_at):
            async with self._lines.setdefault(line, asyncio.Lock()):
                while True:
                    if stopping():
                        raise StopRunError("stopped while it waited for a provider")
                    if self._is_over(known):
                        if opens_at is None and self._is_one_documents(known):
                            return False
                        raise self._end(known, trouble)
                    if opens_at is None and any(circuit.down_s is None for circuit in known):
                        return True
                    apart = now() - self._tried_at.get(line, -math.inf) >= _APART_S
                    ready = opens_at is not None or any(c.opens_in_s <= 0 and not c.is_probed for c in known)
                    if ready and apart and now() >= min(due_at):
                        self._tried_at[line] = now()
                        return True
                    await asyncio.sleep(_LOOK_S)

    def _opens_at(self, trouble: CupelError) -> float | None:
        """When a daily limit opens, by the circuits' clock; None for an outage."""
        if not isinstance(trouble, ProviderLimitError):
            return None
        wait = HOUR_S if trouble.resets_in_s is None else trouble.resets_in_s
        if wait > self.wait_s:
            raise trouble
        return self.circuits.now() + wait

    def _is_over(self, known: Sequence[Circuit]) -> bool:
        """Whether there is no more waiting for any of them; one that answers is enough."""
        if min(circuit.asked_s for circuit in known) > self.wait_s:
            return True
        return all(circuit.down_s is not None and circuit.down_s >= self.wait_s for circuit in known)

    def _is_one_documents(self, known: Sequence[Circuit]) -> bool:
        alone = all(circuit.may_be_the_calls and len(circuit.failing) == 1 for circuit in known)
        return alone and self.circuits.has_answered()

    def _end(self, known: Sequence[Circuit], trouble: CupelError) -> CupelError:
        """What ends the run."""
        if isinstance(trouble, ProviderLimitError):
            return trouble
        asked_s = min(circuit.asked_s for circuit in known)
        return ProviderDownError(_say_down(known, asked_s if asked_s > self.wait_s else None))

    @contextmanager
    def _noted(self, model: str, opens_at: float | None) -> Iterator[None]:
        self.waiting += 1
        if opens_at is not None:
            self._limits[model] = opens_at
        try:
            yield
        finally:
            self.waiting -= 1
            if opens_at is not None and self._limits.get(model) == opens_at:
                del self._limits[model]

    def troubles(self) -> dict[str, str]:
        """What is away now, by provider, each in a line: for whoever waits at the screen."""
        lines = dict(self.elsewhere)
        now = self.circuits.now()
        for model, opens_at in self._limits.items():
            provider = model.partition(":")[0]
            lines[provider] = f"{model}: its limit is reached, it opens in {max(0.0, opens_at - now):.0f} s"
        for circuit in self.circuits.down():
            provider, down_s = circuit.model.partition(":")[0], circuit.down_s or 0.0
            if down_s >= min(SHOWN_AFTER_S, self.wait_s / 2) and provider not in lines:
                until = "" if math.isinf(self.wait_s) else f" of {self.wait_s:.0f} s"
                lines[provider] = f"{provider}: {circuit.trouble}, trying again, {down_s:.0f} s{until}"
        for circuit in self.circuits.silent():
            provider = circuit.model.partition(":")[0]
            calls = "1 call" if circuit.under_way == 1 else f"{circuit.under_way} calls"
            lines.setdefault(
                provider, f"{provider}: no answer for {circuit.silent_s:.0f} s to {calls} under way"
            )
        return lines

    async def watch(self, tell: Callable[[str], None]) -> None:
        """Tell of all that is away within seconds, again once a minute, and when it is over; until cancelled."""
        told: dict[str, float] = {}
        while True:
            away, now = self.troubles(), self.circuits.now()
            for provider, line in away.items():
                if now - told.get(provider, -math.inf) >= REPEATED_AFTER_S:
                    told[provider] = now
                    tell(line)
            for provider in told.keys() - away.keys():
                del told[provider]
                tell(f"{provider}: it answers again")
            await asyncio.sleep(_LOOK_S)


def read_wait_s(text: str) -> float:
    """Seconds from `--wait`: a number, or `forever`.

    Raises:
        SettingError: For anything else.

    >>> read_wait_s("90"), read_wait_s("forever")
    (90.0, inf)
    """
    if text.strip().lower() == "forever":
        return math.inf
    try:
        wait_s = float(text)
    except ValueError:
        wait_s = math.nan
    if not 0 <= wait_s < math.inf:
        raise SettingError(f"--wait {text}: give seconds from 0 up, such as 600, or `forever`")
    return wait_s


def _say_down(known: Sequence[Circuit], asked_s: float | None) -> str:
    parts = [f"{circuit.model} ({circuit.trouble})" for circuit in known]
    who = " and its fallback ".join(parts)
    how = f"answered nothing for {min(circuit.down_s or 0.0 for circuit in known):.0f} s"
    if asked_s is not None:
        how = f"asked to be left alone for {asked_s:.0f} s, longer than --wait"
    return f"{who}: {how}. Nothing finished is lost. `--wait SECONDS` or `--wait forever` waits longer"
