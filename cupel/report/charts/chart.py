"""A chart: figures, a Vega-Lite specification, and the picture of it, drawn on this machine without a browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from cupel._format import html_of
from cupel.errors import InputError, OutputPathError, SettingError
from cupel.files import SHARED, make_folder, write_whole
from cupel.report.charts.counts import counts, most, over_time, shares
from cupel.report.charts.marked import evidence
from cupel.report.charts.networks import joined, links, together
from cupel.report.charts.rows import Rows
from cupel.report.charts.spec import CONFIG, SCHEMA, VERSION, Drawing
from cupel.report.markup import Safe, policy, tag

KINDS: Mapping[str, str] = {
    "counts": "how often each value of a field is there; by= cuts the bars",
    "shares": "how a field's values are shared out in each group (by=)",
    "time": "how often each value is there over time (by= names the column of dates)",
    "most": "what is said most: the most frequent values, or what most items refer to",
    "links": "which items of one document refer to which: premises to claims",
    "together": "which values occur in the same documents",
    "speakers": "whose documents (by=) share values",
    "evidence": "the text of one document with the words of its items marked",
}

FORMATS = ("svg", "png", "html")

_STYLE = """:root{color-scheme:light}body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:64rem;padding:0 1rem;color:#26231f;background:#fff}
svg{max-width:100%;height:auto}table{border-collapse:collapse;font-size:.86rem}th,td{text-align:left;padding:.25rem .8rem;border-top:1px solid #e3dfd7;vertical-align:top;overflow-wrap:anywhere}
summary{cursor:pointer;color:#67615a}@media print{details>table{display:table}}"""


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of records; a notebook shows it as it is.

    Attributes:
        kind: One of `KINDS`.
        title: What it shows.
        rows: The figures in it, one dict for each bar, part, line or mark: `pandas.DataFrame(chart.rows)`.
        spec: The whole specification, in Vega-Lite 6: `altair.Chart.from_dict(chart.spec)` goes on from there.
    """

    kind: str
    title: str
    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    spec: Mapping[str, Any] = field(repr=False)

    def to_svg(self) -> str:
        """The picture as SVG: no script in it, nothing that is fetched.

        Raises:
            SettingError: If the extra `cupel[charts]` is not installed.
        """
        return cast(
            "str", _painter().vegalite_to_svg(dict(self.spec), vl_version=VERSION, allowed_base_urls=[])
        )

    def to_png(self, *, scale: float = 2) -> bytes:
        """The picture as PNG, so many pixels for one of the SVG's."""
        painter = _painter()
        return cast(
            "bytes",
            painter.vegalite_to_png(dict(self.spec), vl_version=VERSION, scale=scale, allowed_base_urls=[]),
        )

    def to_html(self) -> str:
        """A page with the picture and its figures as a table; its policy forbids any script and any request."""
        heads = list(dict.fromkeys(name for row in self.rows for name in row))
        table = tag(
            "table",
            tag("thead", tag("tr", [tag("th", name.replace("_", " ")) for name in heads])),
            tag(
                "tbody",
                [
                    tag("tr", [tag("td", _said(row.get(name)), dir="auto") for name in heads])
                    for row in self.rows
                ],
            ),
        )
        head = tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", http_equiv="Content-Security-Policy", content=policy(_STYLE)),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", self.title),
            tag("style", Safe(_STYLE)),
        )
        # made by the painter, which escapes what it is given, and here with nothing that could run
        picture = tag("figure", Safe(self.to_svg()))
        body = tag("body", picture, tag("details", tag("summary", "The figures"), table))
        return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"

    def save(self, path: Path | str, *, scale: float = 2) -> Path:
        """Write it as SVG, PNG or HTML, by the suffix; a file that is there is replaced.

        Raises:
            InputError: For another suffix.
            OutputPathError: If it cannot be written.
            SettingError: If the extra `cupel[charts]` is not installed.
        """
        path = Path(path)
        suffix = path.suffix.lower().removeprefix(".")
        if suffix not in FORMATS:
            raise InputError(
                f"{path}: a chart is saved as {', '.join(f'.{name}' for name in FORMATS)}, not {path.suffix or 'without a suffix'}"
            )
        content: str | bytes = (
            self.to_svg()
            if suffix == "svg"
            else self.to_html()
            if suffix == "html"
            else self.to_png(scale=scale)
        )
        try:
            make_folder(path.parent)
            write_whole(path, content, permissions=SHARED)
        except OSError as error:
            raise OutputPathError(
                f"{path}: the chart could not be written: {error.strerror or error}"
            ) from error
        return path

    def to_json(self) -> dict[str, Any]:
        """Kind, title and figures."""
        return {"kind": self.kind, "title": self.title, "rows": [dict(row) for row in self.rows]}

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """What a notebook shows: the picture, or its figures where it cannot be drawn."""
        try:
            return {"image/svg+xml": self.to_svg(), "text/plain": f"{self.kind}: {self.title}"}
        except SettingError as error:
            return {"text/html": html_of(self.to_json()), "text/plain": str(error)}


def draw_chart(
    rows: Rows,
    kind: str,
    *,
    field: str | None = None,
    by: str | None = None,
    doc: str | int | None = None,
    title: str = "",
) -> Chart:
    """Draw the rows of a tidy table, under a title of its own where none is given.

    Raises:
        InputError: For a kind or a column that is not there, or where there is nothing to draw.
    """
    if kind not in KINDS:
        raise InputError(f"kind={kind!r}: a chart is one of {', '.join(KINDS)}")
    drawing: Drawing
    match kind:
        case "counts":
            drawing = counts(rows, field, by)
        case "shares":
            drawing = shares(rows, field, by)
        case "time":
            drawing = over_time(rows, field, by)
        case "most":
            drawing = most(rows, field, by)
        case "links":
            drawing = links(rows, doc)
        case "together":
            drawing = together(rows, field)
        case "speakers":
            drawing = joined(rows, field, by)
        case _:
            drawing = evidence(rows, doc)
    if not drawing.rows:
        raise InputError(f"{drawing.title}: there is nothing to draw")
    title = title or drawing.title
    spec = {"$schema": SCHEMA, "title": title, "config": dict(CONFIG), **drawing.spec}
    return Chart(kind, title, drawing.rows, spec)


def possible_kinds(rows: Rows, *, by: str | None) -> list[str]:
    """The kinds that may be drawn of these rows, with this group or without one."""
    needs_group = {"shares", "speakers"}
    return [
        kind for kind in KINDS
        if (by is not None or kind not in needs_group) and (kind != "time" or rows.dates() is not None)
    ]  # fmt: skip


def _painter() -> Any:
    try:
        import vl_convert
    except ImportError:
        raise SettingError(
            "charts need vl-convert, which is not installed: pip install 'cupel[charts]'"
        ) from None
    return vl_convert


def _said(value: Any) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
