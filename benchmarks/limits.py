"""Pacing under a provider's limits over real HTTP: 45 documents, concurrency 32, no limit told beforehand.

    CUPEL_BENCH_PROVIDER=…/fake_provider.py python benchmarks/limits.py [--only NAME] [--quick]
    … CUPEL_DATABASE_URL=postgresql+psycopg://HOST/DATABASE python benchmarks/limits.py --shared 3

Each case is a model of its own on one simulated provider, so all run at the same time; a bare aiohttp client makes
the calls, so what is measured is the limiter. `--shared N` has N processes keep one limit of 600 requests a minute.
Exits with 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from cupel.errors import CupelError
from cupel.limits.circuit import Circuit
from cupel.limits.limiter import Limiter
from cupel.limits.retries import RetryPolicy, with_retries
from cupel.limits.slot import Slot
from cupel.models.replies import Reply, keep_headers, to_message

DOCUMENTS = 45
CONCURRENCY = 32
MAX_TOKENS = 300
PATHS = {"openai": "/v1", "groq": "/openai/v1", "openrouter": "/api/v1"}
TEXT = "The committee heard that the budget would be cut, and that farmers had not been asked. " * 24


@dataclass(frozen=True)
class Case:
    """One situation and its bars."""

    name: str
    provider: str
    settings: dict[str, float]
    max_rejected: int | None
    max_ratio: float
    faults: dict[str, float] = field(default_factory=dict)


CASES = [
    Case("openai rpm", "openai", {"rpm": 30}, 3, 1.08),
    Case("groq rpm, header says rpd", "groq", {"rpm": 30, "rpd": 14_400}, 3, 1.08),
    Case("groq rpm, no rpd", "groq", {"rpm": 30}, 3, 1.08),
    Case("openrouter rpm", "openrouter", {"rpm": 30}, 3, 1.08),
    Case("openai tpm", "openai", {"tpm": 20_000}, 3, 1.1),
    Case("groq tpm", "groq", {"tpm": 20_000}, 3, 1.1),
    Case("openai both", "openai", {"rpm": 30, "tpm": 20_000}, 3, 1.1),
    Case("groq both", "groq", {"rpm": 30, "tpm": 24_000, "rpd": 14_400}, 3, 1.1),
    Case("openai rpm, 10 % 503", "openai", {"rpm": 30}, 3, 1.08, {"http_503": 0.1}),
    Case("8 at once, no headers", "openai", {"max_concurrency": 8}, None, math.inf),
]


@dataclass
class Result:
    """What came of a case."""

    answers: int = 0
    requests: int = 0
    rejected: int = 0
    wall_s: float = 0.0
    used: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def main() -> int:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="cases whose name contains this")
    parser.add_argument("--quick", action="store_true", help="the cost per call only")
    parser.add_argument("--shared", type=int, metavar="N", help="only: N processes share one limit")
    parser.add_argument("--join", nargs=3, metavar=("URL", "MODEL", "END"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.join:
        return asyncio.run(join(*options.join))
    if options.shared:
        return share(options.shared)
    missed = cost_per_call()
    if not options.quick:
        cases = [case for case in CASES if not options.only or options.only in case.name]
        missed += asyncio.run(pacing(cases))
    return 1 if missed else 0


def cost_per_call(calls: int = 20_000) -> int:
    """CPU of a slot where no limit is known, and with the whole retry loop around it."""

    async def slots() -> None:
        limiter = Limiter(pilot=False)
        headers = {"content-type": "application/json", "date": "Mon, 01 Jan 2029 00:00:00 GMT"}
        for _ in range(calls):
            async with limiter.slot("openai:m", tokens=800) as slot:
                slot.learn(headers, 200, 700)

    async def loops() -> None:
        limiter, policy, circuit = Limiter(pilot=False), RetryPolicy(), Circuit("openai:m")

        async def answer(slot: Slot | None) -> None:
            if slot is not None:
                slot.learn({}, 200, 700)

        for _ in range(calls):
            place = lambda: limiter.slot("openai:m", tokens=800)  # noqa: E731 (as a caller writes it)
            await with_retries(answer, policy=policy, slot=place, circuit=circuit)

    missed = 0
    for name, work, bar in (("slot", slots, 20.0), ("slot, retries and circuit", loops, 40.0)):
        started = time.process_time()
        asyncio.run(work())
        micros = (time.process_time() - started) / calls * 1e6
        missed += micros > bar
        print(f"{name:<28} {micros:6.1f} µs CPU a call (bar {bar:.0f})")
    return missed


async def pacing(cases: list[Case]) -> int:
    """All cases at once; the number that missed a bar."""
    with provider(cases) as url:
        results = await asyncio.gather(*(run(case, url) for case in cases))
    print(f"\n{DOCUMENTS} documents, concurrency {CONCURRENCY}, 200 ms\n")
    print(f"{'case':<28} {'answers':>7} {'429s':>5} {'wall s':>7} {'floor s':>7} {'ratio':>6}  bar")
    missed = 0
    for case, result in zip(cases, results, strict=True):
        floor = floor_s(case, result)
        ratio = result.wall_s / floor if floor else math.nan
        kept = result.answers == DOCUMENTS and (
            case.max_rejected is None or (result.rejected <= case.max_rejected and ratio <= case.max_ratio)
        )
        missed += not kept
        bar = "all" if case.max_rejected is None else f"all, ≤ {case.max_rejected}, ≤ {case.max_ratio}"
        print(
            f"{case.name:<28} {result.answers:>7} {result.rejected:>5} {result.wall_s:>7.2f} {floor:>7.2f} "
            f"{ratio:>6.3f}  {bar}{'' if kept else '   MISSED'} {' '.join(result.errors[:1])}"
        )
    return missed


def floor_s(case: Case, result: Result) -> float:
    """The time a leaky bucket needs at least, whoever sends."""
    floors = [0.0]
    if rpm := case.settings.get("rpm"):
        floors.append((result.requests - result.rejected - rpm) * 60 / rpm)
    if (tpm := case.settings.get("tpm")) and result.used:
        prompt = min(result.used)
        floors.append((sum(result.used[:-1]) + prompt + MAX_TOKENS - tpm) * 60 / tpm)
    return max(floors)


async def run(case: Case, url: str) -> Result:
    """One case: a bounded number of workers over the documents."""
    result = Result()
    limiter = Limiter()
    todo = iter(range(DOCUMENTS))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        client = Client(case, f"{url}{PATHS[case.provider]}/chat/completions", session, limiter)
        started = time.monotonic()
        await asyncio.gather(*(worker(client, todo, result) for _ in range(CONCURRENCY)))
        result.wall_s = time.monotonic() - started
    (lane,) = limiter.lanes
    result.requests, result.rejected = lane.gauge.requests, lane.gauge.rejected
    return result


async def worker(client: Client, todo: Iterator[int], result: Result) -> None:
    """Take documents until none is left."""
    for number in todo:
        try:
            used = await client.ask(f"Document {number}. {TEXT}")
        except CupelError as error:
            result.errors.append(str(error))
        else:
            result.answers += 1
            result.used.append(used)


@dataclass
class Client:
    """A bare client behind the limiter."""

    case: Case
    url: str
    session: aiohttp.ClientSession
    limiter: Limiter

    async def ask(self, text: str) -> int:
        """Tokens used by one answered call."""
        body = {
            "model": self.case.name,
            "max_tokens": MAX_TOKENS,
            "messages": [{"role": "user", "content": text}],
        }
        model = f"{self.case.provider}:{self.case.name}"
        return await with_retries(
            lambda slot: self.send(body, slot),
            policy=RetryPolicy(),
            model=model,
            slot=lambda: self.limiter.slot(model, tokens=len(text) / 4 + MAX_TOKENS),
        )

    async def send(self, body: dict[str, Any], slot: Slot | None) -> int:
        """One request; what it teaches goes to its slot."""
        assert slot is not None
        async with self.session.post(self.url, json=body) as reply:
            headers = keep_headers(reply.raw_headers)
            answer = to_message(Reply(reply.status, headers, await reply.read()), model=self.case.name)
            assert answer.usage_metadata is not None
            used = answer.usage_metadata["total_tokens"]
            slot.learn(headers, reply.status, used)
            return used


def share(processes: int, *, seconds: float = 25.0, rpm: int = 600) -> int:
    """Several processes, one limit, no limit told beforehand."""
    url = os.environ.get("CUPEL_DATABASE_URL")
    if not url:
        sys.exit("set CUPEL_DATABASE_URL to a PostgreSQL")
    case = Case(f"shared-{os.getpid()}", "openai", {"rpm": rpm}, None, math.inf)
    with provider([case]) as base:
        started = time.time()
        end = str(started + seconds)
        command = [sys.executable, __file__, "--join", base, case.name, end]
        joined = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
        reports = [json.loads(process.communicate()[0]) for process in joined]
        with urllib.request.urlopen(f"{base}/stats") as reply:  # noqa: S310 (loopback)
            stats = json.load(reply)
    first, last = min(r["first"] for r in reports), max(r["last"] for r in reports)
    allowed = rpm + (last - first) * rpm / 60
    answered, refused = stats["by_status"].get("200", 0), stats["by_status"].get("429", 0)
    micros = sum(r["cpu_s"] for r in reports) / stats["requests"] * 1e6
    print(
        f"{processes} processes, {rpm} requests/min, {last - first:.1f} s: answered {[r['answered'] for r in reports]}"
    )
    print(
        f"answered {answered}, allowed {allowed:.0f} ({answered / allowed:.1%}); 429s {refused}; {micros:.0f} µs CPU a call"
    )
    kept = answered / allowed >= 0.98 and refused <= 0.02 * allowed
    print("kept within 2 %" if kept else "MISSED: not within 2 %")
    return 0 if kept else 1


async def join(url: str, model: str, end: str) -> int:
    """One of the processes: calls as fast as the shared limit lets it."""
    from sqlalchemy import create_engine

    from cupel.limits.postgres import PostgresGate

    gate = PostgresGate(create_engine(os.environ["CUPEL_DATABASE_URL"]))
    limiter, result, until, times = Limiter(shared=gate), Result(), float(end), []

    def documents() -> Iterator[int]:
        number = 0
        while time.time() < until:
            times.append(time.time())
            yield (number := number + 1)

    case = Case(model, "openai", {}, None, math.inf)
    todo, cpu = documents(), time.process_time()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        client = Client(case, f"{url}{PATHS['openai']}/chat/completions", session, limiter)
        await asyncio.gather(*(worker(client, todo, result) for _ in range(CONCURRENCY)))
    await gate.aclose()
    cpu = time.process_time() - cpu
    print(json.dumps({"answered": result.answers, "first": times[0], "last": time.time(), "cpu_s": cpu}))
    return 0


@contextlib.contextmanager
def provider(cases: list[Case]) -> Iterator[str]:
    """A simulated provider on a free port, with one model per case."""
    script = os.environ.get("CUPEL_BENCH_PROVIDER")
    if not script:
        sys.exit("set CUPEL_BENCH_PROVIDER to the simulated provider's script")
    arguments = ["--port", "0", "--set", "ttft_ms=200"]
    for case in cases:
        for name, value in case.settings.items():
            arguments += ["--set", f"{case.name}:{name}={value}"]
        for name, value in case.faults.items():
            arguments += ["--set", f"{case.name}:faults.{name}={value}"]
    with subprocess.Popen([sys.executable, script, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["listening"]
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
