"""CPU of a whole cascade beside the bare SDK doing the same calls, on the same machine in the same run.

    CUPEL_BENCH_PROVIDER=fake_provider.py python benchmarks/cascade_speed.py [--documents 400] [--repeats 3] [PART …]

Parts: cpu, groq, latency. Every document takes an extraction and a judgement, and half of them an escalation as
well. The bare `openai` client then sends the very requests that the cascade sent, with no graph, no run log and no
checks. Prints CPU per document, the ratios, and the wall time beside the latency floor, the best of the repeats.
It says nothing about quality. Exits with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cupel.context import RunContext
from cupel.project import Project, find_project
from cupel.runlog import tables
from cupel.runs.job import Job
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from cupel.task.folder import load_task
from cupel.task.rendering import wire_schema

PROVIDER = os.environ.get("CUPEL_BENCH_PROVIDER", "")
CRITERIA = ("told_apart", "nothing_missing", "only_statements", "one_each", "support_fits", "stance_fits")
SENTENCE = "We must build more homes in every region of the Union, because rents rose by 40 % in year {n}. "
ESCALATED = 0.5
"""Share of documents whose cheap record quotes what nobody said."""

WARM_UP = 20
"""Documents before the clock starts: imports, connections, caches."""

missed: list[str] = []


@dataclass(frozen=True)
class Spent:
    """What one measurement took."""

    cpu_ms: float
    """A document."""

    wall_s: float
    calls: float
    """A document."""

    bare_ms: float = 0.0


def bar(name: str, measured: str, *, holds: bool, wanted: str) -> None:
    """Print one line of the table, and remember a miss."""
    print(f"{'ok  ' if holds else 'MISS'} {name}: {measured} (bar: {wanted})", flush=True)
    if not holds:
        missed.append(name)


@contextmanager
def provider(folder: Path, latency_ms: float, count: int) -> Iterator[str]:
    """The fake provider with answers that accept every document, half of them after an escalation."""
    answers = folder / "answers.jsonl"
    finding = {"reasoning": "as it should be", "evidence_quote": None, "finding": "pass"}
    rows = []
    for n in range(count):
        claim = {"id": 1, "quote": SENTENCE.format(n=n).strip()}
        record = {"matter": "housing", "claims": [claim], "premises": [], "stance": "support"}
        rows.append({"id": f"d{n}", "answer": {**record, **dict.fromkeys(CRITERIA, finding)}})
    answers.write_text("\n".join(json.dumps(row) for row in rows))
    options = ["--set", f"ttft_ms={latency_ms}", "--set", "tokens_per_s=0", "--set", "jitter=0"]
    options += ["--answers", str(answers), "--set", f"cheap:faults.bad_quote={ESCALATED}"]
    command = [sys.executable, PROVIDER, "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["listening"]
        finally:
            process.terminate()


def documents(count: int) -> list[Row]:
    """Texts of about 2 kB."""
    filler = "Filler sentence for length. " * 70
    return [
        Row(position=n, values={}, text=SENTENCE.format(n=n) + filler, doc_id=f"d{n}") for n in range(count)
    ]


async def cascade(
    folder: Path, kind: str, rows: list[Row], concurrency: int
) -> tuple[Spent, list[dict[str, Any]]]:
    """The graph over the rows, and the responses in its run log."""
    project = find_project()
    models = {f"{role}_model": f"{kind}:{role}" for role in ("cheap", "strong", "judge", "refiner")}
    task = load_task("arguments", project.prompts)
    job = Job(task=task, context=RunContext(**models), concurrency=concurrency)
    async with Runner(job, Project(project.folder, folder / ".cupel")) as runner:
        async for _ in runner.outcomes(rows[:WARM_UP]):
            pass
        cpu, wall, before = time.process_time(), time.perf_counter(), runner.tally.calls.total()
        statuses = [outcome["status"] async for _, outcome in runner.outcomes(rows[WARM_UP:]) if outcome]
        spent_cpu, spent_wall = time.process_time() - cpu, time.perf_counter() - wall
        stored = runner.runtime.run_log.rows_of(tables.responses)
        calls = runner.tally.calls.total() - before
    counted = len(rows) - WARM_UP
    assert len(statuses) == counted, len(statuses)
    assert set(statuses) == {"accepted"}, statuses[:5]
    return Spent(spent_cpu / counted * 1000, spent_wall, calls / counted), stored


async def bare(stored: list[dict[str, Any]], rows: list[Row], concurrency: int) -> float:
    """CPU milliseconds a document of the SDK alone, sending what the cascade sent."""
    from openai import AsyncOpenAI

    texts = {row.doc_id: json.dumps(row.text)[1:-1] for row in rows}
    schema = wire_schema(load_task("arguments", find_project().prompts).schema)
    format_ = {"type": "json_schema", "json_schema": {"name": "record", "strict": True, "schema": schema}}
    asked = [
        (row["model"].split(":", 1)[1], json.loads(row["asked"].replace("⟦document⟧", texts[row["doc_id"]])))
        for row in stored
    ]
    client = AsyncOpenAI(max_retries=0)
    warm = int(len(asked) * WARM_UP / len(rows))

    async def send(some: Any) -> None:
        for model, messages in some:
            await client.chat.completions.create(
                model=model,
                messages=messages,
                response_format=format_,
                temperature=0,
                max_completion_tokens=4096,
            )

    await send(iter(asked[:warm]))
    started, left = time.process_time(), iter(asked[warm:])
    await asyncio.gather(*(send(left) for _ in range(concurrency)))
    spent = time.process_time() - started
    await client.close()
    return spent / (len(rows) - WARM_UP) * 1000


def measured(
    kind: str, told: argparse.Namespace, *, concurrency: int, latency_ms: float, beside: bool
) -> Spent:
    """The best of the repeats: the one least disturbed by what else the machine did."""
    found = []
    for _ in range(told.repeats):
        with tempfile.TemporaryDirectory() as name, provider(Path(name), latency_ms, told.documents) as url:
            os.environ.update(
                OPENAI_BASE_URL=f"{url}/v1", OPENAI_API_KEY="fake", GROQ_BASE_URL=url, GROQ_API_KEY="fake"
            )
            rows = documents(told.documents)
            spent, stored = asyncio.run(cascade(Path(name), kind, rows, concurrency))
            base = asyncio.run(bare(stored, rows, concurrency)) if beside else 0.0
            found.append(Spent(spent.cpu_ms, spent.wall_s, spent.calls, base))
    best = min(found, key=lambda each: each.wall_s if latency_ms else each.cpu_ms)
    return Spent(best.cpu_ms, best.wall_s, best.calls, min(each.bare_ms for each in found))


def cpu(told: argparse.Namespace) -> None:
    """Latency 0: what a document costs beside the bare client."""
    ours = measured("openai", told, concurrency=told.concurrency, latency_ms=0, beside=True)
    ratio = ours.cpu_ms / ours.bare_ms
    shown = f"{ours.cpu_ms:.2f} ms a document ({ours.calls:.2f} calls), bare openai {ours.bare_ms:.2f} ms: {ratio:.2f} ×"
    bar(f"CPU, concurrency {told.concurrency}", shown, holds=ratio <= 2.0, wanted="≤ 2.0 ×, aim 1.0")


def groq(told: argparse.Namespace) -> None:
    """langchain-groq sits on a client whose cost grows with the connections; ours may not."""
    os.environ["CUPEL_CAPABILITIES"] = "groq:*=json_schema"
    theirs, ours = (
        measured(kind, told, concurrency=256, latency_ms=0, beside=False) for kind in ("groq", "openai")
    )
    shown = f"groq {theirs.cpu_ms:.2f} ms a document, openai {ours.cpu_ms:.2f} ms: {theirs.cpu_ms / ours.cpu_ms:.2f} ×"
    bar(
        "CPU of groq: at concurrency 256",
        shown,
        holds=theirs.cpu_ms <= 1.5 * ours.cpu_ms,
        wanted="≤ 1.5 × openai:",
    )


def latency(told: argparse.Namespace) -> None:
    """200 ms a call: how much of what waiting alone would allow is reached."""
    for concurrency, wanted in ((64, 0.8), (256, 0.3)):
        longer = argparse.Namespace(
            # enough for the start and the tail, when few are in flight, to weigh little
            **{**vars(told), "documents": max(told.documents, 16 * concurrency + WARM_UP)}
        )
        ours = measured("openai", longer, concurrency=concurrency, latency_ms=200, beside=False)
        floor = ours.calls * (longer.documents - WARM_UP) / concurrency * 0.2
        shown = f"{ours.wall_s:.2f} s, latency floor {floor:.2f} s: {floor / ours.wall_s:.0%}"
        bar(
            f"200 ms, concurrency {concurrency}",
            shown,
            holds=floor >= wanted * ours.wall_s,
            wanted=f"≥ {wanted:.0%}",
        )


PARTS = {"cpu": cpu, "groq": groq, "latency": latency}


def main() -> None:
    """Run the named parts, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    told = parser.parse_args()
    if not PROVIDER:
        sys.exit("set CUPEL_BENCH_PROVIDER to the script of a fake provider that takes --port 0")
    for name in told.parts or PARTS:
        PARTS[name](told)
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
