"""What a run paid and what its rows hold, and how the two hang together: the one place where that is added up.

    paid by the run  =  on its rows  +  on no row  +  reserved
    cost of the rows =  paid by the run, on its rows  +  found: paid by other runs, or for other rows

A call on no row is one whose row has no outcome yet, or had another walk. What is reserved was set aside for a call that
a killed process was never answered: the provider may have billed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from cupel._format import count, usd
from cupel.runlog import tables
from cupel.runlog.usage import Usage

_DUST = 5e-9
"""US dollars that are only the rounding of sums."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One run's calls and US dollars over all its invocations; calls of unknown price are counted and cost nothing."""

    paid_calls: Mapping[str, int]
    """By model, the answers this run paid for."""

    paid_usd: Mapping[str, float]
    unpriced: Mapping[str, int]
    """By model, those of the paid calls whose price nobody knows."""

    reserved_usd: float
    row_calls: float
    """The answers its rows rest on, however they were come by."""

    row_usd: float
    found_calls: float
    """Of these, the answers that another run paid for, or another row."""

    found_usd: float
    row_unpriced: int

    @property
    def total_usd(self) -> float:
        """What the run has cost so far, and what its cap counts."""
        return sum(self.paid_usd.values()) + self.reserved_usd

    @property
    def calls(self) -> int:
        """All answers the run paid for."""
        return sum(self.paid_calls.values())

    @property
    def off_row_calls(self) -> float:
        """Answers it paid for that stand on no row."""
        return round(self.calls - (self.row_calls - self.found_calls), 6)

    @property
    def off_row_usd(self) -> float:
        """What those cost."""
        off = sum(self.paid_usd.values()) - (self.row_usd - self.found_usd)
        return 0.0 if abs(off) < _DUST else off

    @property
    def is_priced(self) -> bool:
        """Whether every price is known."""
        return not (self.unpriced or self.row_unpriced)

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "paid": {"calls": self.calls, "usd": round(sum(self.paid_usd.values()), 8)},
            "reserved_usd": round(self.reserved_usd, 8),
            "rows": {"calls": round(self.row_calls, 3), "usd": round(self.row_usd, 8)},
            "found": {"calls": round(self.found_calls, 3), "usd": round(self.found_usd, 8)},
            "on_no_row": {"calls": round(self.off_row_calls, 3), "usd": round(self.off_row_usd, 8)},
            "priced": self.is_priced,
        }

    def sentence(self) -> str:
        """Both sums in words, with what makes the difference.

        >>> none = {"reserved_usd": 0.0, "row_unpriced": 0, "unpriced": {}}
        >>> print(Account(paid_calls={"m": 5}, paid_usd={"m": 0.5}, row_calls=7, row_usd=0.7, found_calls=2,
        ...               found_usd=0.2, **none).sentence())
        paid by this run: $0.5000 for 5 calls; its rows rest on 7 calls of $0.7000, 2 of them ($0.2000) found in the run log
        """
        unknown = "" if self.is_priced else " and calls of unknown price"
        paid = f"paid by this run: {usd(self.total_usd)}{unknown} for {_calls(self.calls)}"
        parts = [f"its rows rest on {_calls(self.row_calls)} of {usd(self.row_usd)}"]
        if self.found_calls:
            parts.append(f"{_whole(self.found_calls)} of them ({usd(self.found_usd)}) found in the run log")
        if round(self.off_row_calls) < 0:
            shared = f"{_calls(-self.off_row_calls)} ({usd(-self.off_row_usd)})"
            parts.append(f"{shared} booked with the tasks they were asked together with")
        if round(self.off_row_calls) > 0:
            parts.append(f"{_calls(self.off_row_calls)} ({usd(self.off_row_usd)}) for no row that is done")
        if self.reserved_usd > _DUST:
            parts.append(f"{usd(self.reserved_usd)} reserved for calls never heard of again")
        return f"{paid}; {', '.join(parts)}"


def read_account(connection: Connection, run_ids: Sequence[str], usage: Usage) -> Account:
    """The account of a run whose rows took this: of its id, or of its own and those of its parts."""
    answers, held = tables.responses.c, tables.reservations.c
    by_model = (
        select(answers.model, func.count(), func.coalesce(func.sum(answers.cost_usd), 0.0), func.count(answers.cost_usd))
        .where(answers.run_id.in_(run_ids))
        .group_by(answers.model)
    )  # fmt: skip
    rows = connection.execute(by_model).all()
    reserved = select(func.coalesce(func.sum(held.usd), 0.0)).where(held.run_id.in_(run_ids))
    return Account(
        paid_calls={model: calls for model, calls, _, _ in rows},
        paid_usd={model: float(cost) for model, _, cost, _ in rows},
        unpriced={model: calls - priced for model, calls, _, priced in rows if priced < calls},
        reserved_usd=float(connection.execute(reserved).scalar_one()),
        **_sums(usage),
    )


def account_of_rows(usage: Usage, *, who: str) -> Account:
    """The account of a run whose answers lie in somebody else's run log: what is on its rows is all that is known.

    Args:
        usage: What its rows took.
        who: Whose run log that is.
    """
    sums = _sums(usage)
    return Account(
        paid_calls={who: round(sums["row_calls"] - sums["found_calls"])},
        paid_usd={who: sums["row_usd"] - sums["found_usd"]},
        unpriced={},
        reserved_usd=0.0,
        **sums,
    )


def _sums(usage: Usage) -> dict[str, Any]:
    roles = usage.roles.values()
    return {
        "row_calls": sum(role.calls for role in roles),
        "row_usd": sum(role.cost_usd for role in roles),
        "found_calls": sum(role.found_calls for role in roles),
        "found_usd": sum(role.found_usd for role in roles),
        "row_unpriced": sum(role.unpriced for role in roles),
    }


def _calls(number: float) -> str:
    whole = _whole(number)
    return f"{whole} call" if whole == "1" else f"{whole} calls"


def _whole(number: float) -> str:
    return count(round(number))
