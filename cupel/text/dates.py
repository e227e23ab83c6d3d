"""Dates as ISO 8601 writes them, and what a text means that counts from its own date: arithmetic, and no model.

What is known to the day is written to the day (`2025-03-10`), else to the week (`2025-W10`), the month (`2025-03`) or the
year (`2025`); a quarter, a decade and a century are written from their first to their last month or year
(`2025-01/2025-03`, `2020/2029`, `1900/1999`). `--03-10` and `--03` are a day and a month of a year nobody said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

_ISO = re.compile(r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d))?|-W(?P<week>\d\d))?", re.ASCII)
_NO_YEAR = re.compile(r"--\d\d(?:-\d\d)?", re.ASCII)
_OWN = re.compile(r"(\d{4}(?:-\d\d(?:-\d\d)?)?)(?:[T ].*)?", re.ASCII | re.DOTALL)
_LEAP = 2000
"""A year that has every day there is, to see whether a day without a year exists."""


class Span(NamedTuple):
    """A first and a last day, both within."""

    first: date
    last: date


def span_of(iso: str) -> Span | None:
    """The days a date with a year stands for; None where there is no such date, or it is written otherwise.

    >>> span_of("2024-02")
    Span(first=datetime.date(2024, 2, 1), last=datetime.date(2024, 2, 29))
    >>> span_of("2025-02-30") is None
    True
    """
    begun, slash, ended = iso.partition("/")
    if slash:
        first, last = span_of(begun), span_of(ended)
        both = first is not None and last is not None and "/" not in ended
        return Span(first.first, last.last) if both and first and last and first.first <= last.last else None
    found = _ISO.fullmatch(iso)
    try:
        return None if found is None else _days(*(found[part] for part in ("year", "month", "day", "week")))
    except ValueError:
        return None


def _days(year: str, month: str | None, day: str | None, week: str | None) -> Span:
    if week is not None:
        return Span(
            date.fromisocalendar(int(year), int(week), 1), date.fromisocalendar(int(year), int(week), 7)
        )
    if day is not None:
        one = date(int(year), int(month or 0), int(day))
        return Span(one, one)
    if month is None:
        return Span(date(int(year), 1, 1), date(int(year), 12, 31))
    return Span(date(int(year), int(month), 1), _last_of_month(int(year), int(month)))


def _last_of_month(year: int, month: int) -> date:
    return date(year, 12, 31) if month == 12 else date(year, month + 1, 1) - timedelta(days=1)


def is_date(iso: str) -> bool:
    """Whether this is a date of ISO 8601 that there is; also a day or month without its year.

    >>> [is_date(each) for each in ("2025-W10", "--02-29", "2025-13", "10.3.2025")]
    [True, True, False, False]
    """
    return span_of(_with_year(iso, _LEAP)) is not None


def _with_year(iso: str, year: int) -> str:
    return f"{year:04}{iso[1:]}" if _NO_YEAR.fullmatch(iso) else iso


def own_date(cell: str) -> str | None:
    """A document's own date as it stands in a column, to the day, month or year; None where it is no ISO date.

    >>> own_date("2025-03-10 00:00:00"), own_date("2025-03"), own_date("10.3.2025")
    ('2025-03-10', '2025-03', None)
    """
    found = _OWN.fullmatch(cell.strip())
    return found[1] if found is not None and span_of(found[1]) is not None else None


def resolve_date(iso: str | None, unit: str | None, shift: float | None, own: str | None) -> str | None:
    """The date a text means, as exactly as it says it.

    Args:
        iso: A calendar date that the text names, in full or without its year.
        unit: Else what it counts in: day, week, month, quarter, year, decade or century. Beside a date without its
            year, only `year` says something: which one.
        shift: How many of them from the document's date; negative for the past.
        own: The document's date, to the day, month or year.

    Returns:
        A date or an interval of ISO 8601; None where it cannot be known.

    >>> resolve_date(None, "year", -1, "2025-03-10"), resolve_date(None, "week", -1, "2025-03-10")
    ('2024', '2025-W10')
    >>> resolve_date(None, "day", -3, "2025-03-01"), resolve_date(None, "day", -3, "2025-03")
    ('2025-02-26', None)
    >>> resolve_date("--03", "year", -1, "2025-06-01"), resolve_date("2019-05", None, None, None)
    ('2024-03', '2019-05')
    """
    steps = int(shift) if shift is not None and float(shift).is_integer() else None
    if iso:
        return _complete(iso, steps if unit == "year" else 0, own)
    if unit is None or unit not in _SHIFTS or steps is None or own is None:
        return None
    needs, move = _SHIFTS[unit]
    span = span_of(own)
    if span is None or len(own) < needs:
        return None
    try:
        return move(span.first, steps)
    except (OverflowError, ValueError):  # before the first year, or after the last
        return None


def _complete(iso: str, years: int | None, own: str | None) -> str | None:
    if _NO_YEAR.fullmatch(iso) is None:
        return iso if span_of(iso) is not None else None
    if own is None or span_of(own) is None or not 0 <= (year := int(own[:4]) + (years or 0)) <= 9999:
        return None
    made = _with_year(iso, year)
    return made if span_of(made) is not None else None


def _day(own: date, steps: int) -> str:
    return (own + timedelta(days=steps)).isoformat()


def _week(own: date, steps: int) -> str:
    year, week, _ = (own + timedelta(weeks=steps)).isocalendar()
    return f"{year:04}-W{week:02}"


def _month(own: date, steps: int) -> str:
    year, month = divmod(own.year * 12 + own.month - 1 + steps, 12)
    return date(year, month + 1, 1).isoformat()[:7]


def _quarter(own: date, steps: int) -> str:
    year, quarter = divmod(own.year * 4 + (own.month - 1) // 3 + steps, 4)
    first = date(year, 3 * quarter + 1, 1)
    return f"{first.isoformat()[:7]}/{year:04}-{first.month + 2:02}"


def _year(own: date, steps: int) -> str:
    return f"{own.replace(year=own.year + steps, day=1).year:04}"


def _years(length: int) -> Callable[[date, int], str]:
    def move(own: date, steps: int) -> str:
        first = date((own.year // length + steps) * length or 1, 1, 1).year
        return f"{first:04}/{date(first // length * length + length - 1, 1, 1).year:04}"

    return move


_SHIFTS: Mapping[str, tuple[int, Callable[[date, int], str]]] = {
    "day": (10, _day), "week": (10, _week), "month": (7, _month), "quarter": (7, _quarter), "year": (4, _year),
    "decade": (4, _years(10)), "century": (4, _years(100)),
}  # fmt: skip
"""How exactly a document's date has to be known (`2025-03-10` has ten characters), and what it comes to."""
