"""Documents a second of the served graph beside `cupel run`, in the same run: sixteen at once, a model that takes 50 ms.

    .venv/bin/python benchmarks/served_throughput.py --documents 400 --rounds 3 [--server aegra | platform]

Rounds alternate, so that a busy machine is as busy for the one as for the other; each asks for documents nobody asked before. The scripted
provider, the server and its callers share the machine; Aegra's PostgreSQL is one of its own, without fsync. With `--where` the server's process is
sampled: where its time goes, by package. Exits with 1 below the bar.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

from cupel.testing.provider import ScriptedProvider

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.integration.cascade import ACCEPTS, TEXT, record  # noqa: E402 # the tests are no package that is installed
from tests.integration.server import aegra_fault, aegra_server, langgraph_server  # noqa: E402

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


def run_file(folder: Path, salt: str, count: int, env: dict[str, str]) -> float:
    """Documents a second of `cupel run`, without its start."""
    given = folder / f"{salt}.jsonl"
    given.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts(count, salt)))
    roles = [part for role, model in ROLES.items() for part in (f"--{role.replace('_', '-')}", model)]
    command = [
        sys.executable, "-m", "cupel", "run", given, "--task", "arguments", *roles, "--judge", "always",
        "--concurrency", str(CALLERS), "--out", folder / f"{salt}-out.jsonl", "--json",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    told = json.loads(done.stdout)
    assert told["statuses"] == {"accepted": count}, told["statuses"]
    return count / float(told["wall_s"])


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
    """A copy of the project."""
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
        here, there = (
            laid_out(Path(place) / name) if (Path(place) / name).mkdir() is None else None
            for name in ("file", "server")
        )
        rounds: list[tuple[float, float]] = []
        with SERVERS[args.server](there, env, there / "server.log") as url:
            asyncio.run(call_server(url, "warm", 32))
            for number in range(args.rounds):
                file = run_file(here, f"r{number}", args.documents, env)
                served = asyncio.run(call_server(url, f"s{number}", args.documents))
                rounds.append((file, served))
                print(
                    f"round {number + 1}: cupel run {file:6.1f} documents/s, {args.server} {served:6.1f}, ratio {served / file:.2f}"
                )
    files, serveds = zip(*rounds, strict=True)
    ratio = statistics.median(serveds) / statistics.median(files)
    print(
        f"{args.server}: {ratio:.0%} of `cupel run` (bar {BAR:.0%}), {CALLERS} callers, a model of {LATENCY_S * 1000:.0f} ms"
    )
    return 0 if ratio >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
