"""`cupel run --batch` over 500 documents: 5 % failed lines, killed between waves and within one.

    python benchmarks/batch.py [--documents 500] [--provider openai|groq]

A scripted stand-in of the batch API answers on a loopback port. The same documents go through once without --batch;
the outcomes have to be the same, and no line may be in two jobs that both answer it. Exits with 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cupel.testing.batches import BatchScript
from cupel.testing.filling import fill
from cupel.testing.provider import ScriptedProvider

MODELS = {
    "openai": {"cheap": "openai:gpt-4o-mini", "strong": "openai:gpt-4o", "judge": "openai:gpt-4.1"},
    "groq": {
        "cheap": "groq:openai/gpt-oss-20b",
        "strong": "groq:openai/gpt-oss-120b",
        "judge": "groq:qwen/qwen3-32b",
    },
}
SPEECH = (
    "Madam President, we must build more homes. Rents rose by 40 % in ten years, and young people cannot "
    "move out. This is speech number {n}."
)


def main() -> int:
    """Run it three ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--provider", choices=MODELS, default="openai")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_speeches(folder / "in.jsonl", options.documents)
        alone = single(folder, options.provider)
        figures = batched(folder, options.provider)
    return told(options.documents, alone, figures)


def write_speeches(path: Path, documents: int) -> None:
    rows = ({"id": f"s{n}", "text": SPEECH.format(n=n)} for n in range(documents))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def answer(body: dict[str, Any]) -> Any:
    """A record with its quote in the text; one in five from the cheap tier quotes what was never said."""
    schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
    text = body["messages"][-1]["content"]
    if schema is None or "told_apart" in schema["properties"]:
        return {name: passes() for name in CRITERIA}
    number = int(text.split("speech number ")[1].split(".")[0])
    cheap = body["model"] in {"gpt-4o-mini", "openai/gpt-oss-20b"}
    return fill(schema, "Nobody said any of this." if cheap and number % 5 == 0 else SPEECH.format(n=number))


CRITERIA = ("told_apart", "nothing_missing", "only_statements", "one_each", "support_fits", "stance_fits")


def passes() -> dict[str, Any]:
    return {"reasoning": "looked at", "evidence_quote": None, "finding": "pass"}


def command(out: str, provider: str, *more: str) -> list[str]:
    roles = [part for role, model in MODELS[provider].items() for part in (f"--{role}-model", model)]
    refiner = ["--refiner-model", MODELS[provider]["strong"], "--no-report", "--json"]
    return [sys.executable, "-m", "cupel", "run", "in.jsonl", "--out", out, *roles, *refiner, *more]


def single(folder: Path, provider: str) -> dict[str, Any]:
    """The same without --batch, in a run log of its own."""
    with ScriptedProvider(answer) as api:
        env = os.environ | api.environment() | {"CUPEL_DATABASE_URL": f"sqlite:///{folder / 'alone.sqlite'}"}
        started = time.perf_counter()
        done = subprocess.run(
            command("alone.jsonl", provider), cwd=folder, env=env, check=True, capture_output=True, text=True
        )
    summary: dict[str, Any] = json.loads(done.stdout)
    return {"rows": rows(folder / "alone.jsonl"), "s": time.perf_counter() - started, "summary": summary}


def batched(folder: Path, provider: str) -> dict[str, Any]:
    """With --batch: killed with a job under way, then as the next wave is on its way up; then to the end."""
    with ScriptedProvider(answer, batches=BatchScript(takes_s=4.0, failed_lines=0.05)) as api:
        env = os.environ | api.environment()
        counts = api.batches.counts
        more = ("--batch", "--batch-poll-s", "0.2")
        until: list[Callable[[], bool]] = [
            lambda: counts.jobs >= 1,
            lambda: api.counts.billed > 0,
            lambda: counts.uploads >= 2,
        ]
        for reached in until:
            kill_when(reached, command("out.jsonl", provider, *more), folder, env)
        started = time.perf_counter()
        done = subprocess.run(
            command("out.jsonl", provider, *more),
            cwd=folder, env=env, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return {
            "rows": rows(folder / "out.jsonl"),
            "s": time.perf_counter() - started,
            "counts": counts,
            "repeats": api.counts.billed_repeats,
            "single": api.counts.requests,
            "summary": json.loads(done.stdout),
        }


def kill_when(reached: Callable[[], bool], asked: list[str], folder: Path, env: dict[str, str]) -> None:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(asked, cwd=folder, env=env, stdout=quiet, stderr=quiet)
    while not reached() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


def rows(path: Path) -> list[dict[str, Any]]:
    """What was written, without the cost: a batch halves it."""
    read = (json.loads(line) for line in path.read_text().splitlines())
    return [{name: cell for name, cell in row.items() if not name.endswith("_cost_usd")} for row in read]


def told(documents: int, alone: dict[str, Any], figures: dict[str, Any]) -> int:
    counts, same = figures["counts"], figures["rows"] == alone["rows"]
    share = figures["summary"]["cost_usd_total"] / alone["summary"]["cost_usd_total"]
    print(f"{documents} documents, three kills: statuses {figures['summary']['statuses']}")
    print(f"  jobs {counts.jobs} · lines {counts.lines} · failed lines {counts.failed_lines}")
    print(f"  single calls {figures['single']} · cost {share:.3f} of the run without --batch")
    print(f"  last process {figures['s']:.1f} s; without --batch {alone['s']:.1f} s")
    bars = {
        "the same outcomes as without --batch": same,
        f"nothing submitted twice (lines in two jobs: {counts.sent_twice})": counts.sent_twice == 0,
        f"nothing paid twice (answers generated again: {figures['repeats']})": figures["repeats"] == 0,
    }
    for bar, kept in bars.items():
        print(f"  {'kept  ' if kept else 'MISSED'} {bar}")
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
