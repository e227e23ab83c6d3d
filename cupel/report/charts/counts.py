"""Bars: what is there how often, by group, over time, and what is said most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cupel.errors import InputError
from cupel.report.charts.rows import DATE, Rows, plain
from cupel.report.charts.spec import Drawing, whole_axis, words

MAX_BARS = 30
_PERIODS = 40
_COUNTED = {True: "items", False: "documents"}
"""What a column is of: an item's fields begin with `item_`."""


def counts(rows: Rows, field: str | None, by: str | None) -> Drawing:
    """How often each value is there; `by` cuts the bars by a column."""
    column = rows.column(field, "field") if field else rows.default_field()
    whole = Counter(_label(column, value) for _, value in rows.values(column))
    what = _COUNTED[column.startswith("item_")]
    if by is None:
        data = [{"value": value, "number": number} for value, number in whole.most_common(MAX_BARS)]
        return Drawing(f"{rows.say(column)}: {what}", data, _bars(data, what, more=len(whole) - len(data)))
    group = rows.column(by, "by")
    data = _crossed(rows, column, group)
    order = _order(data)
    groups = _largest(data, MAX_BARS)
    spec = _stack([row for row in data if row["group"] in set(groups)], order, groups, what)
    return Drawing(f"{rows.say(column)} by {words(group)}: {what}", data, spec)


def shares(rows: Rows, field: str | None, by: str | None) -> Drawing:
    """How the values are shared out in each group, with the group's size."""
    if by is None:
        raise InputError(f"a chart of shares needs a group: by=COLUMN, such as {_such_as(rows)}")
    column = rows.column(field, "field") if field else rows.default_field()
    group = rows.column(by, "by")
    data = _crossed(rows, column, group)
    sizes = Counter[str]()
    for row in data:
        sizes[row["group"]] += row["number"]
    order = _order(data)
    groups = _largest(data, MAX_BARS)
    shown = [
        {
            **row,
            "group": f"{row['group']}  ({sizes[row['group']]:,})",
            "share": row["number"] / sizes[row["group"]],
        }
        for row in data
        if row["group"] in set(groups)
    ]
    named = [f"{name}  ({sizes[name]:,})" for name in groups]
    what = _COUNTED[column.startswith("item_")]
    spec = _stack(shown, order, named, f"share of {what}", size="share")
    return Drawing(f"{rows.say(column)} by {words(group)}: shares", data, spec)


def over_time(rows: Rows, field: str | None, by: str | None) -> Drawing:
    """How often each value is there in each day, month or year, whichever are few enough."""
    date = rows.column(by, "by") if by else rows.dates()
    if date is None:
        raise InputError(f"no column of dates (2025-03-12): name one with by=, of {_such_as(rows)}")
    column = rows.column(field, "field") if field else rows.default_field()
    days = dict(_first(rows, date))
    undated = [day for day in days.values() if not DATE.match(day)]
    if undated:
        raise InputError(
            f"by={date!r}: {plain(undated[0])!r} is no date as 2025-03-12, 2025-03 or 2025-03-12T09:30"
        )
    length = next((size for size in (10, 7, 4) if len({day[:size] for day in days.values()}) <= _PERIODS), 4)
    found = Counter(
        (days[name][:length], _label(column, value)) for name, value in rows.values(column) if name in days
    )
    data = [
        {"group": period, "value": value, "number": number}
        for (period, value), number in sorted(found.items())
    ]
    order = _order(data)
    what = _COUNTED[column.startswith("item_")]
    unit = {10: "day", 7: "month", 4: "year"}[length]
    spec = {
        "width": max(240, 26 * len({row["group"] for row in data})), "height": 260, "data": {"values": data},
        "mark": {"type": "bar"},
        "encoding": {
            "x": {"field": "group", "type": "ordinal", "title": unit, "axis": {"labelAngle": -45 if len({row["group"] for row in data}) > 8 else 0}},
            "y": {"field": "number", "type": "quantitative", "title": what, "axis": whole_axis(_highest(data))},
            "color": _colour(order),
            "order": {"field": "number", "sort": "descending"},
        },
    }  # fmt: skip
    return Drawing(f"{rows.say(column)} over time: {what}", data, spec)


def most(rows: Rows, field: str | None, by: str | None) -> Drawing:
    """What is said most: the values most documents have; of items that others refer to, those with most of these."""
    referring = [
        name
        for name in rows.columns
        if name.startswith("item_") and name.endswith("_text") and name != "item_text"
    ]
    if field is None and referring:
        named = words(referring[0].removesuffix("_text"))
        found = Counter(plain(value, 110) for _, value in rows.values(referring[0]) if isinstance(value, str))
        return _most(found, f"What is referred to most ({named})", f"times it is in “{named}”")
    column = rows.column(field, "field") if field else "item_text"
    if by is not None:
        return _most_by(rows, column, rows.column(by, "by"))
    once = {(name, plain(value, 110)) for name, value in rows.values(column)}
    return _most(Counter(value for _, value in once), f"{rows.say(column)}: the most frequent", "documents")


def _most(found: Mapping[str, int], title: str, what: str) -> Drawing:
    top = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:15]
    data = [{"value": value, "number": number} for value, number in top]
    return Drawing(title, data, _bars(data, what, more=len(found) - len(data)))


def _most_by(rows: Rows, column: str, group: str) -> Drawing:
    """The most frequent values, their bars cut by a group."""
    groups = dict(_first(rows, group))
    found = {(name, plain(value, 110)) for name, value in rows.values(column)}
    totals = Counter(value for _, value in found)
    top = [value for value, _ in sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))[:15]]
    cut = Counter((value, groups.get(name, "(none)")) for name, value in found if value in set(top))
    data = [{"group": value, "value": of, "number": number} for (value, of), number in cut.items()]
    order = _order(data)
    return Drawing(
        f"{rows.say(column)}: the most frequent, by {words(group)}",
        data,
        _stack(data, order, top, "documents"),
    )


def _crossed(rows: Rows, column: str, group: str) -> list[dict[str, Any]]:
    groups = dict(_first(rows, group))
    if group.startswith("item_"):
        found = Counter(
            (plain(row.get(group)), _label(column, row.get(column)))
            for _, row in rows
            if row.get("item_pointer") is not None
        )
    else:
        found = Counter(
            (groups.get(name, "(none)"), _label(column, value)) for name, value in rows.values(column)
        )
    return [{"group": of, "value": value, "number": number} for (of, value), number in sorted(found.items())]


def _first(rows: Rows, column: str) -> Sequence[tuple[str, str]]:
    """Each document with its value of a column; the first item's where it is an item's column."""
    found: dict[str, str] = {}
    for name, value in rows.values(column):
        found.setdefault(name, plain(value))
    return list(found.items())


def _label(column: str, value: Any) -> str:
    return plain(value) if column != "item_list" else plain(str(value).replace("_", " "))


def _largest(data: Sequence[Mapping[str, Any]], most_: int) -> list[str]:
    totals = Counter[str]()
    for row in data:
        totals[row["group"]] += row["number"]
    return [name for name, _ in sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))[:most_]]


def _highest(data: Sequence[Mapping[str, Any]], by: str = "group") -> int:
    """The length of the longest bar."""
    totals = Counter[str]()
    for row in data:
        totals[row[by]] += row["number"]
    return max(totals.values(), default=0)


def _order(data: Sequence[Mapping[str, Any]]) -> list[str]:
    """The values, the most frequent first."""
    totals = Counter[str]()
    for row in data:
        totals[row["value"]] += row["number"]
    return [value for value, _ in sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))]


def _such_as(rows: Rows) -> str:
    return ", ".join(repr(name) for name in rows.own()) or "no other column is there"


def _colour(order: Sequence[str]) -> dict[str, Any]:
    return {
        "field": "value",
        "type": "nominal",
        "title": None,
        "sort": list(order),
        "legend": {"orient": "top", "columns": 4},
    }


def _bars(data: Sequence[Mapping[str, Any]], what: str, *, more: int) -> dict[str, Any]:
    y = {"field": "value", "type": "nominal", "title": None, "sort": [row["value"] for row in data]}
    x = {
        "field": "number",
        "type": "quantitative",
        "title": what + (f" ({more:,} more values are not shown)" if more > 0 else ""),
        "axis": whole_axis(_highest(data, "value")),
    }
    return {
        "width": 420, "height": {"step": 26}, "data": {"values": list(data)}, "encoding": {"y": y},
        "layer": [
            {"mark": "bar", "encoding": {"x": x}},
            {"mark": {"type": "text", "align": "left", "dx": 5}, "encoding": {"x": x, "text": {"field": "number", "format": ",d"}}},
        ],
    }  # fmt: skip


def _stack(
    data: Sequence[Mapping[str, Any]],
    order: Sequence[str],
    groups: Sequence[str],
    what: str,
    size: str = "number",
) -> dict[str, Any]:
    """Bars in parts, side by side in the order of their labels."""
    places = {value: place for place, value in enumerate(order)}
    values = [{**row, "place": places[row["value"]]} for row in data]
    axis: dict[str, Any] = {"format": "%"} if size == "share" else whole_axis(_highest(data))
    return {
        "width": 420, "height": {"step": 26}, "data": {"values": values}, "mark": "bar",
        "encoding": {
            "y": {"field": "group", "type": "nominal", "title": None, "sort": list(groups)},
            "x": {"field": size, "type": "quantitative", "title": what, "axis": axis, "stack": "zero"},
            "color": _colour(order),
            "order": {"field": "place"},
        },
    }  # fmt: skip
