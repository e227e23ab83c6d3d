"""Networks: what refers to what in one document, which values occur together, whom they join."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from cupel.errors import InputError
from cupel.report.charts.rows import Rows, is_nothing, plain
from cupel.report.charts.spec import COLOURS, SOFT, Drawing, at_pixel, in_layers, words

MAX_NODES = 40
_WIDTH, _HEIGHT = 760, 560
_BOX, _GAP, _LINE = 350, 130, 17


def links(rows: Rows, doc: str | int | None) -> Drawing:
    """The items of one document, and which of them refer to which.

    Raises:
        InputError: If there is no such document, or its task has no references.
    """
    name, of_document = rows.of_document(doc)
    referring = [
        column.removesuffix("_text")
        for column in rows.columns
        if column.startswith("item_") and column.endswith("_text")
    ]
    referring = [column for column in referring if column in rows.columns and column != "item"]
    if not referring:
        raise InputError(
            "no field of the items refers to others (`x-refers-to` in the task's schema): take another kind"
        )
    items = [row for row in of_document if not is_nothing(row.get("item_pointer"))]
    sources, edges = [], []
    for row in items:
        to = {str(text) for column in referring for text in _listed(row.get(f"{column}_text"))}
        if any(
            row["item_list"] == other["item_list"] and not is_nothing(other.get(column))
            for other in items
            for column in referring
        ):
            sources.append(row)
        edges.append((row, to))
    targets = [row for row in items if row not in sources]
    place = {row["item_pointer"]: number for number, row in enumerate(targets)}
    aims = {
        row["item_pointer"]: [
            target["item_pointer"] for target in targets if str(target.get("item_text")) in to
        ]
        for row, to in edges
        if row in sources
    }
    sources.sort(key=lambda row: min((place[aim] for aim in aims[row["item_pointer"]]), default=len(place)))
    left, right = _column(sources, 0), _column(targets, _BOX + _GAP)
    height = max((box["y2"] for box in [*left, *right]), default=0)
    at = {box["pointer"]: box for box in right}
    lines = [
        {
            "x": box["x2"],
            "y": (box["y"] + box["y2"]) / 2,
            "x2": at[aim]["x"],
            "y2": (at[aim]["y"] + at[aim]["y2"]) / 2,
        }
        for box in left
        for aim in aims[box["pointer"]]
    ]
    spec = in_layers(2 * _BOX + _GAP, height, [
        {"data": {"values": lines}, "mark": {"type": "rule", "strokeWidth": 1.6, "color": SOFT}, "encoding": _ends()},
        {
            "data": {"values": [_without(box, "pointer") for box in [*left, *right]]},
            "mark": {"type": "rect", "cornerRadius": 6, "fill": "#ffffff", "strokeWidth": 1.4},
            "encoding": {**_ends(), "stroke": {"field": "list", "type": "nominal", "title": None, "legend": {"orient": "top"},
                         "scale": {"range": list(COLOURS)}}},
        },
        {
            "data": {"values": [_without(box, "pointer") for box in [*left, *right]]},
            "mark": {"type": "text", "align": "left", "baseline": "top", "lineBreak": "\n", "lineHeight": _LINE, "dx": 10, "dy": 9},
            "encoding": {"x": at_pixel("x"), "y": at_pixel("y"), "text": {"field": "label"}},
        },
    ])  # fmt: skip
    figures = [
        {
            "list": row["item_list"],
            "text": plain(row.get("item_text"), 200),
            "refers_to": "; ".join(sorted(plain(text, 200) for text in to)),
        }
        for row, to in edges
    ]
    return Drawing(f"What refers to what in {plain(name, 60)}", figures, spec)


def together(rows: Rows, field: str | None) -> Drawing:
    """Which values occur in the same documents: the more they share, the thicker the line."""
    column = rows.column(field, "field") if field else "item_text"
    found: dict[str, set[str]] = {}
    for name, value in rows.values(column):
        found.setdefault(name, set()).add(plain(value, 40))
    nodes = Counter(value for values in found.values() for value in values)
    pairs = Counter(pair for values in found.values() for pair in combinations(sorted(values), 2))
    # of what occurs once, all pairs would be drawn: every document a knot of its own
    often = {value for value, number in nodes.items() if number > 1}
    kept = {pair: number for pair, number in pairs.items() if often.issuperset(pair)}
    return _network(
        nodes, kept, f"{rows.say(column)}: which occur together", "documents with it", "documents with both"
    )


def joined(rows: Rows, field: str | None, by: str | None) -> Drawing:
    """Who is joined to whom by what: persons (or groups) whose documents share values."""
    if by is None:
        raise InputError(
            f"a network of speakers needs their column: by=COLUMN, of {', '.join(map(repr, rows.own()))}"
        )
    who = rows.column(by, "by")
    persons = {name: plain(value, 40) for name, value in rows.values(who)}
    column = rows.column(field, "field") if field else "item_text"
    said: dict[str, set[str]] = {}
    for name, value in rows.values(column):
        if name in persons:
            said.setdefault(persons[name], set()).add(plain(value, 80).casefold())
    nodes = Counter(persons.values())
    pairs = {
        (one, other): len(said[one] & said[other])
        for one, other in combinations(sorted(said), 2)
        if said[one] & said[other]
    }
    return _network(
        nodes, pairs, f"{words(who)}: joined by the same {rows.say(column)}", "documents", "shared values"
    )


def _network(
    nodes: Mapping[str, int], pairs: Mapping[tuple[str, str], int], title: str, of_node: str, of_pair: str
) -> Drawing:
    joined_ = Counter[str]()
    for pair, number in pairs.items():
        for name in pair:
            joined_[name] += number
    top = [
        name
        for name, _ in sorted(joined_.items(), key=lambda pair: (-pair[1], -nodes[pair[0]], pair[0]))[
            :MAX_NODES
        ]
    ]
    if not top:
        raise InputError(
            f"{title}: no two share anything, so there is no network to draw; name another field"
        )
    kept = {pair: number for pair, number in pairs.items() if set(pair) <= set(top)}
    places = _lay_out(top, kept)
    most = max(kept.values())
    lines = [
        {
            "x": places[a].x,
            "y": places[a].y,
            "x2": places[b].x,
            "y2": places[b].y,
            "number": number,
            "width": 0.8 + 4 * number / most,
        }
        for (a, b), number in kept.items()
    ]
    different = sorted({nodes[name] for name in top})
    sizes = (
        [*different[:: max(1, len(different) // 3)][:3], different[-1]] if len(different) > 3 else different
    )
    points = [
        {"x": places[name].x, "y": places[name].y, "label": name, "number": nodes[name]} for name in top
    ]
    spec = in_layers(_WIDTH, _HEIGHT, [
        {"data": {"values": lines}, "mark": {"type": "rule", "color": "#c5a58f", "opacity": 0.75},
         "encoding": {**_ends(), "strokeWidth": {"field": "width", "type": "quantitative", "scale": None}}},
        {"data": {"values": points}, "mark": {"type": "circle", "color": COLOURS[0], "opacity": 1},
         "encoding": {"x": at_pixel("x"), "y": at_pixel("y"),
                      "size": {"field": "number", "type": "quantitative", "title": of_node,
                               "scale": {"range": [60, 500], "zero": True}, "legend": {"orient": "bottom", "values": sizes, "format": ",d", "symbolType": "circle"}}}},
        {"data": {"values": points},
         "mark": {"type": "text", "baseline": "bottom", "dy": -11, "stroke": "#ffffff", "strokeWidth": 3, "strokeOpacity": 0.9},
         "encoding": {"x": at_pixel("x"), "y": at_pixel("y"), "text": {"field": "label"}}},
        {"data": {"values": points}, "mark": {"type": "text", "baseline": "bottom", "dy": -11},
         "encoding": {"x": at_pixel("x"), "y": at_pixel("y"), "text": {"field": "label"}}},
    ])  # fmt: skip
    figures = [
        {"one": a, "other": b, "number": number}
        for (a, b), number in sorted(kept.items(), key=lambda each: (-each[1], each[0]))
    ]
    left_out = f" (the {len(top)} most joined of {len(joined_)})" if len(joined_) > len(top) else ""
    return Drawing(f"{title}{left_out}", [{**row, "counted": of_pair} for row in figures], spec)


class _Place(NamedTuple):
    x: float
    y: float


def _lay_out(names: Sequence[str], pairs: Mapping[tuple[str, str], int]) -> dict[str, _Place]:
    """Places by springs and repulsion, from a circle: the same each time (Fruchterman and Reingold, 1991)."""
    import numpy as np  # whoever draws nothing does without

    number = len(names)
    turns = 2 * np.pi * np.arange(number) / number
    at = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    index = {name: place for place, name in enumerate(names)}
    pull = np.zeros((number, number))
    for (one, other), weight in pairs.items():
        pull[index[one], index[other]] = pull[index[other], index[one]] = 1 + np.log(weight)
    ideal = 1.9 / np.sqrt(number)
    for step in np.linspace(0.25, 0.005, 300):
        apart = at[:, None] - at[None]
        distance = np.maximum(np.linalg.norm(apart, axis=2), 1e-3)
        # the last term keeps parts that nothing joins on the page
        force = (
            apart / distance[..., None] * (ideal**2 / distance - pull * distance**2 / ideal)[..., None]
        ).sum(axis=1) - 0.6 * at
        length = np.maximum(np.linalg.norm(force, axis=1, keepdims=True), 1e-9)
        at += force / length * np.minimum(length, step)
    low, high = at.min(axis=0), at.max(axis=0)
    size = np.where(high - low < 1e-9, 1, high - low)
    margin = np.array([90, 40])
    where = margin + (at - low) / size * (np.array([_WIDTH, _HEIGHT]) - 2 * margin)
    return {
        name: _Place(round(float(x), 1), round(float(y), 1))
        for name, (x, y) in zip(names, where, strict=True)
    }


def _column(rows: Sequence[Mapping[str, Any]], x: float) -> list[dict[str, Any]]:
    """Boxes one below the other, as high as their text."""
    boxes, y = [], 0.0
    for row in rows:
        text = "\n".join(textwrap.wrap(plain(row.get("item_text"), 240), 50) or ["(no text)"])
        height = 18 + _LINE * (text.count("\n") + 1)
        boxes.append({
            "x": x, "y": y, "x2": x + _BOX, "y2": y + height, "label": text, "list": plain(str(row["item_list"]).replace("_", " ")),
            "pointer": row["item_pointer"],
        })  # fmt: skip
        y += height + 12
    return boxes


def _listed(value: Any) -> list[Any]:
    value = value.tolist() if hasattr(value, "tolist") else value  # a cell read from Parquet is an array
    if isinstance(value, list | tuple):
        return [each for each in value if not is_nothing(each)]
    return [] if is_nothing(value) else [value]


def _without(box: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in box.items() if key != name}


def _ends() -> dict[str, Any]:
    return {"x": at_pixel("x"), "y": at_pixel("y"), "x2": {"field": "x2"}, "y2": {"field": "y2"}}
