"""The picture of where documents went: the graph's nodes and edges with counts, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cupel._format import count
from cupel.report.markup import Safe, tag
from cupel.report.summary import Totals


class Point(NamedTuple):
    """A place in the picture."""

    x: float
    y: float


_WIDTH, _BOX_WIDTH, _BOX_HEIGHT = 960, 112, 46

_PLACES = {
    "prepare": Point(72, 112),
    "extract": Point(252, 112),
    "verify": Point(440, 112),
    "judge": Point(640, 112),
    "finish": Point(880, 112),
    "escalate": Point(440, 252),
    "refine": Point(640, 252),
    "review": Point(800, 252),
}

_HALF_W, _HALF_H = _BOX_WIDTH / 2, _BOX_HEIGHT / 2

# Where a step leaves its node, how it bends and where it arrives, for those a straight line would serve badly.
_CURVES: dict[tuple[str, str], tuple[Point, Point, Point, Point]] = {
    ("verify", "escalate"): (Point(406, 135), Point(406, 170), Point(406, 195), Point(406, 229)),
    ("escalate", "verify"): (Point(468, 229), Point(468, 195), Point(468, 170), Point(468, 135)),
    ("verify", "finish"): (Point(462, 89), Point(500, 20), Point(820, 20), Point(862, 89)),
    ("prepare", "finish"): (Point(72, 89), Point(110, -22), Point(850, -22), Point(892, 89)),
    ("prepare", "escalate"): (Point(72, 135), Point(72, 240), Point(200, 252), Point(384, 252)),
    ("refine", "extract"): (Point(640, 275), Point(630, 345), Point(272, 345), Point(252, 135)),
    ("judge", "escalate"): (Point(612, 135), Point(596, 190), Point(550, 205), Point(494, 229)),
    ("judge", "refine"): (Point(640, 135), Point(640, 170), Point(640, 195), Point(640, 229)),
    ("refine", "escalate"): (Point(584, 252), Point(560, 252), Point(530, 252), Point(496, 252)),
    ("judge", "review"): (Point(672, 135), Point(700, 190), Point(740, 205), Point(774, 229)),
    ("review", "finish"): (Point(826, 229), Point(850, 205), Point(872, 180), Point(876, 135)),
}


def flow_picture(totals: Totals) -> Safe:
    """Draw how many documents took each step; a step taken twice by a document counts twice.

    Nodes of a graph of one's own stand in a row of their own below.
    """
    places = _place(totals.nodes)
    height = 320 if max(place.y for place in places.values()) < 300 else 420
    most = max(totals.edges.values(), default=1)
    drawn = [_edge(step, number, places, most) for step, number in sorted(totals.edges.items())]
    return tag(
        "svg",
        tag("title", "Where documents went"),
        tag("defs", _arrow_head()),
        [line for line, _ in drawn],
        [_node(name, place, totals.nodes[name]) for name, place in places.items()],
        [label for _, label in drawn],
        viewBox=f"0 0 {_WIDTH} {height}",
        class_="flow",
        role="img",
    )


def _place(nodes: Mapping[str, int]) -> dict[str, Point]:
    own = sorted(name for name in nodes if name not in _PLACES)
    step = _WIDTH / (len(own) + 1)
    return _PLACES | {name: Point(step * (number + 1), 370) for number, name in enumerate(own)}


def _edge(step: tuple[str, str], number: int, places: Mapping[str, Point], most: int) -> tuple[Safe, Safe]:
    start, bend, turn, end = _CURVES.get(step) or _straight(places[step[0]], places[step[1]])
    title = f"{step[0]} → {step[1]}: {count(number)}"
    line = tag(
        "path",
        tag("title", title),
        d=f"M{_at(start)} C{_at(bend)} {_at(turn)} {_at(end)}",
        class_="edge",
        stroke_width=1.2 + 5 * math.sqrt(number / most),
        marker_end="url(#arrow)",
    )
    middle = Point(*((a + 3 * b + 3 * c + d) / 8 for a, b, c, d in zip(start, bend, turn, end, strict=True)))
    return line, _label(middle, count(number))


def _label(at: Point, text: str) -> Safe:
    width = 12 + 7.6 * len(text)
    return tag(
        "g",
        tag("rect", x=at.x - width / 2, y=at.y - 10, width=width, height=20, rx=10),
        tag("text", text, x=at.x, y=at.y + 4.5, text_anchor="middle"),
        class_="edge-count",
    )


def _node(name: str, place: Point, documents: int) -> Safe:
    return tag(
        "g",
        tag("title", f"{name}: {count(documents)} documents"),
        tag(
            "rect",
            x=place.x - _HALF_W,
            y=place.y - _HALF_H,
            width=_BOX_WIDTH,
            height=_BOX_HEIGHT,
            rx=10,
        ),
        tag("text", name, x=place.x, y=place.y - 2, text_anchor="middle", class_="name"),
        tag("text", count(documents), x=place.x, y=place.y + 14, text_anchor="middle", class_="number"),
        class_="node" if documents else "node unwalked",
    )


def _straight(start: Point, end: Point) -> tuple[Point, Point, Point, Point]:
    """Return a line between two boxes, from border to border."""
    across, down = end.x - start.x, end.y - start.y
    if not across and not down:  # a node that was walked twice in a row: a small loop on its top
        return (
            Point(start.x - 14, start.y - _HALF_H),
            Point(start.x - 30, start.y - 64),
            Point(start.x + 30, start.y - 64),
            Point(start.x + 14, start.y - _HALF_H),
        )
    reach = min(_HALF_W / abs(across) if across else math.inf, _HALF_H / abs(down) if down else math.inf)
    first = Point(start.x + across * reach, start.y + down * reach)
    last = Point(end.x - across * reach, end.y - down * reach)
    return first, _between(first, last, 1 / 3), _between(first, last, 2 / 3), last


def _between(start: Point, end: Point, part: float) -> Point:
    return Point(start.x + (end.x - start.x) * part, start.y + (end.y - start.y) * part)


def _at(point: Iterable[float]) -> str:
    return ",".join(f"{value:.1f}" for value in point)


def _arrow_head() -> Safe:
    return tag(
        "marker",
        tag("path", d="M0,0 L10,5 L0,10 z", class_="head"),
        id="arrow",
        viewBox="0 0 10 10",
        refX=9,
        refY=5,
        markerWidth=9,
        markerHeight=9,
        markerUnits="userSpaceOnUse",
        orient="auto",
    )
