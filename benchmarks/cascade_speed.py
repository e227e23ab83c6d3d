"""CPU of a whole cascade beside the bare SDK doing the same calls, on the same machine in the same run.

    CUPEL_BENCH_PROVIDER=fake_provider.py python benchmarks/cascade_speed.py [--documents 400] [--latency-ms 0]

Every document takes an extraction and a judgement, and a share of them an escalation as well. The bare `openai` client
then sends exactly as many requests of the same kind and size, with no graph, no run log and no checks. Prints CPU per document and
the ratio, for `openai:` and `groq:` models, and the wall time beside the latency floor. It says nothing about quality.
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
from pathlib import Path
from typing import Any

from cupel.context import RunContext
from cupel.project import Project, find_project
from cupel.runlog import tables
from cupel.runner import Job, Runner
from cupel.tables import Row
from cupel.tasks import load_task

PROVIDER = os.environ.get("CUPEL_BENCH_PROVIDER", "")
CRITERIA = ("told_apart", "nothing_missing", "only_statements", "one_each", "support_fits", "stance_fits")
SENTENCE = "We must build more homes in every region of the Union, because rents rose by 40 % in year {n}. "
ESCALATED = 0.5
"""Share of documents whose cheap record quotes what nobody said."""


@contextmanager
def provider(folder: Path, latency_ms: float, count: int) -> Iterator[str]:
    """The fake provider with answers that accept every document, half of them after an escalation."""
    answers = folder / "answers.jsonl"
    finding = {"reasoning": "as it should be", "evidence_quote": None, "finding": "pass"}
    rows = []
    for n in range(count):
        quote = SENTENCE.format(n=n).strip()
        record = {"matter": "housing", "claims": [{"id": 1, "quote": quote}], "premises": [], "stance": "support"}
        rows.append({"id": f"d{n}", "answer": {**record, **dict.fromkeys(CRITERIA, finding)}})
    answers.write_text("\n".join(json.dumps(row) for row in rows))
    options = ["--set", f"ttft_ms={latency_ms}", "--answers", str(answers)]
    options += ["--set", f"cheap:faults.bad_quote={ESCALATED}"]
    process = subprocess.Popen([sys.executable, PROVIDER, "--port", "0", *options], stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())["listening"]  # type: ignore[union-attr]
    finally:
        process.terminate()
        process.wait()


async def cascade(folder: Path, kind: str, rows: list[Row], concurrency: int) -> tuple[float, float, Any]:
    """CPU and wall seconds of the graph over the rows, and its runner."""
    project = find_project()
    models = {f"{role}_model": f"{kind}:{role}" for role in ("cheap", "strong", "judge", "refiner")}
    task = load_task("arguments", project.prompts)
    job = Job(task=task, context=RunContext(**models), concurrency=concurrency)
    async with Runner(job, Project(project.folder, folder / f".cupel-{kind}-{concurrency}-{len(rows)}")) as runner:
        async for _ in runner.outcomes(rows[:20]):  # warm-up: imports, connections, caches
            pass
        cpu, wall = time.process_time(), time.perf_counter()
        statuses = [outcome["status"] async for _, outcome in runner.outcomes(rows[20:])]
        spent = time.process_time() - cpu, time.perf_counter() - wall
        stored = runner.runtime.run_log.rows_of(tables.responses)
    assert set(statuses) == {"accepted"}, statuses[:5]
    return *spent, stored


async def bare(stored: list[dict[str, Any]], documents: int, concurrency: int) -> tuple[float, float]:
    """CPU and wall seconds of the SDK alone, sending what the cascade sent."""
    from openai import AsyncOpenAI, DefaultAioHttpClient

    client = AsyncOpenAI(max_retries=0) if not os.environ.get("BARE_AIOHTTP") else AsyncOpenAI(max_retries=0, http_client=DefaultAioHttpClient())
    project = find_project()
    schema = load_task("arguments", project.prompts).schema
    format_ = {"type": "json_schema", "json_schema": {"name": "record", "strict": True, "schema": schema}}
    gate = asyncio.Semaphore(concurrency)

    async def one(row: dict[str, Any]) -> None:
        async with gate:
            await client.chat.completions.create(
                model=row["model"].split(":", 1)[1], messages=json.loads(row["asked"]), response_format=format_
            )

    for row in stored[:20]:
        await one(row)
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(one(row) for row in stored[20:]))
    spent = time.process_time() - cpu, time.perf_counter() - wall
    await client.close()
    del documents
    return spent


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    told = parser.parse_args()
    rows = [
        Row(position=n, values={}, text=SENTENCE.format(n=n) + "Filler sentence for length. " * 70, doc_id=f"d{n}")
        for n in range(told.documents)
    ]
    count = told.documents - 20
    for kind in ("openai", "groq"):
        figures = []
        for _ in range(told.repeats):
            with tempfile.TemporaryDirectory() as name, provider(Path(name), told.latency_ms, told.documents) as url:
                os.environ.update(
                    OPENAI_BASE_URL=f"{url}/v1", OPENAI_API_KEY="fake", GROQ_BASE_URL=url, GROQ_API_KEY="fake"
                )
                cpu, wall, stored = asyncio.run(cascade(Path(name), kind, rows, told.concurrency))
                base, base_wall = asyncio.run(bare(stored, count, told.concurrency))
                figures.append((cpu / count * 1000, base / count * 1000, wall, base_wall, len(stored) / told.documents))
        cpu_ms, base_ms, wall, base_wall, calls = min(figures)
        floor = calls * count / told.concurrency * told.latency_ms / 1000
        print(
            f"{kind}: {calls:.2f} calls a document, {cpu_ms:.2f} ms CPU a document, bare openai client {base_ms:.2f} ms: "
            f"{cpu_ms / base_ms:.2f} × (wall {wall:.2f} s, bare {base_wall:.2f} s, latency floor {floor:.2f} s)",
            flush=True,
        )


if __name__ == "__main__":
    main()
