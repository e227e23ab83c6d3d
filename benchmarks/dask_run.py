"""Dask, 3 worker processes, one PostgreSQL, one shared limit of 600 requests a minute, one worker killed half way.

    CUPEL_DATABASE_URL=postgresql+psycopg://HOST/DATABASE python benchmarks/dask_run.py [--documents 2000]

The database named only serves to make one of its own, dropped afterwards. A scripted provider answers on a loopback
port and says its limit in headers. Exits with 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

from cupel.testing.clusters import dask_workers, database
from cupel.testing.filling import fill
from cupel.testing.provider import ScriptedProvider

WORKERS, THREADS, CONCURRENCY = 3, 2, 8
LATENCY_S = 0.2
SPEECH = "We must build more homes. Rents rose by 40 % in ten years. This is speech number {n}."


def main() -> int:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--rpm", type=int, default=600)
    options = parser.parse_args()
    server = os.environ.get("CUPEL_DATABASE_URL", "")
    if not server.startswith("postgresql"):
        sys.exit("set CUPEL_DATABASE_URL to a PostgreSQL, as postgresql+psycopg://HOST/DATABASE")
    with tempfile.TemporaryDirectory() as made, database(server) as url:
        figures = run(Path(made), url, options.documents, options.rpm)
    return told(figures, options.documents, options.rpm)


def run(folder: Path, url: str, documents: int, rpm: int) -> dict[str, Any]:
    rows = ({"id": f"s{n}", "text": SPEECH.format(n=n)} for n in range(documents))
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    times: list[float] = []

    def answer(body: dict[str, Any]) -> Any:
        times.append(time.monotonic())
        number = body["messages"][-1]["content"].split("speech number ")[1].split(".")[0]
        return fill(body["response_format"]["json_schema"]["schema"], SPEECH.format(n=number))

    with ScriptedProvider(answer, latency_s=LATENCY_S, requests_per_minute=rpm) as provider:
        env = os.environ | provider.environment() | {"CUPEL_DATABASE_URL": url}
        with dask_workers(WORKERS, folder, env, threads=THREADS) as (address, workers):
            asked = command(address)
            process = subprocess.Popen(asked, cwd=folder, env=env, stdout=subprocess.PIPE, text=True)
            while provider.counts.billed < documents / 2 and process.poll() is None:
                time.sleep(0.01)
            workers[0].kill()
            summary = json.loads(process.communicate()[0])
            billed = provider.counts.billed
            again = subprocess.run(asked, cwd=folder, env=env, stdout=subprocess.PIPE, text=True, check=True)
        counts = provider.counts
    return {
        "summary": summary,
        "rows": len((folder / "out.jsonl").read_text().splitlines()),
        "s": times[billed - 1] - times[0],
        "longest_gap_s": max(later - earlier for earlier, later in pairwise(times[:billed])),
        "rates": rates(times[:billed]),
        "billed": billed,
        "repeats": counts.billed_repeats,
        "refused": counts.by_status[429],
        "asked_again": counts.billed - billed,
        "reused": json.loads(again.stdout)["reused"],
    }


def rates(times: list[float]) -> list[int]:
    """Answers in each 20 seconds from the first."""
    counted = Counter(int((when - times[0]) // 20) for when in times)
    return [counted[part] for part in range(max(counted) + 1)]


def command(address: str) -> list[str]:
    models = ["--cheap-model", "openai:gpt-4o-mini", "--strong-model", "openai:gpt-4o", "--judge", "never"]
    how = ["--engine", "dask", "--scheduler", address, "--concurrency", str(CONCURRENCY)]
    told_how = ["--out", "out.jsonl", "--json", "--no-report"]
    return [sys.executable, "-m", "cupel", "run", "in.jsonl", *told_how, *models, *how]


def told(figures: dict[str, Any], documents: int, rpm: int) -> int:
    statuses = figures["summary"]["statuses"]
    lost = documents - sum(count for name, count in statuses.items() if name != "pending")
    allowed = rpm + figures["s"] * rpm / 60
    used, refused = figures["billed"] / allowed, figures["refused"] / allowed
    in_flight = THREADS * CONCURRENCY
    print(
        f"{documents} documents, {WORKERS} workers, one killed half way: {statuses}, {figures['rows']} rows"
    )
    print(
        f"  {figures['billed']} answers in {figures['s']:.1f} s; the limit allows {allowed:.0f} ({used:.1%})"
    )
    print(f"  answers in each 20 s: {figures['rates']}; longest gap {figures['longest_gap_s']:.1f} s")
    bars = {
        f"0 lost ({lost})": lost == 0 and figures["rows"] == documents,
        f"limit not crossed by more than 2 % (429s {figures['refused']}, {refused:.1%})": refused <= 0.02,
        f"limit used to within 2 % ({used:.1%})": used >= 0.98,
        f"paid twice ≤ the killed worker's {in_flight} calls in flight ({figures['repeats']})": figures[
            "repeats"
        ]
        <= in_flight,
        f"resumed: nothing asked ({figures['asked_again']}), {figures['reused']} reused": figures[
            "asked_again"
        ]
        == 0,
    }
    for bar, kept in bars.items():
        print(f"  {'kept  ' if kept else 'MISSED'} {bar}")
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
