"""CPU of one model call: ours beside the provider SDKs and LangChain's own classes, in one run, as ratios.

    CUPEL_BENCH_PROVIDER=path/to/fake_provider.py python benchmarks/model_call.py [--calls 400] [--repeats 3]

Every client sends the same prompts with the same schema to the same local endpoint, without latency. The
figure is the client's CPU time (user and system) per call, the least of the repeats; it says nothing about
any provider. Client classes that are not installed are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

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
    if not find_spec("openai"):
        return
    import openai

    bare = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0)
    create = bare.chat.completions.create
    yield (
        "bare openai",
        lambda asked: create(
            model="m", messages=asked, response_format=FORMAT, temperature=0, max_tokens=500
        ),
    )
    if find_spec("langchain_openai"):
        opened.append(openai.DefaultAioHttpClient())
        yield from langchain_openai_clients(url, opened[-1])


def langchain_openai_clients(url: str, aiohttp_client: Any) -> Iterator[tuple[str, Ask]]:
    from langchain_openai import ChatOpenAI

    settings: dict[str, Any] = {
        "model": "m", "base_url": f"{url}/v1", "api_key": "x", "temperature": 0, "max_tokens": 500, "max_retries": 0,
    }  # fmt: skip
    plain = ChatOpenAI(**settings)
    structured = plain.with_structured_output(FORMAT["json_schema"], method="json_schema", include_raw=True)
    yield "ChatOpenAI.with_structured_output", structured.ainvoke
    yield "ChatOpenAI, format bound as a dict", lambda asked: plain.ainvoke(asked, response_format=FORMAT)
    tuned = ChatOpenAI(**settings, http_async_client=aiohttp_client)
    yield (
        "ChatOpenAI, aiohttp, format in extra_body",
        lambda asked: tuned.ainvoke(asked, extra_body={"response_format": FORMAT}),
    )


def groq_clients(url: str, opened: list[Any]) -> Iterator[tuple[str, Ask]]:
    if not find_spec("langchain_groq"):
        return
    from langchain_groq import ChatGroq

    settings: dict[str, Any] = {
        "model": GROQ, "base_url": url, "api_key": "x", "temperature": 0, "max_tokens": 500, "max_retries": 0,
    }  # fmt: skip
    plain = ChatGroq(**settings)
    yield "ChatGroq, format bound as a dict", lambda asked: plain.ainvoke(asked, response_format=FORMAT)
    if find_spec("httpx_aiohttp"):
        import groq

        opened.append(groq.DefaultAioHttpClient())
        tuned = ChatGroq(**settings, http_async_client=opened[-1])
        yield (
            "ChatGroq, aiohttp, format in extra_body",
            lambda asked: tuned.ainvoke(asked, extra_body={"response_format": FORMAT}),
        )


def our_clients() -> Iterator[tuple[str, Ask]]:
    from cupel.models import CallSettings, complete

    settings = CallSettings(max_output_tokens=500)
    for model in ("openai:m", f"groq:{GROQ}"):

        async def ask(asked: list[dict[str, str]], model: str = model) -> Any:
            return await complete(model, asked, schema=SCHEMA, settings=settings)

        yield f"cupel, {model}", ask


async def send(ask: Ask, calls: int, concurrency: int) -> None:
    numbers = iter(range(calls))

    async def worker() -> None:
        for number in numbers:
            await ask(messages(number))

    await asyncio.gather(*(worker() for _ in range(concurrency)))


async def cpu_ms(ask: Ask, *, calls: int, concurrency: int, repeats: int) -> float:
    """CPU milliseconds per call, the least of the repeats, after one round that opens the connections."""
    await send(ask, concurrency, concurrency)
    best = float("inf")
    for _ in range(repeats):
        gc.collect()
        started = time.process_time()
        await send(ask, calls, concurrency)
        best = min(best, (time.process_time() - started) / calls * 1000)
    return best


async def measure(url: str, *, calls: int, repeats: int) -> list[dict[str, Any]]:
    rows = []
    opened: list[Any] = []
    clients = [*openai_clients(url, opened), *groq_clients(url, opened), *our_clients()]
    for concurrency in (32, 256):
        for name, ask in clients:
            spent = await cpu_ms(ask, calls=calls, concurrency=concurrency, repeats=repeats)
            rows.append({"concurrency": concurrency, "client": name, "cpu_ms": spent})
    from cupel.models import aclose_models

    await aclose_models()
    for client in opened:
        await client.aclose()
    return rows


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
    if options.json:
        print(json.dumps(rows))
    else:
        show(rows)


if __name__ == "__main__":
    main()
