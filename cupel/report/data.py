"""The top of the page: the bars of the records, each of which leads to its documents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from cupel._format import count
from cupel.report.markup import Safe, tag
from cupel.report.records import Bar, Figure

_WIDTH = 1000


def data_section(figures: Sequence[Figure], used: Mapping[int, int]) -> Safe:
    """Return the bars; `used` numbers the values of items as the page's index does."""
    if not figures:
        return Safe("")
    return tag(
        "section",
        tag("h2", "What the records say"),
        tag("div", [_figure(figure, used) for figure in figures], class_="figures"),
        id="data",
        class_="data",
    )


def still_figure(figure: Figure) -> Safe:
    """The same bars for a page without a script: they lead nowhere."""
    return _figure(figure, None)


def _figure(figure: Figure, used: Mapping[int, int] | None) -> Safe:
    most = max((bar.number for bar in figure.bars), default=0) or 1
    caption = tag("figcaption", figure.title, tag("small", figure.note) if figure.note else None)
    legend = tag(
        "ul",
        [tag("li", _swatch(place), f" {label}") for place, label in enumerate(figure.labels)],
        class_="legend",
    )
    bars = [tag("li", _bar(bar, most, used)) for bar in figure.bars]
    return tag(
        "figure",
        caption,
        legend if figure.labels else None,
        tag("ul", bars, class_="bars"),
        class_="crossed" if figure.labels else None,
    )


def _swatch(place: int) -> Safe:
    return tag(
        "svg", tag("rect", width=10, height=10, class_=_part(place)), viewBox="0 0 10 10", class_="swatch"
    )


def _part(place: int) -> str:
    return f"part-{place % 12}"


def _bar(bar: Bar, most: int, used: Mapping[int, int] | None) -> Safe:
    picture = tag(
        "svg",
        list(_rects(bar, most)),
        viewBox=f"0 0 {_WIDTH} 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
    said = ", ".join(f"{label} {count(number)}" for label, number in bar.parts if number)
    parts = (tag("span", bar.label, class_="name", dir="auto"), picture, tag("b", count(bar.number)))
    if used is None:
        return tag("div", *parts, class_="bar-row", title=f"{bar.label}: {said}" if said else None)
    return tag(
        "button",
        *parts,
        type="button",
        class_="bar-row",
        data_show=_show(bar, used),
        aria_pressed="false",
        title=f"{bar.label}: {said}" if said else None,
    )


def _show(bar: Bar, used: Mapping[int, int]) -> str | None:
    """The filter as the script reads it."""
    if bar.shows is None:
        return None
    kind, column, value = bar.shows
    return json.dumps([kind, used[column] if kind == "has" else column, value], ensure_ascii=True)


def _rects(bar: Bar, most: int) -> Iterator[Safe]:
    if not bar.parts:
        yield tag("rect", x=0, y=0, width=_WIDTH * bar.number / most, height=10, class_=_part(0))
        return
    start = 0.0
    for place, (_, number) in enumerate(bar.parts):
        if number:
            width = _WIDTH * number / most
            yield tag("rect", x=start, y=0, width=width, height=10, class_=_part(place))
            start += width
