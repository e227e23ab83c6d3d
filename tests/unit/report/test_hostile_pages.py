"""Every page of ours with hostile text in every field, in a real browser at three widths: shown, whole, and at rest."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import numpy as np
import pytest

from cupel.evaluation.routing_evaluation import evaluate
from cupel.report.comparison import write_comparison
from cupel.report.page import write_report
from cupel.report.routing_page import routing_page
from cupel.report.summary import DocumentEntry
from cupel.routing.rows import RunRows
from tests.unit.report.factory import TEXT, attempt, evidence, outcome, refined, run

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
WIDTHS = (360, 800, 1600)
DECIDING = {
    "status",
    "match",
    "finding",
    "verdict",
    "tier",
    "action",
    "kind",
    "error_kind",
    "why",
    "path",
    "quote_match",
}
"""Fields with words of ours: a hostile text cannot stand there."""


def payloads(site):
    """Forty texts that would run, load, send, break out or push the layout apart."""
    call = "top.ran=(top.ran||0)+1"
    acts = [
        f"<script>{call}</script>", f"</script><script>{call}</script>", f"<img src=x onerror='{call}'>", f"<svg onload='{call}'>",
        f"<body onload='{call}'>", f"<iframe srcdoc='<script>{call}</script>'>", f"<a href='javascript:{call}'>x</a>",
        f'"><script>{call}</script>', f"' onmouseover='{call}' x='", f"</style><script>{call}</script>", f"<!--><script>{call}</script>",
        f"]]><script>{call}</script>", f"</title><script>{call}</script>", f"</textarea><script>{call}</script>",
        f"<details open ontoggle='{call}'>", f"<input autofocus onfocus='{call}'>", f"\\u003cscript>{call}\\u003c/script>",
        f"<script type=module>{call}</script>", f"<math><mtext><script>{call}</script>", f"<template><script>{call}</script></template>",
        f"{{{{constructor.constructor('{call}')()}}}}", f"${{{call}}}",
    ]  # fmt: skip
    loads = [
        f"<img src={site}/img>", f"<link rel=stylesheet href={site}/css>", f"<style>@import '{site}/import'</style>",
        f"<div style='background:url({site}/bg)'>x</div>", f"<object data={site}/object>", f"<embed src={site}/embed>",
        f"<meta http-equiv=refresh content='0;url={site}/go'>", f"<form action={site}/form><button>x</button></form>",
        f"<base href={site}/>", f"<video poster={site}/poster>",
    ]  # fmt: skip
    pushes = [
        "W" * 5_000, "x" + "\u0301" * 3_000, "\u202e" + "evil " * 20, "\u2066" * 50 + "x", "a\u00a0" * 2_000, "\t" * 3_000 + "x",
        "﷽" * 300, "\ud800 half", "\x00\x07\x1b[31m", "\n" * 200 + "x",
    ]  # fmt: skip
    return [*acts, *loads, *pushes]


def poisoned(value, text, key=""):
    """The same with this text for every text in it that is not a word of ours."""
    if isinstance(value, str):
        return value if key in DECIDING else text
    if isinstance(value, dict):
        return {name: poisoned(item, text, name) for name, item in value.items()}
    return [poisoned(item, text, key) for item in value] if isinstance(value, list) else value


QUERIES = [
    "<script", "</SCRIPT>", "onerror='top", '"><', "\\u003c", "\\", '"', "claims", "quote", "status", "nalways", "always", ":[", "null", "true", "3",
    "we must act", "evil", "﷽", "x\u0301\u0301", "\x1b[31m", "constructor.constructor('", "verbatim", "no such words",
]  # fmt: skip
"""Words of the texts, of the page's own data and of JSON: only what the documents say is found."""


def searched(entry):
    """What a document says, in small letters, as a search sees it."""

    def texts(value):
        held = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return [value] if isinstance(value, str) else [text for each in held for text in texts(each)]

    found = entry.outcome
    said = [found["doc_id"], entry.text, *texts(found["record"]), *texts(entry.inputs), *found["reasons"]]
    return "\n".join(said).lower()


def pages(folder, texts):
    """A report, a comparison and a page of routing, with these texts in them."""
    entries = []
    for text in texts:
        shown = text.replace("\ud800", "?")
        found = outcome(
            record={shown[:300]: text, "claims": [{"quote": text, "id": text}]},
            evidence=[evidence("We must act now.", TEXT, path=f"/{text[:50]}")],
        )
        entries += [
            DocumentEntry(poisoned(each, text), text)
            for each in (found, poisoned(refined(attempts=[attempt()]), text))
        ]
    written = [
        write_report(
            folder / "report.html",
            run(statuses={"accepted": len(entries)}, task=texts[0], output=texts[-2], notes=list(texts)),
            entries,
        )
    ]
    side = {"name": texts[1], "cost_usd_per_document": 0.1, "median_latency_s": 1.0}
    figures = {
        "a": side, "b": {**side, "name": "W" * 4_000}, "interval": [0.1, 0.9], "win_rate": 0.5, "documents": len(texts),
        "judge": texts[2], "ties": 0, "judge_followed_the_order": 0, "unknown": 0, "a_better": 1, "b_better": 1,
        "left_out": 1, "gold": {
            "metric": texts[3].replace("\ud800", "?"), "documents": 1, "a_mean": 1.0, "b_mean": 0.0, "a_right": 1, "b_right": 0,
            "lead_interval": [-1.0, 1.0],
        },
    }  # fmt: skip
    rows = [
        {
            "doc_id": text,
            "text": text,
            "a": {text[:100]: text},
            "b": text,
            "preferred": "a",
            "reasons": [text, text],
            "gold": {"record": {text[:100]: text}, "a": 1.0, "b": 0.0},
        }
        for text in (text.replace("\ud800", "?") for text in texts)
    ]
    written.append(write_comparison(folder / "compare.html", figures, rows))
    weak = np.tile([1.0, 0.0], 60)
    log = RunRows.from_columns(
        name=texts[0] + "W" * 500, text=[f"question {n}" for n in range(120)], weak=weak, strong=np.ones(120),
        weak_cost=1, strong_cost=10, signals={texts[2][:40]: weak},
    )  # fmt: skip
    routing = folder / "routing.html"
    routing.write_text(routing_page([evaluate(log)], title=texts[3]), encoding="utf-8")
    counts = [sum(query.lower() in searched(entry) for entry in entries) for query in QUERIES]
    return [*written, routing], counts


HARNESS = """<!doctype html><meta charset="utf-8"><body><script>
const seen = [], wanted = WANTED;
async function look(page, width) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:900px;border:0`;
  await new Promise(done => { frame.onload = done; frame.src = page; document.body.append(frame); });
  const inside = frame.contentDocument;
  for (const closed of inside.querySelectorAll("details")) closed.open = true;
  for (const row of [...inside.querySelectorAll("tr[tabindex],button,[role=button],summary")].slice(0, 60)) row.click();
  await new Promise(done => setTimeout(done, 300));
  const root = inside.documentElement;
  const out = [...inside.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > width + 1).map(e => e.tagName + '.' + (e.className.baseVal ?? e.className));
  seen.push({outside: [...new Set(out)].slice(0, 12), page: page.split("/").pop().split("#")[0], width, wide: root.scrollWidth, tall: root.scrollHeight,
    foreign: inside.querySelectorAll("img,iframe,object,embed,link,base,form,video").length + Math.max(0, inside.querySelectorAll("script:not([type])").length - 1)});
  frame.remove();
}
const hits = [];
async function search(page, queries) {
  const frame = document.createElement("iframe");
  await new Promise(done => { frame.onload = done; frame.src = page; document.body.append(frame); });
  const inside = frame.contentDocument, box = inside.getElementById("search");
  for (const query of queries) {
    box.value = query;
    box.dispatchEvent(new frame.contentWindow.Event("input"));
    do await new Promise(done => setTimeout(done, 100)); while (inside.getElementById("found").textContent.startsWith("searching"));
    hits.push(inside.getElementById("found").textContent.split(" ")[0]);
  }
  frame.remove();
}
(async () => {
  await search(wanted[0][0], QUERIES);
  for (const [page, width] of wanted) await look(page, width);
  document.title = "done";
  document.body.textContent = JSON.stringify({seen, hits, ran: window.ran || 0});
})();
</script></body>"""


class Site(BaseHTTPRequestHandler):
    """Counts whoever comes."""

    came: ClassVar[list[str]] = []

    def do_GET(self):
        self.came.append(self.path)
        self.send_response(200)
        self.end_headers()

    do_POST = do_GET  # noqa: N815

    def log_message(self, *args):
        pass


@pytest.mark.door
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH to open the pages")
def test_hostile_text_in_every_field_neither_runs_nor_loads_nor_breaks_the_layout(tmp_path):
    """Forty payloads in documents, records, reasons, ids, models' names and titles of three kinds of pages."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        texts = payloads(f"http://127.0.0.1:{server.server_port}")
        made, counts = pages(tmp_path, texts)
        opened = [f"file://{path}" + ("#row-1" if path.name == "report.html" else "") for path in made]
        wanted = [[page, width] for page in opened for width in WIDTHS]
        harness = tmp_path / "harness.html"
        harness.write_text(
            HARNESS.replace("WANTED", json.dumps(wanted)).replace(
                "QUERIES", json.dumps(QUERIES).replace("<", "\\u003c")
            )
        )
        flags = (
            "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
            "--disable-sync --allow-file-access-from-files --window-size=1700,1000 --virtual-time-budget=60000 --dump-dom"
        )
        done = subprocess.run(
            [CHROMIUM, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", f"file://{harness}"],
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
    finally:
        server.shutdown()
        server.server_close()
    found = json.loads(re.search(r"<body>(\{.*\})</body>", done.stdout.replace("&gt;", ">"))[1])

    assert dict(zip(QUERIES, found["hits"], strict=True)) == dict(zip(QUERIES, map(str, counts), strict=True))
    assert found["ran"] == 0
    assert Site.came == []
    assert len(found["seen"]) == len(wanted)
    assert [
        (one["page"], one["width"], one["wide"], one["outside"])
        for one in found["seen"]
        if one["wide"] > one["width"]
    ] == []
    assert [one for one in found["seen"] if one["foreign"]] == []
