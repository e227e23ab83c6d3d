"""Documents a second of the served graph beside `cupel run`, in the same run: sixteen at once, a model that takes 50 ms.

    .venv/bin/python -m benchmarks.served_throughput --documents 400 --rounds 3 [--server aegra | platform]

Rounds alternate, so that a busy machine is as busy for the one as for the other; each asks for documents nobody asked before. The scripted
provider, the server and its callers share the machine; Aegra's PostgreSQL is one of its own, without fsync. The table says where the time goes: the CPU
each process spent on a document, of the server and of PostgreSQL beside it, and of `cupel run`. Exits with 1 below the bar.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from cupel.testing.provider import ScriptedProvider
from tests.integration.cascade import ACCEPTS, TEXT, record
from tests.integration.server import aegra_fault, aegra_server, langgraph_server

ROOT = Path(__file__).parent.parent
CALLERS, LATENCY_S, BAR = 16, 0.05, 0.60
ROLES = {f"{role}_model": f"openai:{role}" for role in ("cheap", "strong", "judge", "refiner")}
SERVERS = {"aegra": aegra_server, "platform": langgraph_server}


def answer(body: dict[str, Any]) -> Any:
    """Records, and a judge who accepts."""
    properties = body["response_format"]["json_schema"]["schema"]["properties"]
    return ACCEPTS if "told_apart" in properties else record()


def texts(count: int, salt: str) -> list[str]:
    """Documents of two kilobytes that no other round has."""
    return [
        f"{TEXT} This is speech {salt} {n}. {'It is said once more. ' * 85}"[:2_000] for n in range(count)
    ]


def run_file(folder: Path, salt: str, count: int, env: dict[str, str]) -> tuple[float, float]:
    """Documents a second of `cupel run`, without its start, and the CPU of the whole command per document, in ms."""
    given = folder / f"{salt}.jsonl"
    given.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts(count, salt)))
    roles = [part for role, model in ROLES.items() for part in (f"--{role.replace('_', '-')}", model)]
    command = [
        sys.executable, "-m", "cupel", "run", given, "--task", "arguments", *roles, "--judge", "always",
        "--concurrency", str(CALLERS), "--out", folder / f"{salt}-out.jsonl", "--json",
    ]  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stderr)
    told = json.loads(done.stdout)
    assert told["statuses"] == {"accepted": count}, told["statuses"]
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return count / float(told["wall_s"]), spent * 1000 / count


def cpu_of(port: str) -> dict[str, float]:
    """Seconds of CPU that the server on a port and the PostgreSQL servers of this machine have spent so far; Linux's /proc says it."""
    spent: Counter[str] = Counter()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_text().replace("\0", " ")
            numbers = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        is_postgres = re.match(r"postgres:|\S*/postgres ", command) is not None
        if is_postgres or f"--port {port}" in command:
            ended = numbers[13:15] if is_postgres else []  # a connection's process, once it has ended
            seconds = sum(map(int, (*numbers[11:13], *ended))) / os.sysconf("SC_CLK_TCK")
            spent["PostgreSQL" if is_postgres else "server"] += seconds
    return dict(spent)


async def call_server(url: str, salt: str, count: int) -> float:
    """Documents a second of a server that sixteen callers ask, each its next as soon as it has an answer."""
    waiting = texts(count, salt)
    context = {**ROLES, "judge": "always"}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=300)) as asking:

        async def caller() -> None:
            while waiting:
                given = {"text": waiting.pop(), "task": "arguments"}
                body = {"assistant_id": "enrich", "input": given, "context": context}
                async with asking.post(f"{url}/runs/wait", json=body) as told:
                    outcome = json.loads(await told.text())
                assert outcome.get("status") == "accepted", outcome

        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        return count / (time.perf_counter() - began)


def laid_out(folder: Path) -> Path:
    """A copy of the project, in a folder that may be there."""
    folder.mkdir(exist_ok=True)
    for name in ("graphs", "nodes", "prompts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    config = (ROOT / "langgraph.json").read_text().replace('"env": ".env"', '"env": {}')
    (folder / "langgraph.json").write_text(config)
    (folder / "pyproject.toml").write_text('[project]\nname = "study"\nversion = "0"\n')
    return folder


def main() -> int:
    """Both, round by round; the ratio of their medians."""
    reading = argparse.ArgumentParser(description=__doc__)
    reading.add_argument("--documents", type=int, default=400)
    reading.add_argument("--rounds", type=int, default=3)
    reading.add_argument("--server", choices=SERVERS, default="aegra")
    args = reading.parse_args()
    if args.server == "aegra" and (fault := aegra_fault()):
        sys.exit(fault)
    with tempfile.TemporaryDirectory() as place, ScriptedProvider(answer, latency_s=LATENCY_S) as provider:
        env = {**os.environ, **provider.environment(), "CUPEL_TRUST": place}
        here, there = (laid_out(Path(place) / name) for name in ("file", "server"))
        rounds: list[tuple[float, float]] = []
        cpu: Counter[str] = Counter()
        with SERVERS[args.server](there, env, there / "server.log") as url:
            asyncio.run(call_server(url, "warm", 32))
            for number in range(args.rounds):
                file, file_ms = run_file(here, f"r{number}", args.documents, env)
                before = cpu_of(url.rpartition(":")[2])
                served = asyncio.run(call_server(url, f"s{number}", args.documents))
                after = cpu_of(url.rpartition(":")[2])
                rounds.append((file, served))
                for name in before:
                    cpu[name] += (after[name] - before[name]) * 1000 / args.documents
                cpu["cupel run"] += file_ms
                print(
                    f"round {number + 1}: cupel run {file:6.1f} documents/s, {args.server} {served:6.1f}, ratio {served / file:.2f}"
                )
    files, serveds = zip(*rounds, strict=True)
    ratio = statistics.median(serveds) / statistics.median(files)
    for name, total in cpu.items():
        print(f"  {name:10} {total / args.rounds:6.1f} ms of CPU a document")
    print(
        f"{args.server}: {ratio:.0%} of `cupel run` (bar {BAR:.0%}), {CALLERS} callers, a model of {LATENCY_S * 1000:.0f} ms"
    )
    return 0 if ratio >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
