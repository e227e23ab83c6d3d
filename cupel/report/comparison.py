"""Two records of every document side by side, with the reasons: one HTML file, no script, no request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cupel._format import seconds, usd
from cupel.errors import OutputPathError
from cupel.files import make_folder, write_whole
from cupel.report.markup import Safe, join, policy, tag

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1d2733}
table{border-collapse:collapse}td,th{padding:.3rem .8rem;border-bottom:1px solid #d7dde4;text-align:left}
article{border-top:2px solid #1d2733;margin-top:2rem;padding-top:.6rem}.sides{display:grid;grid-template-columns:1fr 1fr;gap:1rem}
pre{background:#f4f6f8;padding:.8rem;white-space:pre-wrap;overflow-wrap:anywhere;font-size:13px}.won pre{background:#e8f3ea}
details{color:#445}h2{font-size:1.05rem;overflow-wrap:anywhere}p,td,th,h1{overflow-wrap:anywhere}h2,article,pre{overflow:clip}"""


def write_comparison(path: Path, figures: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write the page of a comparison.

    Args:
        path: The HTML file.
        figures: `Comparison.to_json()`.
        rows: Of each document `doc_id`, `text`, `a`, `b` (records), `preferred`, `reasons` (texts) and, where there is
            any, `gold`: its `record`, and what `a` and `b` score against it.

    Raises:
        OutputPathError: If it cannot be written there.
    """
    page = _page(figures, rows)
    try:
        make_folder(path.parent)
        write_whole(path, f"<!doctype html>\n{page}\n")
    except OSError as error:
        raise OutputPathError(f"{path}: the page could not be written: {error.strerror or error}") from error
    return path


def _page(figures: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Safe:
    title = f"{figures['a']['name']} and {figures['b']['name']}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(_STYLE)),
        tag("meta", name="viewport", content="width=device-width"),
        tag("title", title),
        tag("style", Safe(_STYLE)),
    )
    documents = [_document(row) for row in sorted(rows, key=_decided_first)]
    return tag("html", head, tag("body", tag("h1", title), _figures(figures), documents), lang="en")


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
    return join([tag("p", words), gold, left, tag("table", header, sides)])


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
        tag("pre", json.dumps(gold["record"], ensure_ascii=False, indent=1)),
    )


def _document(row: Mapping[str, Any]) -> Safe:
    verdict = {"a": "a is better", "b": "b is better", "tie": "a tie", "unknown": "no judgement"}[
        row["preferred"]
    ]
    records = [
        tag(
            "div",
            tag("h3", side),
            tag(
                "pre",
                json.dumps(row[side], ensure_ascii=False, indent=1) if row[side] is not None else "no record",
            ),
            class_="won" if row["preferred"] == side else None,
        )
        for side in ("a", "b")
    ]
    reasons = tag("ul", [tag("li", reason) for reason in row["reasons"]]) if row["reasons"] else None
    return tag(
        "article",
        tag("h2", f"{row['doc_id']}: {verdict}"),
        reasons,
        tag("div", records, class_="sides"),
        _gold(row["gold"]) if row.get("gold") else None,
        tag("details", tag("summary", "the document"), tag("pre", row["text"])),
    )
