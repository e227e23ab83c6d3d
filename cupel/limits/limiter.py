"""The limiter of a process: one lane per provider, model and address, open at once where no limit is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from cupel.errors import SettingError
from cupel.limits.buckets import Limits
from cupel.limits.gauge import PATIENCE_S, Gauge
from cupel.limits.lane import Lane
from cupel.limits.settings import closest_limits
from cupel.limits.shared_gate import SharedGate
from cupel.limits.slot import Slot

_UNLIMITED = ("local", "gguf", "offline", "recorded")


class Limiter:
    """Paces the calls of one process and event loop.

    Args:
        limits: What a person allows, by model id, by provider (`groq`) or for all (`*`); the closest name wins.
        longest_pause_s: A longer wait than this, asked for by a provider, raises `ProviderLimitError` as a daily limit does.
        pilot: Let the first call of each model go alone until its reply, or two seconds, have passed: the limits
            it shows spare the others a collision. Never for `local:`, `gguf:`, `offline:` and `recorded:` models.
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
        longest_pause_s: float = PATIENCE_S,
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
        self._longest_pause_s = longest_pause_s
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
            key: What tells apart several lanes of one model, such as the address it is asked at.

        Raises:
            ProviderLimitError: On entering, if a daily limit is reached.
        """
        lane = self._lanes.get((model_id, key))
        return Slot(lane if lane is not None else self._open(model_id, key), tokens, most)

    def _open(self, model_id: str, key: str) -> Lane:
        provider = model_id.partition(":")[0]
        gauge = Gauge(
            model_id,
            limits=closest_limits(self._limits, model_id),
            longest_pause_s=self._longest_pause_s,
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
            key: As for `slot`.
        """
        lane = self._lanes.get((model_id, key)) or self._open(model_id, key)
        for kind, bucket in lane.gauge.own.items():
            if bucket.daily:
                bucket.level = max(bucket.level, requests if kind == "rpd" else tokens)

    @property
    def lanes(self) -> list[Lane]:
        """The lanes opened so far, in the order of first use."""
        return list(self._lanes.values())
