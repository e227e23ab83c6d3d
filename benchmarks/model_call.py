"""CPU of one model call: ours beside the provider SDKs and LangChain's own classes, in one run, as ratios.

    CUPEL_BENCH_PROVIDER=path/to/fake_provider.py python benchmarks/model_call.py [--calls 400] [--repeats 3]

Every client sends the same prompts with the same schema to the same local endpoint, without latency. The
figure is the client's CPU time (user and system) per call, the least of the repeats; it says nothing about
any provider. Ours are ChatOpenAI and ChatGroq too, set up as `cupel.models` does and called through
`complete`. With httpx-aiohttp installed the SDKs are also shown on aiohttp, the fastest they can be set up. At the end: CPU seconds of a fresh process up to the answer of its first call.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

FIRST_CALL = """
import asyncio, sys, time
from cupel.models import aclose_models, complete

async def main():
    await complete(sys.argv[1], [{"role": "user", "content": "hello"}])
    print(time.process_time())
    await aclose_models()

asyncio.run(main())
"""
Ask = Callable[[list[dict[str, str]]], Awaitable[Any]]

_SPEECH = "The committee met on Tuesday and agreed that the budget should rise. " * 35
_ITEM = {
    "type": "object",
    "properties": {"quote": {"type": "string"}, "stance": {"type": "string", "enum": ["support", "against"]}},
    "required": ["quote", "stance"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {"claims": {"type": "array", "items": _ITEM}, "topic": {"type": "string"}},
    "required": ["claims", "topic"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "record", "strict": True, "schema": SCHEMA}}
GROQ = "openai/gpt-oss-20b"
TUNED = importlib.util.find_spec("httpx_aiohttp") is not None
OURS = ("openai:m", f"groq:{GROQ}")


def messages(number: int) -> list[dict[str, str]]:
    document = f'<document id="{number}">{_SPEECH}{number}</document>'
    return [{"role": "system", "content": "Extract the claims."}, {"role": "user", "content": document}]


@contextmanager
def provider() -> Iterator[str]:
    """The endpoint of CUPEL_BENCH_PROVIDER on a free port; yields its address."""
    script = os.environ.get("CUPEL_BENCH_PROVIDER")
    if not script:
        sys.exit("set CUPEL_BENCH_PROVIDER to the script of a fake provider that takes --port 0")
    command = [sys.executable, script, "--port", "0", "--set", "ttft_ms=0", "--set", "tokens_per_s=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["listening"]
        finally:
            process.terminate()


def openai_clients(url: str, opened: list[Any]) -> Iterator[tuple[str, Ask]]:
    import openai
    from langchain_openai import ChatOpenAI

    bare = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0)
    create = bare.chat.completions.create
    yield (
        "bare openai",
        lambda asked: create(
            model="m", messages=asked, response_format=FORMAT, temperature=0, max_tokens=500
        ),
    )
    settings: dict[str, Any] = {
        "model": "m", "base_url": f"{url}/v1", "api_key": "x", "temperature": 0, "max_tokens": 500, "max_retries": 0,
    }  # fmt: skip
    plain = ChatOpenAI(**settings)
    structured = plain.with_structured_output(FORMAT["json_schema"], method="json_schema", include_raw=True)
    yield "ChatOpenAI.with_structured_output", structured.ainvoke
    yield "ChatOpenAI, format bound as a dict", lambda asked: plain.ainvoke(asked, response_format=FORMAT)
    if not TUNED:
        return
    opened.append(openai.DefaultAioHttpClient())
    tuned = ChatOpenAI(**settings, http_async_client=opened[-1])
    yield (
        "ChatOpenAI, aiohttp, format in extra_body",
        lambda asked: tuned.ainvoke(asked, extra_body={"response_format": FORMAT}),
    )


def groq_clients(url: str, opened: list[Any]) -> Iterator[tuple[str, Ask]]:
    import groq
    from langchain_groq import ChatGroq

    settings: dict[str, Any] = {
        "model": GROQ, "base_url": url, "api_key": "x", "temperature": 0, "max_tokens": 500, "max_retries": 0,
    }  # fmt: skip
    plain = ChatGroq(**settings)
    yield "ChatGroq, format bound as a dict", lambda asked: plain.ainvoke(asked, response_format=FORMAT)
    if not TUNED:
        return
    opened.append(groq.DefaultAioHttpClient())
    tuned = ChatGroq(**settings, http_async_client=opened[-1])
    yield (
        "ChatGroq, aiohttp, format in extra_body",
        lambda asked: tuned.ainvoke(asked, extra_body={"response_format": FORMAT}),
    )


def our_clients() -> Iterator[tuple[str, Ask]]:
    from cupel.models.completion import complete
    from cupel.models.settings import CallSettings

    settings = CallSettings(max_output_tokens=500)
    for model in OURS:

        async def ask(asked: list[dict[str, str]], model: str = model) -> Any:
            return await complete(model, asked, schema=SCHEMA, settings=settings)

        yield f"cupel, {model}", ask


async def send(ask: Ask, calls: int, concurrency: int) -> None:
    numbers = iter(range(calls))

    async def worker() -> None:
        for number in numbers:
            await ask(messages(number))

    await asyncio.gather(*(worker() for _ in range(concurrency)))


async def cpu_ms(ask: Ask, *, calls: int, concurrency: int) -> float:
    """CPU milliseconds per call."""
    gc.collect()
    started = time.process_time()
    await send(ask, calls, concurrency)
    return (time.process_time() - started) / calls * 1000


async def measure(url: str, *, calls: int, repeats: int) -> list[dict[str, Any]]:
    """The least of the repeats, taken in turns: a busy minute of the machine then falls on every client."""
    opened: list[Any] = []
    clients = [*openai_clients(url, opened), *groq_clients(url, opened), *our_clients()]
    rows = []
    for concurrency in (32, 256):
        for _, ask in clients:
            await send(ask, concurrency, concurrency)  # opens the connections
        best = {name: float("inf") for name, _ in clients}
        for _ in range(repeats):
            for name, ask in clients:
                spent = await cpu_ms(ask, calls=calls, concurrency=concurrency)
                best[name] = min(best[name], spent)
        rows += [
            {"concurrency": concurrency, "client": name, "cpu_ms": spent} for name, spent in best.items()
        ]
    from cupel.models.factory import aclose_models

    await aclose_models()
    for client in opened:
        await client.aclose()
    return rows


def first_call_cpu_s(model: str, repeats: int) -> float:
    """CPU seconds of a fresh process up to the answer of its first call, the least of the repeats."""
    command = [sys.executable, "-c", FIRST_CALL, model]
    return min(
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(repeats)
    )


def show(rows: list[dict[str, Any]]) -> None:
    bare = {row["concurrency"]: row["cpu_ms"] for row in rows if row["client"] == "bare openai"}
    print(f"{'in flight':>9}  {'CPU ms a call':>13}  {'x bare openai':>13}  client")
    for row in rows:
        base = bare.get(row["concurrency"])
        ratio = f"{row['cpu_ms'] / base:.2f}" if base else "-"
        print(f"{row['concurrency']:>9}  {row['cpu_ms']:>13.3f}  {ratio:>13}  {row['client']}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON instead of a table")
    options = parser.parse_args()
    with provider() as url:
        os.environ |= {
            "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "x", "GROQ_BASE_URL": url, "GROQ_API_KEY": "x",
            "LANGSMITH_TRACING": "false",
        }  # fmt: skip
        rows = asyncio.run(measure(url, calls=options.calls, repeats=options.repeats))
        first = {model: first_call_cpu_s(model, options.repeats) for model in OURS}
    if options.json:
        print(json.dumps({"calls": rows, "first_call_cpu_s": first}))
        return
    show(rows)
    for model, spent in first.items():
        print(f"first call of a process: {spent:.2f} CPU s  cupel, {model}")


if __name__ == "__main__":
    main()
