"""The evaluation of routing policies as one self-contained page: tables, curves, reliability diagrams."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from cupel.evaluation import ALL_SIGNALS, Line, RoutingEvaluation
from cupel.report.markup import policy
from cupel.stats import ReliabilityBin

COLUMNS = (
    "APGR", "CPT50", "CPT80", "sav95", "sav95_real", "AIQ", "AUROC", "ECE", "share", "quality", "saving", "dIBC",
)  # fmt: skip
_COLOURS = ("#1f5fa8", "#c2541b", "#2e7d4f", "#7b3fa0", "#a8231f", "#6b6b00", "#00798c", "#5b4636")
_W, _H, _PAD = 460, 300, 46

_STYLE = """
:root{color-scheme:light dark;--ink:#1d1d1f;--paper:#fff;--faint:#8a8a8e;--line:#d9d9de;--band:#f4f4f7}
@media(prefers-color-scheme:dark){:root{--ink:#eee;--paper:#17181a;--faint:#9a9aa0;--line:#3a3b40;--band:#222327}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1080px;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;display:block;overflow-x:auto}
th,td{padding:.25rem .55rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}tbody tr:nth-child(even){background:var(--band)}
figure{display:inline-block;max-width:100%;overflow-x:auto;margin:.6rem 1rem .6rem 0;vertical-align:top}figcaption{font-size:13px;color:var(--faint);max-width:460px}
svg{background:var(--paper);overflow:visible}svg text{fill:var(--ink);font:11px system-ui,sans-serif}
.note{color:var(--faint)}.gap{font-weight:600}
""" + "".join(f".c{number}{{color:{colour}}}" for number, colour in enumerate(_COLOURS))


def routing_page(
    evaluations: Sequence[RoutingEvaluation], *, title: str = "Routing policies on logged responses"
) -> str:
    """The page as one HTML text without scripts, fonts or anything else from a network."""
    body = "\n".join(_section(each) for each in evaluations)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy(_STYLE))}"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{_LEGEND}{body}</body></html>\n"
    )


_LEGEND = """<p class="note">Trained policies are out of fold. APGR: part of the gap between the models that is
recovered, averaged over all shares of strong calls; random mixing has 0.5. sav95: saving against always-strong at
95 % of its quality, with mean costs; sav95 real: with each call's own cost. share, quality, saving and dIBC (quality gained
per extra mean cost, against always-strong) are those of the policy's own decisions. Every further call a signal needs is billed. Brackets: 95 % bootstrap intervals.</p>"""


def _section(each: RoutingEvaluation) -> str:
    gap = "" if each.has_gap else ' <span class="gap">no gap: the strong model is not better</span>'
    return (
        f"<h2>{escape(each.name)}</h2><p>{each.n} documents; always weak {each.weak:.3f}, always strong "
        f"{each.strong:.3f}.{gap}</p>{_table(each.lines)}{_curves(each)}{_diagrams(each.lines)}"
    )


def _table(lines: Sequence[Line]) -> str:
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in ("policy", *COLUMNS))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, lines))}</tbody></table>"


def _row(line: Line) -> str:
    if line.skipped:
        return (
            f'<tr><td>{escape(line.method)}</td><td colspan="{len(COLUMNS)}">{escape(line.skipped)}</td></tr>'
        )
    cells = "".join(f"<td>{_cell(line, name)}</td>" for name in COLUMNS)
    return f"<tr><td>{escape(line.method)}</td>{cells}</tr>"


def _cell(line: Line, name: str) -> str:
    value, interval = line.figures.get(name), line.intervals.get(name)
    shown = number(value)
    return shown if value is None or interval is None else f"{shown} [{interval[0]:.2f}, {interval[1]:.2f}]"


def number(value: float | None) -> str:
    """Three decimals, or a dash where there is no such number."""
    return "–" if value is None else f"{value:.3f}"


def _curves(each: RoutingEvaluation) -> str:
    shown = _most_telling(each.lines)
    if not shown or not each.has_gap:
        return ""
    top = max(float(line.curve.cost.max()) for line in shown if line.curve is not None) or 1.0
    heights = [
        q
        for line in shown
        if line.curve is not None
        for q in (line.curve.quality.min(), line.curve.quality.max())
    ]
    low, high = float(min(heights)), float(max(heights))
    parts = [_axes("cost per document", "quality", (0, top), (low, high))]
    for colour, line in zip(_COLOURS, shown, strict=False):
        parts.append(_polyline(line, colour, top, low, high))
    names = ", ".join(
        f'<span class="c{number}">{escape(line.method)}</span>'
        for number, line in enumerate(shown[: len(_COLOURS)])
    )
    return (
        f"<figure>{_svg(''.join(parts))}<figcaption>Quality against real cost: {names}.</figcaption></figure>"
    )


_ENDS = ("always weak", "always strong")
_FIRST = ("random mix", "oracle (sees both answers)", "oracle escalation (sees weak error)", ALL_SIGNALS)


def _most_telling(lines: Sequence[Line]) -> list[Line]:
    """Random mixing, the oracles, everything combined, then the policies that recover most."""
    drawn = [line for line in lines if line.curve is not None and line.method not in _ENDS]
    drawn.sort(key=lambda line: -(line.figures.get("APGR") or 0.0))
    drawn.sort(key=lambda line: _FIRST.index(line.method) if line.method in _FIRST else len(_FIRST))
    return drawn[: len(_COLOURS)]


def _polyline(line: Line, colour: str, top: float, low: float, high: float) -> str:
    curve = line.curve
    assert curve is not None  # only lines with a curve are drawn
    step = max(1, len(curve.share) // 150)
    points = [
        f"{_x(cost / top):.1f},{_y((quality - low) / ((high - low) or 1)):.1f}"
        for cost, quality in zip(curve.cost[::step], curve.quality[::step], strict=True)
    ]
    return f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="{" ".join(points)}"/>'


def _diagrams(lines: Sequence[Line]) -> str:
    return "".join(
        f"<figure>{_svg(_reliability(line.reliability))}<figcaption>Reliability of {escape(line.method)}: stated "
        "confidence against the share that was right, with 95 % intervals; the area of a dot is its share of "
        "records.</figcaption></figure>"
        for line in lines
        if line.reliability
    )


def _reliability(bins: Sequence[ReliabilityBin]) -> str:
    total = sum(each.n for each in bins)
    marks = [
        _axes("stated confidence", "share right", (0, 1), (0, 1)),
        f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="var(--faint)" stroke-dasharray="4 3"/>',
    ]
    for each in bins:
        x, (low, high) = _x(each.confidence), each.interval
        marks.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_y(low):.1f}" y2="{_y(high):.1f}" stroke="{_COLOURS[0]}"/>'
            f'<circle cx="{x:.1f}" cy="{_y(each.accuracy):.1f}" r="{2 + 10 * (each.n / total) ** 0.5:.1f}" '
            f'fill="{_COLOURS[0]}" fill-opacity=".55"><title>{each.n} records</title></circle>'
        )
    return "".join(marks)


def _axes(x_name: str, y_name: str, xs: tuple[float, float], ys: tuple[float, float]) -> str:
    ticks = []
    for k in range(5):
        part = k / 4
        ticks.append(
            f'<text x="{_x(part):.0f}" y="{_H - _PAD + 16}" text-anchor="middle">{xs[0] + part * (xs[1] - xs[0]):.3g}</text>'
            f'<text x="{_PAD - 6}" y="{_y(part) + 4:.0f}" text-anchor="end">{ys[0] + part * (ys[1] - ys[0]):.2f}</text>'
            f'<line x1="{_PAD}" x2="{_W - 10}" y1="{_y(part):.0f}" y2="{_y(part):.0f}" stroke="var(--line)"/>'
        )
    return (
        f'{"".join(ticks)}<text x="{_W / 2:.0f}" y="{_H - 10}" text-anchor="middle">{escape(x_name)}</text>'
        f'<text x="12" y="{_H / 2:.0f}" transform="rotate(-90 12 {_H / 2:.0f})" text-anchor="middle">{escape(y_name)}</text>'
    )


def _svg(inside: str) -> str:
    return f'<svg width="{_W}" height="{_H}" viewBox="0 0 {_W} {_H}" role="img">{inside}</svg>'


def _x(part: float) -> float:
    return _PAD + part * (_W - _PAD - 24)


def _y(part: float) -> float:
    return _H - _PAD - part * (_H - _PAD - 10)
