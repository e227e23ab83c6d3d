"""Two records of every document side by side, with the reasons: one HTML file, no script, no request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cupel._format import seconds, usd
from cupel.errors import OutputPathError
from cupel.files import make_folder, write_whole
from cupel.report.data import still_figure
from cupel.report.markup import Safe, join, policy, tag
from cupel.report.records import MAX_LABELS, Bar, Figure, words

_STYLE = """:root{color-scheme:light dark;--paper:light-dark(#faf9f6,#16181a);--card:light-dark(#fff,#1e2124);--ink:light-dark(#26231f,#e5e2dc);--soft:light-dark(#67615a,#a09a91)
;--line:light-dark(#e3dfd7,#32363a);--copper:light-dark(#96491b,#e39b66);--won:light-dark(#e8f3ea,#1c3327);--odd:light-dark(#fbe9cf,#4a3715)}
*{box-sizing:border-box;min-width:0}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:80rem;padding:0 1rem;color:var(--ink);background:var(--paper)}
a{color:var(--copper)}table{border-collapse:collapse;font-size:.9rem}td,th{padding:.3rem .8rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
article{border-top:2px solid var(--line);margin-top:2rem;padding-top:.6rem}.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1rem}
.side{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.5rem .9rem .8rem}.side.won{background:var(--won)}h3{font-size:.9rem;margin:.2rem 0 .5rem;color:var(--soft)}
dl,dd,ol,ul,figure{margin:0;padding:0}ol,ul.bars,ul.legend{list-style:none}.reasons{padding-left:1.2rem;margin:.4rem 0}
.fields>div{display:grid;grid-template-columns:minmax(4rem,max-content) minmax(0,1fr);gap:0 .8rem;padding:.12rem 0}.fields dt{color:var(--soft);max-width:9rem}
.fields>div.holds{grid-template-columns:minmax(0,1fr)}.entries{display:grid;gap:.35rem;padding:.2rem 0}.entries>li{border:1px solid var(--line);border-radius:7px;padding:.25rem .6rem}
.odd{background:var(--odd);border-radius:3px}.nothing{color:var(--soft)}pre{background:var(--card);padding:.8rem;white-space:pre-wrap;overflow-wrap:anywhere;font-size:13px}
details,summary{color:var(--soft)}h2{font-size:1.05rem;overflow-wrap:anywhere}p,td,th,h1,li,dd,dt{overflow-wrap:anywhere}h2,article,pre{overflow:clip}.scroll{overflow-x:auto}.scroll td,.scroll th{overflow-wrap:normal;max-width:24rem;min-width:4rem}.scroll td:first-child{white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.sides+.side{margin-top:1rem}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),1fr));gap:1rem;margin:1rem 0;align-items:start}figure{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.7rem .9rem}
figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 .8rem;font-size:.85rem;font-weight:600;color:var(--soft);padding-bottom:.4rem}.legend{display:flex;flex-wrap:wrap;gap:.1rem 1rem;font-size:.82rem;padding-bottom:.4rem}
.swatch{width:.72em;height:.72em}.bar-row{display:grid;grid-template-columns:minmax(4rem,34%) minmax(0,1fr) 3rem;gap:.6rem;align-items:center;font-size:.86rem;padding:.12rem 0}.bar-row svg{width:100%;height:.85rem}
.bar-row .name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.bar-row b{text-align:right;font-weight:550}
.part-0{fill:light-dark(#b5622f,#dd9058)}.part-1{fill:light-dark(#3d6e8e,#73abcf)}.part-2{fill:light-dark(#7a8f3c,#b0c468)}.part-3{fill:light-dark(#8d8880,#8f8a83)}.part-4{fill:light-dark(#8a5a94,#c08fca)}.part-5{fill:light-dark(#c29a2b,#e6c760)}
.part-6{fill:light-dark(#3f8577,#70bfae)}.part-7{fill:light-dark(#b04a5e,#e58497)}.part-8{fill:light-dark(#5460a8,#929ee0)}.part-9{fill:light-dark(#94714f,#c7a37f)}.part-10{fill:light-dark(#4f7d4f,#86b886)}.part-11{fill:light-dark(#5d6670,#a3adb8)}
@media print{:root{color-scheme:light}article,.entries>li,figure{break-inside:avoid}.won,.odd,rect{print-color-adjust:exact;-webkit-print-color-adjust:exact}}"""

_VERDICTS = {"a": "a is better", "b": "b is better", "tie": "a tie", "unknown": "no judgement"}
_LEVELS = 40


def write_comparison(
    path: Path, figures: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], *, table: Path | None = None
) -> Path:
    """Write the page of a comparison.

    Args:
        path: The HTML file.
        figures: `Comparison.to_json()`.
        rows: Of each document `doc_id`, `text`, `a`, `b` (records), `preferred`, `reasons` (texts) and, where there is
            any, `gold`: its `record`, and what `a` and `b` score against it.
        table: The file with every document and both records, which the page names.

    Raises:
        OutputPathError: If it cannot be written there.
    """
    page = _page(figures, rows, _table_link(path, table))
    try:
        make_folder(path.parent)
        write_whole(path, f"<!doctype html>\n{page}\n")
    except OSError as error:
        raise OutputPathError(f"{path}: the page could not be written: {error.strerror or error}") from error
    return path


def _page(figures: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], table: Safe | None) -> Safe:
    title = f"{figures['a']['name']} and {figures['b']['name']}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(_STYLE)),
        tag("meta", name="viewport", content="width=device-width"),
        tag("title", title),
        tag("style", Safe(_STYLE)),
    )
    ordered = sorted(rows, key=_decided_first)
    documents = [_document(row, place) for place, row in enumerate(ordered)]
    charts = tag("div", [still_figure(figure) for figure in _charts(figures, rows)], class_="figures")
    shaded = tag(
        "p", "In the records, what the other side has not is ", tag("span", "shaded", class_="odd"), "."
    )
    body = tag("body", tag("h1", title), _figures(figures), table, charts, _list(ordered), shaded, documents)
    return tag("html", head, body, lang="en")


def _table_link(page: Path, table: Path | None) -> Safe | None:
    """Where all of it stands as a table; a link where it lies beside the page."""
    if table is None:
        return None
    beside = table.resolve().parent == page.resolve().parent
    name = tag("a", table.name, href=f"./{quote(table.name)}") if beside else Safe(tag("b", str(table)))
    return tag("p", "Every document with both records, to load as a table: ", name)


def _charts(figures: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Iterator[Figure]:
    """Who was better how often; and of every field with labels, what each side said how often."""
    counts = Counter(row["preferred"] for row in rows)
    bars = [Bar(said, counts[name]) for name, said in _VERDICTS.items() if counts[name]]
    yield Figure("The judge's verdicts", tuple(bars), "documents")
    sides: dict[str, dict[str, Counter[str]]] = {}
    for row in rows:
        for side in ("a", "b"):
            for name, value in (row[side] if isinstance(row[side], Mapping) else {}).items():
                if isinstance(value, str | bool):
                    sides.setdefault(name, {}).setdefault(side, Counter())[words(value)] += 1
    for name, counted in sides.items():
        whole = sum(counted.values(), Counter[str]())
        labels = [label for label, _ in whole.most_common()]
        if not 1 < len(labels) <= MAX_LABELS or (len(labels) > 4 and 2 * len(labels) > whole.total()):
            continue
        cut = [
            Bar(f"{side}: {figures[side]['name']}", of.total(), tuple((label, of[label]) for label in labels))
            for side, of in sorted(counted.items())
        ]
        yield Figure(words(name), tuple(cut), "documents", tuple(labels))


def _list(rows: Sequence[Mapping[str, Any]]) -> Safe:
    """Every document in a line that leads to it."""
    has_gold = any(row.get("gold") for row in rows)
    heads = ["document", "verdict", "differing fields", *(["gold: a", "gold: b"] if has_gold else [])]
    lines = []
    for place, row in enumerate(rows):
        gold = row.get("gold") or {}
        scores = [tag("td", "–" if gold.get(side) is None else f"{gold[side]:.2f}") for side in ("a", "b")]
        cells = [
            tag("td", tag("a", row["doc_id"], href=f"#document-{place}", dir="auto")),
            tag("td", _VERDICTS[row["preferred"]]),
            tag("td", ", ".join(words(name) for name in _differing(row["a"], row["b"])) or "none"),
            *(scores if has_gold else []),
        ]
        lines.append(tag("tr", cells))
    table = tag("table", tag("thead", tag("tr", [tag("th", name) for name in heads])), tag("tbody", lines))
    said = f"All {len(rows)} documents in a list"
    return tag(
        "details",
        tag("summary", said),
        tag("div", table, class_="scroll"),
        open="" if len(rows) <= 50 else None,
    )


def _differing(a: Any, b: Any) -> list[str]:
    """The fields in which two records differ."""
    if not isinstance(a, Mapping) or not isinstance(b, Mapping):
        return [] if a == b else ["the record"]
    return [name for name in {**a, **b} if a.get(name) != b.get(name)]


def _record(value: Any, other: Any, levels: int = _LEVELS) -> Safe:
    """A record as its fields, one below the other; what the other side has not, marked."""
    if not levels:
        return tag("span", "… nested deeper", class_="nothing")
    match value:
        case Mapping() if value:
            there = other if isinstance(other, Mapping) else {}
            return tag(
                "dl",
                [_named(name, part, there.get(name), levels) for name, part in value.items()],
                class_="fields",
            )
        case list() if value:
            others = other if isinstance(other, list) else []
            items = [
                tag(
                    "li",
                    _record(item, item if item in others else None, levels - 1),
                    class_=None if item in others else "odd",
                )
                for item in value
            ]
            return tag("ol", items, class_="entries")
        case None | [] | {}:
            return tag("span", "none" if value is not None else "–", class_="nothing")
    odd = other is not None and not isinstance(other, Mapping | list) and value != other
    return tag(
        "span",
        words(value) if isinstance(value, bool) else str(value),
        class_="odd" if odd else None,
        dir="auto",
    )


def _named(name: str, part: Any, other: Any, levels: int) -> Safe:
    holds = isinstance(part, Mapping | list) and bool(part)
    return tag(
        "div",
        tag("dt", words(name)),
        tag("dd", _record(part, other, levels - 1)),
        class_="holds" if holds else None,
    )


def _decided_first(row: Mapping[str, Any]) -> int:
    return ("a", "b", "unknown", "tie").index(row["preferred"])


def _figures(figures: Mapping[str, Any]) -> Safe:
    low, high = figures["interval"]
    rate = figures["win_rate"]
    shown = "–" if rate is None else f"{100 * rate:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
    sides = [
        tag(
            "tr",
            tag("th", f"{side}: {figures[side]['name']}"),
            tag("td", figures[f"{side}_better"]),
            tag("td", usd(figures[side]["cost_usd_per_document"])),
            tag("td", seconds(figures[side]["median_latency_s"])),
        )
        for side in ("a", "b")
    ]
    header = tag("tr", [tag("th", name) for name in ("", "better on", "cost a document", "median time")])
    words = (
        f"Win rate of a {shown} on {figures['documents']} documents, judged by {figures['judge']}: {figures['ties']} ties "
        f"({figures['judge_followed_the_order']} where the judge followed the order), {figures['unknown']} without a judgement."
    )
    gold = tag("p", f"{tell_gold(figures['gold'])}.") if figures["gold"] else None
    left = tag("p", f"{figures['left_out']} rows are left out.") if figures["left_out"] else None
    return join([tag("p", words), gold, left, tag("div", tag("table", header, sides), class_="scroll")])


def tell_gold(gold: Mapping[str, Any]) -> str:
    """Both sides by gold, in a sentence: the `gold` of `Comparison.to_json()`."""
    low, high = gold["lead_interval"]
    return (
        f"By gold, {gold['metric']} on {gold['documents']} documents: a {gold['a_mean']:.3f} ({gold['a_right']} right), "
        f"b {gold['b_mean']:.3f} ({gold['b_right']} right); a leads by {100 * (gold['a_mean'] - gold['b_mean']):+.1f} points "
        f"[{100 * low:+.1f}, {100 * high:+.1f}]"
    )


def _gold(gold: Mapping[str, Any]) -> Safe:
    scores = ", ".join(
        f"{side} {'not answered' if gold[side] is None else format(gold[side], '.2f')}" for side in ("a", "b")
    )
    return tag(
        "div",
        tag("h3", f"gold: {scores}"),
        _record(gold["record"], gold["record"]),
        class_="side",
    )


def _document(row: Mapping[str, Any], place: int) -> Safe:
    verdict = _VERDICTS[row["preferred"]]
    records = [
        tag(
            "div",
            tag("h3", side),
            _record(row[side], row[other])
            if row[side] is not None
            else tag("span", "no record", class_="nothing"),
            class_="side won" if row["preferred"] == side else "side",
        )
        for side, other in (("a", "b"), ("b", "a"))
    ]
    reasons = (
        tag("ul", [tag("li", reason) for reason in row["reasons"]], class_="reasons")
        if row["reasons"]
        else None
    )
    return tag(
        "article",
        tag("h2", f"{row['doc_id']}: {verdict}"),
        reasons,
        tag("div", records, class_="sides"),
        _gold(row["gold"]) if row.get("gold") else None,
        tag("details", tag("summary", "the document"), tag("pre", row["text"], dir="auto")),
        id=f"document-{place}",
    )
