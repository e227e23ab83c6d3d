"""What this process knows of one model's limits: its own count of them, corrected by every reply.

The provider's count is taken at another moment than ours and without the calls still under way, so a reply does
not replace our count, it bounds it from both sides (`observe`). Plain arithmetic on a given clock; `lane.py` does the waiting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cupel.errors import ProviderLimitError
from cupel.limits.buckets import KINDS, Bucket, Kind, Limits, kind_of
from cupel.limits.concurrency import Concurrency
from cupel.limits.headers import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    Reading,
    Rejection,
    Unit,
    readings,
    rejection,
    retry_after_s,
    says_daily,
)
from cupel.limits.pause import Pause
from cupel.limits.shared_gate import Charge, Turn
from cupel.limits.slot import Slot

PATIENCE_S = 300.0
"""A longer wait than this, asked for by a provider, is treated as a daily limit, unless told otherwise."""

GUESSED_RPM = 30.0
"""Requests per minute supposed where only the daily ones are shown: Groq's free tier. Doubled while it holds."""

PACED_S = 5.0
"""A daily limit that lets a call through sooner than this is kept by pacing, like any other."""

LONGEST_WAIT_S = 7 * DAY_S
"""Longer waits than this are not believed."""

EARLY_S = 1e-6
"""Waits below this are rounding."""


class Gauge:
    """The count of one provider, key and model.

    Args:
        model: The model id, for messages.
        limits: What a person set.
        longest_pause_s: A longer wait than this, asked for by a provider, is treated as a daily limit.
        pilot: The first call goes alone, to learn the limits before the others collide with them.
        shared: The buckets are only watched; the waiting for them is decided by a `SharedGate`.
        now: The monotonic clock.
    """

    def __init__(
        self,
        model: str,
        *,
        limits: Limits,
        pilot: bool,
        now: float,
        shared: bool = False,
        longest_pause_s: float = PATIENCE_S,
    ) -> None:
        self.model = model
        self.shared = shared
        self.provider = model.partition(":")[0]
        self.longest_pause_s = longest_pause_s
        self.buckets: dict[Kind, Bucket] = {}
        self.own: dict[Kind, Bucket] = {
            kind: Bucket(limit, KINDS[kind][1], now=now)
            for kind in KINDS
            if (limit := limits.of_kind(kind)) is not None
        }
        self._counts = [(KINDS[kind][0], kind, bucket) for kind, bucket in self.own.items()]
        self.concurrency = Concurrency(limits.concurrency or math.inf, pilot=pilot)
        self.in_flight = 0
        self.requests = 0
        self.rejected = 0
        self._tokens = 0.0
        self._tokens_in_flight = 0.0
        self._tokens_scale = 1.0
        self._counts_most = False
        self._tokens_usual = 0.0
        self._margin_s = 0.0
        self._trying: Slot | None = None
        self.pause = Pause()

    # -- before a call

    def delay_s(self, slot: Slot, now: float, wall: float) -> float:
        """Seconds until this call may go; infinite where only another call's end can tell.

        Raises:
            ProviderLimitError: If a daily limit is in the way.
        """
        if not self.concurrency.fits(self.in_flight):
            return math.inf
        # the hot path of a model without known limits ends here
        if not (self._counts or self.concurrency.learning or self.pause.length_s):
            return 0.0
        delay = max(self.pause_left_s(now, wall), self.concurrency.pilot_left_s(self.in_flight, now))
        return delay if self.shared else max(delay, self._buckets_left_s(slot, now, wall))

    def _buckets_left_s(self, slot: Slot, now: float, wall: float) -> float:
        delay, tokens = 0.0, self._amount(slot)
        for unit, kind, bucket in self._counts:
            # never more than a sixtieth of a limit, or a short one would be mostly margin
            margin = min(self._margin_s, bucket.period_s / 60)
            wait = bucket.wait_s(1.0 if unit == "requests" else tokens, now, margin_s=margin)
            # one call at a time may exceed a limit that is only supposed: its answer disproves it
            if bucket.guess and self._trying is None:
                continue
            if wait > PACED_S and bucket.daily:
                raise self.daily_limit(wait, wall, kind, bucket.limit)
            delay = max(delay, wait)
        return delay

    def charge(self, slot: Slot, now: float) -> None:
        """Count a call that is sent now."""
        self.in_flight += 1
        self.requests += 1
        slot.charged_tokens = self._amount(slot)
        slot.sent_at = now
        self._tokens += slot.charged_tokens
        self._tokens_in_flight += slot.charged_tokens
        # what had ended when this one was sent: its reply has surely counted that, and nothing else for sure
        slot.mark = (self.requests - self.in_flight, self._tokens - self._tokens_in_flight)
        for unit, _, bucket in self._counts:
            bucket.leak(now)
            bucket.add(1.0 if unit == "requests" else slot.charged_tokens)
            if bucket.guess and self._trying is None and bucket.level > bucket.limit:
                self._trying = slot

    def refund(self, slot: Slot) -> None:
        """Take back the count of a call that the provider did not count."""
        for unit, _, bucket in self._counts:
            bucket.add(-1.0 if unit == "requests" else -slot.charged_tokens)

    def take_back(self, slot: Slot) -> None:
        """Take back a call that was not made after all."""
        self.requests -= 1
        self.refund(slot)

    def end(self, slot: Slot) -> None:
        """The call is no longer in flight."""
        self.in_flight -= 1
        self._tokens_in_flight -= slot.charged_tokens
        if self._trying is slot:
            self._trying = None

    def _amount(self, slot: Slot) -> float:
        expected = slot.most if self._counts_most and slot.most else slot.tokens
        return expected * self._tokens_scale if expected else self._tokens_usual

    def pause_left_s(self, now: float, wall: float) -> float:
        """Seconds a 429 still holds every call back.

        Raises:
            ProviderLimitError: If it was a daily one.
        """
        left = self.pause.left_s(now)
        if left > EARLY_S and self.pause.daily:
            raise self.daily_limit(left, wall)
        return left

    def daily_limit(
        self, left: float, wall: float, kind: Kind | None = None, limit: float = 0.0
    ) -> ProviderLimitError:
        """The error that says which daily limit is reached and when it opens."""
        what = f"the limit of {limit:,.0f} {KINDS[kind][2]}" if kind else "its limit"
        at = datetime.fromtimestamp(wall, UTC) + timedelta(seconds=left)
        return ProviderLimitError(
            f"{self.model}: {what} is reached; the next request fits in {timedelta(seconds=round(left))}, "
            f"at {at:%Y-%m-%d %H:%M} UTC. The same command goes on then; `--wait SECONDS` or `--wait forever` waits here",
            resets_in_s=left,
        )

    def limits(self) -> dict[Kind, float]:
        """The limits in force, the smaller one where a person set one too."""
        least: dict[Kind, float] = {}
        for _, kind, bucket in self._counts:
            least[kind] = min(bucket.limit, least.get(kind, math.inf))
        return least

    def charges(self, slot: Slot) -> list[Charge]:
        """What a counted call takes from each limit, for a gate that other processes share."""
        charges: dict[Kind, Charge] = {}
        for unit, kind, bucket in self._counts:
            # a guess is not imposed on others; of a limit that is set and learnt the smaller one holds
            if bucket.guess or (kind in charges and charges[kind].limit <= bucket.limit):
                continue
            amount = 1.0 if unit == "requests" else slot.charged_tokens
            # calls in flight are in the line by themselves: counted here too, they would count twice
            level = max(
                0.0, bucket.level - (self.in_flight if unit == "requests" else self._tokens_in_flight)
            )
            charges[kind] = Charge(kind, min(amount, bucket.limit), bucket.limit, bucket.period_s, level)
        return list(charges.values())

    def until_turn_s(self, turn: Turn, wall: float) -> float:
        """Seconds until a turn in the line of all processes.

        Raises:
            ProviderLimitError: If a daily limit makes it wait.
        """
        if turn.kind in {"rpd", "tpd"} and turn.wait_s > PACED_S:
            raise self.daily_limit(turn.wait_s, wall, turn.kind, self.limits().get(turn.kind, 0.0))
        return turn.wait_s

    # -- after a reply

    def settle(self, slot: Slot, used_tokens: int | None, now: float) -> None:
        """Settle an answered call."""
        self.pause.reset()
        self.concurrency.learning = False
        self.concurrency.grow(self.in_flight)
        # how much later than ours the provider may have counted: at worst a round trip. One slow reply is
        # remembered for some twenty answers (0.9 ** 20 = 0.12)
        self._margin_s = max(min(1.0, now - slot.sent_at), 0.9 * self._margin_s)
        if self._trying is slot and (bucket := self.buckets.get("rpm")) and bucket.guess:
            bucket.limit *= 2.0
        # a mean that follows the last ten or so; the first one counts whole
        if used_tokens is None:
            used_tokens = round(slot.charged_tokens)
        self._tokens_usual += (used_tokens - self._tokens_usual) * (0.1 if self._tokens_usual else 1.0)
        for unit, _, bucket in self._counts:
            bucket.headroom *= 0.98  # halved after 34 answers: whoever else used the limit may have gone
            if unit == "tokens":
                bucket.add(used_tokens - slot.charged_tokens)

    def observe(self, shown: Reading, slot: Slot, now: float) -> None:
        """Bound our own count by the one in a reply's headers.

        It is at least what they say, less what may have leaked since the call was sent, and at most that and
        every call that had not been answered when this one was sent: they may have overtaken each other.

            least = shown - leaked since it was sent  ≤  ours  ≤  shown + what the reply cannot have seen

        Above the upper bound ours holds what the provider has not counted, such as tokens estimated too high;
        below the lower one somebody else uses the limit too. In between both may be right, and ours stays.
        """
        bucket = self._bucket(shown.unit, shown.limit, shown.period_s, now)
        # all that was sent, less what the header counts for sure: what had ended before this call, and this call
        if shown.unit == "requests":
            unseen = self.requests - slot.mark[0] - 1.0
        else:
            unseen = self._tokens - slot.mark[1] - slot.charged_tokens
        least = shown.level - (now - slot.sent_at) * bucket.rate
        bucket.level = min(max(bucket.level, least), shown.level + max(0.0, unseen))
        # Groq shows the daily requests only, and refuses by the minute
        if shown.unit == "requests" and bucket.daily and "rpm" not in self.buckets:
            self._add("rpm", Bucket(GUESSED_RPM, MINUTE_S, now=now, level=self.in_flight, guess=True))

    def _bucket(self, unit: Unit, limit: float, period_s: float, now: float) -> Bucket:
        """The bucket of a limit the provider named, which may be new, changed, or taken for another before."""
        kind = kind_of(unit, period_s)
        bucket = self.buckets.get(kind)
        if bucket is None:
            self._forget_misread(kind, limit)
            # as full as can be: both callers lower it to what they know
            bucket = Bucket(limit, period_s, now=now, level=math.inf)
            self._add(kind, bucket)
        bucket.leak(now)
        bucket.limit, bucket.period_s, bucket.guess = limit, period_s, False
        return bucket

    def _add(self, kind: Kind, bucket: Bucket) -> None:
        self.buckets[kind] = bucket
        both = (*self.own.items(), *self.buckets.items())
        self._counts = [(KINDS[name][0], name, each) for name, each in both]

    def _forget_misread(self, kind: Kind, limit: float) -> None:
        # while little of a limit is used its period is unclear: the same number may have been read by the minute
        unit = KINDS[kind][0]
        misread = [name for name, it in self.buckets.items() if KINDS[name][0] == unit and it.limit == limit]
        for name in misread:
            del self.buckets[name]

    # -- after a 429

    def take_refusal(
        self, slot: Slot, headers: Mapping[str, str], text: str, *, now: float, wall: float
    ) -> None:
        """Take in a 429: every call on this model waits as long as it says."""
        self.rejected += 1
        self.concurrency.learning = False
        self.refund(slot)
        said = rejection(text)
        if said.never_fits:
            return
        wait = _agree(retry_after_s(headers, now=wall), said.wait_s)
        shown = readings(headers, provider=self.provider, now=wall)
        named = self._fill(said, slot, wait or 0.0, now)
        if self._trying is slot and "rpm" in self.buckets:
            self.buckets["rpm"].guess = False
        # no limit that is counted explains it: too many at once, then
        if not named and not any(reading.level + 1.0 >= reading.limit for reading in shown):
            self.concurrency.shrink(self.in_flight, sent_at=slot.sent_at, now=now)
        daily = says_daily(text) or (wait or 0.0) > self.longest_pause_s
        own = HOUR_S if daily else self.pause.own_s(sent_at=slot.sent_at)
        self.pause.hold(wait or own, daily=daily, now=now)

    def _fill(self, said: Rejection, slot: Slot, wait: float, now: float) -> bool:
        """Fill the named bucket so far that this request fits when the reply says it will."""
        if said.unit is None or not said.limit:
            return False
        period = said.leaks_in_s(wait)
        before = self.buckets.get(kind_of(said.unit, period))
        expected = before is not None and before.limit == said.limit and not before.guess
        if before is not None and expected:
            period = before.period_s
        bucket = self._bucket(said.unit, said.limit, period, now)
        # the bucket's own arithmetic, solved for the level: wait = (level + requested - limit) / rate
        level = said.limit - (said.requested or 1.0) + wait * bucket.rate
        fitted = bucket.level + (said.requested or 1.0) <= said.limit
        # during a pause the calls in flight are refused too: that is no surprise
        if expected and fitted and not self.pause.length_s:
            bucket.leave_room(said.requested or 1.0)
        bucket.level = level if math.isinf(bucket.level) else max(level, bucket.level)
        if said.unit == "tokens" and said.requested:
            self._expect(said.requested, slot)
        return True

    def _expect(self, requested: float, slot: Slot) -> None:
        """The provider counts more for a request than we estimate: estimate so from now on, within reason."""
        # nearer to the prompt with the whole output limit than to what we expect of the answer: it counts that
        if slot.most and not self._counts_most and requested > (slot.tokens + slot.most) / 2:
            self._counts_most, self._tokens_scale = True, 1.0
        if self._counts_most and slot.most:
            self._tokens_scale = min(4.0, max(self._tokens_scale, requested / slot.most))
        elif slot.tokens:
            self._tokens_scale = min(4.0, max(self._tokens_scale, requested / slot.tokens))
        else:
            self._tokens_usual = max(self._tokens_usual, requested)


def _agree(asked: float | None, said: float | None) -> float | None:
    """The header's wait, or the text's where it is the same with decimals; the longer one where they differ."""
    waits = [min(wait, LONGEST_WAIT_S) for wait in (asked, said) if wait is not None]
    # most headers have whole seconds, rounded up
    if asked is not None and said is not None and asked - 1.0 <= said <= asked:
        return said
    return max(waits, default=None)
