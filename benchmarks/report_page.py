"""How long the report of a large run takes to open and to filter, in headless Chromium.

python benchmarks/report_page.py [--documents 10000] [--times 5]

A page is made of as many documents as asked for: the speeches of the newest run of this project (`make demo`) again and
again, each with its record and the last of its attempts, under an id, a speaker, a group and a date of its own.
`first view` is from the start of the navigation to the first frame with the table, `all read` to the last document; `filter` from the choice to the frame
that shows it: by status, by a bar, by a column's order, and by a word in all texts, at once after opening (`search, at once`)
and again. Medians over fresh browsers; the page comes over the loopback, as a file would.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cupel.project import find_project
from cupel.report.page import write_report
from cupel.report.summary import DocumentEntry, RunSummary
from cupel.runlog import existing_run_log, find_run
from cupel.tables import tidy_of
from cupel.task import load_task

FLAGS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync --window-size=1600,1000"
GROUPS = ("PPE", "S&D", "PfE", "ECR", "Renew", "Verts/ALE", "The Left", "ESN", "NI")
HARNESS = """<!doctype html><meta charset="utf-8"><body style="margin:0"><script>
const found = {};
(async () => {
  const holder = document.createElement("iframe");
  holder.style.cssText = "width:1600px;height:1000px;border:0";
  document.body.append(holder);
  const from = performance.now();
  const loaded = new Promise((done) => { holder.onload = done; holder.src = "/page"; });
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const rows = () => holder.contentDocument?.getElementById("list")?.children.length;
  while (!rows()) await frame();
  await frame();
  found["first view"] = performance.now() - from;
  await loaded;
  found["all read"] = performance.now() - from;
  const inside = holder.contentWindow, $ = (id) => inside.document.getElementById(id);
  async function timed(name, act, until = () => true) {
    await frame(); const start = performance.now(); act();
    do await frame(); while (!until());
    found[name] = performance.now() - start;
  }
  let before;
  const changed = () => $("found").textContent !== before && !$("found").textContent.startsWith("searching");
  const search = (text) => { before = $("found").textContent; $("search").value = text; $("search").dispatchEvent(new inside.Event("input")); };
  await timed("search, at once", () => search("ukraine"), changed);
  await timed("search, again", () => search("reparations"), changed);
  await timed("search, ended", () => search(""), changed);
  await timed("status", () => inside.document.querySelector("[data-status=accepted]").click());
  await timed("bar", () => inside.document.querySelector("[data-show]").click());
  await timed("bar, ended", () => inside.document.querySelector("[data-show]").click());
  await timed("order", () => inside.document.querySelector("[data-order=text]").click());
  await timed("document", () => inside.document.querySelector("[data-position]").click());
})().catch((error) => { found.error = String(error); }).finally(() => fetch("/done", { method: "POST", body: JSON.stringify(found) }));
</script></body>"""


def documents(number: int, demo: list[tuple[Any, str]]) -> Iterator[DocumentEntry]:
    """So many documents, each the next of the demo's with an id, a speaker, a group and a date of its own."""
    for place, (outcome, text) in zip(range(number), itertools.cycle(demo), strict=False):
        own = {
            "speaker": f"Speaker {place % 700}",
            "group": GROUPS[place * 7 % len(GROUPS)],
            "date": f"20{10 + place % 16}-0{1 + place % 9}-1{place % 10}",
        }
        name = f"cre-2025-{place:06}"
        last = outcome["attempts"][-1:]
        verdicts = [verdict for verdict in outcome["verdicts"] if verdict["attempt"] == last[0]["number"]]
        kept = {**outcome, "doc_id": name, "attempts": last, "verdicts": verdicts, "addenda": []}
        yield DocumentEntry(kept, f"{text}\n\n{name}", own=own)  # type: ignore[arg-type]  # an outcome with fewer attempts is still one


def write_page(folder: Path, number: int) -> Path:
    """The report of a run of so many documents."""
    project = find_project()
    with existing_run_log(project) as run_log:
        row = find_run(run_log, None)
        demo = [(outcome, text) for _, outcome, text in run_log.run_outcomes(row["run_id"])]
    run = RunSummary(
        run_id=row["run_id"], task=row["task"], started_at=datetime.now(UTC), statuses={"accepted": number}, calls={},
        cost_usd={}, cost_usd_total=0.0, cache_hits=0, wall_s=0.0,
    )  # fmt: skip
    schema = load_task(row["task"], project.prompts).schema
    return write_report(folder / "page.html", run, documents(number, demo), tidy_of(schema))


def serve(page: Path, answers: Queue[dict[str, float]]) -> ThreadingHTTPServer:
    """The harness, the page in it, and what the browser says of both."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            if self.path == "/page":
                with page.open("rb") as file:
                    shutil.copyfileobj(file, self.wfile)
            else:
                self.wfile.write(HARNESS.encode())

        def do_POST(self) -> None:
            answers.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Thread(target=server.serve_forever, daemon=True).start()
    return server


def look(browser: str, url: str, folder: str, answers: Queue[dict[str, float]]) -> dict[str, float]:
    """What one fresh browser measures."""
    with subprocess.Popen(
        [browser, *FLAGS.split(), f"--user-data-dir={folder}", url],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            return answers.get(timeout=120)
        finally:
            os.killpg(process.pid, 9)


def main() -> None:
    """Make the page, look at it several times, print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("needs Chromium on the PATH: make browser")
    with tempfile.TemporaryDirectory() as folder:
        page = write_page(Path(folder), given.documents)
        answers: Queue[dict[str, float]] = Queue()
        server = serve(page, answers)
        url = f"http://127.0.0.1:{server.server_port}/"
        seen = [look(browser, url, f"{folder}/{time}", answers) for time in range(given.times)]
        server.shutdown()
        megabytes = page.stat().st_size / 1e6
    medians = {name: round(statistics.median(one[name] for one in seen)) for name in seen[0]}
    print(
        json.dumps({"documents": given.documents, "megabytes": round(megabytes, 1), "ms": medians}, indent=1)
    )


if __name__ == "__main__":
    main()
