"""What all pictures have in common: the drawing as data, fonts and colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
VERSION = "6.4"

COLOURS = (
    "#b5622f", "#3d6e8e", "#7a8f3c", "#8d8880", "#8a5a94", "#c29a2b", "#3f8577", "#b04a5e", "#5460a8", "#94714f", "#4f7d4f",
    "#5d6670",
)  # fmt: skip
"""The report's, in its order."""

INK, SOFT, LINE = "#26231f", "#67615a", "#e3dfd7"
FONT = "system-ui, Segoe UI, Roboto, Noto Sans, DejaVu Sans, Helvetica, Arial, sans-serif"

CONFIG: Mapping[str, Any] = {
    "background": "#ffffff",
    "font": FONT,
    "padding": 14,
    "bar": {"color": COLOURS[0]},
    "view": {"stroke": None},
    "range": {"category": list(COLOURS)},
    "title": {"anchor": "start", "fontSize": 15, "color": INK, "offset": 14, "fontWeight": 600},
    "axis": {
        "labelFontSize": 12, "labelColor": INK, "titleColor": SOFT, "titleFontWeight": "normal", "titleFontSize": 12,
        "labelLimit": 420, "domain": False, "ticks": False, "gridColor": LINE, "labelPadding": 6,
    },
    "axisY": {"grid": False},
    "axisX": {"grid": True},
    "legend": {"labelFontSize": 12, "labelColor": INK, "symbolType": "square", "labelLimit": 260},
    "text": {"fontSize": 12, "color": INK},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture before it is drawn.

    Attributes:
        title: What it shows.
        rows: The figures in it.
        spec: In Vega-Lite, without title, schema and colours.
    """

    title: str
    rows: Sequence[Mapping[str, Any]]
    spec: Mapping[str, Any]


def words(column: str) -> str:
    """A column's name as it is read.

    >>> words("record_stance"), words("meta.debate_title"), words("item_text")
    ('stance', 'debate title', 'text')
    """
    last = column.rpartition(".")[2]
    return last.removeprefix("record_").removeprefix("item_").replace("_", " ")


def at_pixel(axis: str) -> dict[str, Any]:
    """A place as it is: pixels from the upper left."""
    return {"field": axis, "type": "quantitative", "scale": None, "axis": None}


def in_layers(width: float, height: float, layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Layers of one size, each with its own colours."""
    return {
        "width": width,
        "height": height,
        "layer": list(layers),
        "resolve": {"scale": {"color": "independent"}},
    }


def whole_axis(most: int) -> dict[str, Any]:
    """The axis of a number of things: no half of one is written.

    >>> whole_axis(3), whole_axis(500)
    ({'format': ',d', 'values': [0, 1, 2, 3]}, {'format': ',d'})
    """
    return {"format": ",d", **({"values": list(range(most + 1))} if most <= 10 else {})}
