"""The small pictures of the summary: the bar of statuses and the histograms, as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cupel._format import count, share, status_words
from cupel.report.markup import Safe, tag
from cupel.report.summary import BINS, STATUSES

_WIDTH, _HEIGHT, _BASE = 460, 240, 204


def status_bar(statuses: Mapping[str, int]) -> Safe:
    """Draw the shares of the statuses as one bar."""
    whole = sum(statuses.values()) or 1
    start, parts = 0.0, []
    for name in [*STATUSES, *(status for status in statuses if status not in STATUSES)]:
        if number := statuses.get(name, 0):
            width = 1000 * number / whole
            title = tag("title", f"{status_words(name)}: {count(number)} ({share(number, whole)})")
            parts.append(tag("rect", title, x=start, y=0, width=width, height=12, class_=f"fill-{name}"))
            start += width
    return tag(
        "svg", parts, viewBox="0 0 1000 12", preserveAspectRatio="none", class_="status-bar", role="img"
    )


def histogram(bins: Mapping[str, Sequence[int]], label: str) -> Safe:
    """Draw counts over [0, 1], the statuses stacked, accepted lowest.

    Args:
        bins: By status, `BINS` counts.
        label: What is counted, such as `score`.
    """
    highest = max((sum(column) for column in zip(*bins.values(), strict=True)), default=0) or 1
    bars: list[Safe] = []
    for number in range(BINS):
        below = 0.0
        for status in STATUSES:
            height = (_BASE - 24) * bins.get(status, [0] * BINS)[number] / highest
            if height:
                bars.append(_bar(number, below, height, status, bins[status][number]))
                below += height
    return tag(
        "svg",
        tag("title", f"Documents by {label}"),
        tag("line", x1=30, x2=450, y1=_BASE, y2=_BASE, class_="axis"),
        bars,
        [_tick(part) for part in (0.0, 0.25, 0.5, 0.75, 1.0)],
        tag("text", count(highest), x=24, y=30, text_anchor="end", class_="tick"),
        tag("text", "0", x=24, y=_BASE + 4, text_anchor="end", class_="tick"),
        tag("text", label, x=240, y=_HEIGHT - 2, text_anchor="middle", class_="label"),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        class_="histogram",
        role="img",
    )


def _bar(number: int, below: float, height: float, status: str, documents: int) -> Safe:
    width = 420 / BINS
    low, high = number / BINS, (number + 1) / BINS
    title = tag("title", f"{low:.2f}–{high:.2f}: {count(documents)} {status_words(status)}")
    return tag(
        "rect",
        title,
        x=30 + number * width + 1,
        y=_BASE - below - height,
        width=width - 2,
        height=height,
        class_=f"fill-{status}",
    )


def _tick(part: float) -> Safe:
    return tag("text", f"{part:g}", x=30 + 420 * part, y=_BASE + 16, text_anchor="middle", class_="tick")
