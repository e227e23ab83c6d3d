"""Long runs in bad weather, through `cupel run`: limits, kills, faults, budgets, and a whole corpus.

    CUPEL_BENCH_DATA=DIR CUPEL_BENCH_PROVIDER=fake_provider.py python benchmarks/soak.py [PART …] [--rows N] [--kills N]

Parts: limits, kills, faults, budgets, bulk. The provider is started on a free loopback port and makes its answers
up: nothing here says anything about quality. Exits with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from main_job import (
    DATA,
    bar,
    command,
    gold_answer,
    kills,
    missed,
    provider,
    run,
    speeches,
    stats,
    write,
)

BAD_WEATHER = (
    "http_500", "http_502", "http_503", "http_429", "reset", "close", "hang", "slow", "truncated_body",
    "truncated_json", "invalid_json", "fenced_json", "wrong_schema", "extra_keys", "bad_quote", "refusal",
    "empty_choices", "null_content", "content_filter", "context_length",
)  # fmt: skip
"""Every fault of a chat completion that says something about one request; a wrong key or model ends a run."""

FLAT_AFTER = 5_000
OUTPUT_LIMIT = 4_096
MAX_MB = 400
FLAT = 1.05


def many(count: int) -> list[dict[str, Any]]:
    """So many different short documents, made of the speeches."""
    _, rows = speeches()
    return [{"id": f"d{n}", "text": f"{n}. {rows[n % len(rows)]['text'][:1500]}"} for n in range(count)]


def gold(folder: Path, rows: list[dict[str, Any]]) -> tuple[str, ...]:
    """Options that make the provider answer every document rightly."""
    answers = [{"id": row["id"], "answer": gold_answer(row["text"])} for row in rows]
    return "--answers", str(write(folder / "gold.jsonl", answers))


def limits(folder: Path, told: argparse.Namespace) -> None:
    """45 documents at 30 requests a minute, at a token limit as tight, and at both: the floor and the 429s."""
    del told
    rows = many(45)
    source = write(folder / "in.jsonl", rows)
    tokens = 32_700  # so that the floor is about as long as that of 30 requests a minute
    for name, settings, worst in (
        ("30 requests/min", ["cheap:rpm=30"], 1.08),
        ("tokens/min", [f"cheap:tpm={tokens}"], 1.1),
        ("both", ["cheap:rpm=30", f"cheap:tpm={tokens}"], 1.1),
    ):
        options = [part for setting in settings for part in ("--set", setting)]
        own = Path(tempfile.mkdtemp(dir=folder))
        with provider("--set", "ttft_ms=200", *options, *gold(folder, rows)) as url, watching(url) as busy:
            summary, out = run(url, own, source, "--judge", "never", "--concurrency", "32")
            counted = stats(url)
        answers = sum(row["arguments_status"] == "accepted" for row in out)
        refused = counted["by_status"].get("429", 0)
        used = counted["prompt_tokens"] + counted["completion_tokens"]
        by_requests = 30.0 if name != "tokens/min" else 0.0
        # the last call must still fit with the whole output limit that the provider sets aside for it
        by_tokens = (used + OUTPUT_LIMIT - tokens) / tokens * 60 if name != "30 requests/min" else 0.0
        floor = max(by_requests, by_tokens)
        pacing = busy[-1] - busy[0]
        shown = f"{answers} answers, {refused} 429s, {summary['wall_s']:.1f} s ({summary['wall_s'] / floor:.2f} ×), "
        shown += (
            f"floor {floor:.1f} s, {used} tokens; from the first request to the last answer {pacing:.1f} s "
        )
        shown += f"({pacing / floor:.2f} ×), load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
        holds = answers == 45 and refused <= 3 and summary["wall_s"] <= worst * floor
        bar(name, shown, holds=holds, wanted=f"45, ≤ 3, ≤ {worst} × the floor")


@contextlib.contextmanager
def watching(url: str) -> Iterator[list[float]]:
    """The times at which requests were seen under way at the provider, looked up fifty times a second."""
    seen: list[float] = []
    over = threading.Event()

    def watch() -> None:
        before = 0
        while not over.wait(0.02):
            counted = stats(url)
            if counted["in_flight"] or counted["requests"] != before:
                seen.append(time.perf_counter())
            before = counted["requests"]

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def killed(folder: Path, told: argparse.Namespace) -> None:
    """Kill -9 at random instants, on enough documents for every kill to find some left."""
    kills(folder, told.kills, write(folder / "in.jsonl", many(told.rows or 10 * told.kills)))


def faults(folder: Path, told: argparse.Namespace) -> None:
    """Every fault at a tenth, all at once: every row an outcome, nothing wrong called accepted."""
    rows = many(told.rows or 1000)
    source = write(folder / "in.jsonl", rows)
    settings = [part for name in BAD_WEATHER for part in ("--set", f"faults.{name}={0.1:.3f}")]
    started = time.perf_counter()
    with provider("--set", "hang_s=30", "--set", "slow_ms=100", *settings, *gold(folder, rows)) as url:
        summary, out = run(url, folder, source, "--timeout-s", "2", "--concurrency", "128")
        counted = stats(url)
    wrong = sum(row["arguments_status"] == "accepted" and not right(row) for row in out)
    settled = Counter(row["arguments_status"] for row in out)
    shown = f"{dict(settled)}, {wrong} wrong accepted, {counted['requests']} requests, {time.perf_counter() - started:.0f} s"
    whole = len(out) == len(rows) and set(settled) <= {"accepted", "needs_review", "failed"}
    bar(
        f"every fault at 10 %, {len(rows)} documents",
        shown,
        holds=whole and not wrong,
        wanted="every row an outcome, 0 wrong",
    )
    del summary


def right(row: dict[str, Any]) -> bool:
    """Whether an accepted record is the gold one."""
    wanted = gold_answer(row["text"])
    return all(
        row["arguments"].get(name) == wanted[name] for name in ("matter", "claims", "premises", "stance")
    )


def budgets(folder: Path, told: argparse.Namespace) -> None:
    """Ten random caps: what the provider would bill never exceeds one."""
    del told
    rows = many(60)
    source = write(folder / "in.jsonl", rows)
    rng, over, shown = random.Random(5), 0, []
    for _ in range(10):
        cap = round(10 ** rng.uniform(-3, -0.7), 4)
        own = Path(tempfile.mkdtemp(dir=folder))
        with provider(
            "--set", "price_in=1", "--set", "price_out=4", "--set", "faults.truncated_body=0.05"
        ) as url:
            args, env = command(url, source, "--max-usd", str(cap))
            env["CUPEL_PRICES"] = ",".join(
                f"openai:{role}=1/4" for role in ("cheap", "strong", "judge", "refiner")
            )
            subprocess.run(args, cwd=own, env=env, capture_output=True, text=True, check=False)
            billed = float(stats(url)["cost_usd"])
        over += billed > cap
        shown.append(f"{billed:.4f}/{cap}")
    bar("--max-usd, billed/cap", ", ".join(shown), holds=over == 0, wanted="never exceeded")


def bulk(folder: Path, told: argparse.Namespace) -> None:
    """All speeches at 20 ms: finishes, and memory stays flat."""
    import pyarrow.parquet as pq

    source = DATA / "eu_debates" / "bulk.parquet"
    total = pq.ParquetFile(source).metadata.num_rows  # type: ignore[no-untyped-call]  # pyarrow has no types
    rows = min(told.rows or total, total)
    with provider("--set", "ttft_ms=20", "--set", "tokens_per_s=0") as url:
        args, env = command(url, source, "--limit", str(rows), "--judge", "never", "--concurrency", "64")
        args[args.index("out.jsonl")] = "out.parquet"
        started = time.perf_counter()
        with subprocess.Popen(
            args, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            seen = _watched(process, folder / ".cupel" / "runlog.sqlite")
            printed = process.stdout.read() if process.stdout else ""
    summary = json.loads(printed)
    early = max((each.resident_mb for each in seen if each.documents <= FLAT_AFTER), default=0.0)
    late = max((each.resident_mb for each in seen if each.documents > FLAT_AFTER), default=0.0)
    peak = max(each.peak_mb for each in seen)
    shown = f"{summary['documents']} of {total} speeches, {summary['statuses']}, peak {peak:.0f} MB, "
    shown += f"{early:.0f} MB up to {FLAT_AFTER} documents, {late:.0f} MB after them, "
    shown += f"{time.perf_counter() - started:.0f} s, {seen[-1].cpu_s:.0f} s of CPU"
    finished = process.returncode == 0 and summary["documents"] == rows
    holds = finished and peak <= MAX_MB and late <= FLAT * early
    bar("bulk", shown, holds=holds, wanted=f"≤ {MAX_MB} MB, flat: ≤ {FLAT} × after {FLAT_AFTER}")


class Sample(NamedTuple):
    """One look at a running process."""

    documents: int
    resident_mb: float
    anonymous_mb: float
    """Of these, what it allocated itself; the rest are its libraries."""

    peak_mb: float
    cpu_s: float


def _watched(process: subprocess.Popen[str], run_log: Path) -> list[Sample]:
    """The process five times a second until it ends; a line printed at every thousandth document."""
    seen: list[Sample] = []
    print("documents  resident MB  allocated MB  peak MB  CPU s", flush=True)
    while process.poll() is None:
        with contextlib.suppress(OSError, IndexError, ValueError, sqlite3.Error):
            sample = _sample(process.pid, run_log)
            if not seen or sample.documents // 1000 > seen[-1].documents // 1000:
                _, resident, anonymous, peak, cpu = sample
                print(
                    f"{sample.documents:9}  {resident:11.0f}  {anonymous:12.0f}  {peak:7.0f}  {cpu:5.0f}",
                    flush=True,
                )
            seen.append(sample)
        time.sleep(0.2)
    return seen


def _sample(pid: int, run_log: Path) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    sizes = [int(status.partition(f"{name}:")[2].split()[0]) / 1024 for name in ("VmRSS", "RssAnon", "VmHWM")]
    times = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    cpu = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
    done = 0
    with contextlib.closing(sqlite3.connect(f"file:{run_log}?mode=ro", uri=True)) as log:
        done = log.execute("SELECT coalesce(max(rowid), 0) FROM run_rows").fetchone()[0]
    return Sample(done, *sizes, cpu)


PARTS = {"limits": limits, "kills": killed, "faults": faults, "budgets": budgets, "bulk": bulk}


def main() -> None:
    """Run the named parts, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--rows", type=int, default=0, help="documents of the parts kills, faults and bulk")
    parser.add_argument("--kills", type=int, default=100)
    told = parser.parse_args()
    for name in told.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](Path(folder), told)
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
