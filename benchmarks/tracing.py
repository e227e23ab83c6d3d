"""Tracing that must never be in the way: endpoints that refuse, swallow, fail or die, and what one document sends.

    python benchmarks/tracing.py [--documents 300]

The same `cupel run` with tracing off, with it on towards four bad endpoints, and towards one that works. All on
loopback; the models are scripted. Prints seconds from the last answer of a model to the end of the process, peak
memory beside that of the run without tracing, and lines of warning. Linux or macOS. Exits with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cupel.testing.provider import ScriptedProvider

MODELS = [
    part for role in ("cheap", "strong", "judge", "refiner") for part in (f"--{role}-model", f"openai:{role}")
]
MOST_SECONDS, MOST_MB, MOST_KB = 3.0, 50.0, 25.0
SENTENCE = (
    "We must build more homes in town number {n}, because rents have risen {m} % since the last election. "
)


def documents(count: int) -> str:
    """Speeches of two kilobytes each."""
    rows = []
    for n in range(count):
        text = "".join(SENTENCE.format(n=n, m=m) for m in range(24))[:2_000]
        rows.append(json.dumps({"id": f"d{n}", "text": text}))
    return "\n".join(rows) + "\n"


class Endpoint(http.server.ThreadingHTTPServer):
    """Where traces go: answers `status`, after `alive` requests no more."""

    daemon_threads = True

    def __init__(self, status: int = 202, alive: float = float("inf")) -> None:
        self.status, self.alive = status, alive
        self.received: list[int] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Endpoint

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        body = len(self.rfile.read(size)) if size else self._chunks()
        if len(self.server.received) >= self.server.alive:
            time.sleep(600)
        self.server.received.append(body)
        self.send_response(self.server.status)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_PATCH = do_POST  # noqa: N815  # http.server's names

    def _chunks(self) -> int:
        total = 0
        while size := int(self.rfile.readline().strip() or b"0", 16):
            total += len(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return total

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@dataclass(frozen=True)
class Measured:
    """One run."""

    seconds_after: float
    peak_mb: float
    warnings: int
    wall_s: float


def measured(folder: Path, url: str | None, *, plain: bool = False) -> Measured:
    """`cupel run` in a fresh folder, traced to an address (uncompressed where `plain`) or not at all."""
    last = [0.0]

    def answer(_: dict[str, Any]) -> Any:
        last[0] = time.monotonic()
        return reply(_)

    with ScriptedProvider(answer, latency_s=0.05) as provider:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("LANGSMITH", "LANGCHAIN", "CUPEL_"))}
        env |= provider.environment()
        if url is not None:
            env |= {"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "x", "LANGSMITH_ENDPOINT": url}
            env |= {"LANGSMITH_DISABLE_RUN_COMPRESSION": "true" if plain else "false"}
        args = [sys.executable, "-m", "cupel", "run", str(folder / "in.jsonl"), "--task", "arguments"]
        with tempfile.TemporaryDirectory() as place, Path(place, "err").open("w+") as err:
            started = time.monotonic()
            process = subprocess.Popen(
                [*args, "--out", "out.jsonl", "--json", "--no-report", *MODELS],
                cwd=place, env=env, stdout=subprocess.DEVNULL, stderr=err,
            )  # fmt: skip
            watch = threading.Timer(120, process.kill)
            watch.start()
            _, status, used = os.wait4(process.pid, 0)
            watch.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
            ended = time.monotonic()
            err.seek(0)
            said = err.read()
            told = [
                line for line in said.splitlines() if "langsmith" in line.lower() or "warning" in line.lower()
            ]
        if process.returncode:
            raise SystemExit(f"the run towards {url} ended with {process.returncode}:\n{said[-2_000:]}")
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return Measured(ended - last[0], used.ru_maxrss / unit, len(told), ended - started)


def reply(body: dict[str, Any]) -> dict[str, Any]:
    """A record of two sentences, and a judge that accepts."""
    schema = body["response_format"]["json_schema"]["schema"]
    if "told_apart" in schema["properties"]:
        found = {"reasoning": "as it should be", "evidence_quote": None, "finding": "pass"}
        return dict.fromkeys(schema["properties"], found)
    text = body["messages"][-1]["content"]
    start = text.index("We must build")
    quote = text[start : text.index(", because", start)]
    return {
        "matter": "homes",
        "claims": [{"id": 1, "quote": quote}],
        "premises": [],
        "stance": "support",
    }


@contextmanager
def black_hole() -> Iterator[str]:
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        held: list[socket.socket] = []

        def swallow() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=swallow, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def closed() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def main() -> int:
    """Every kind of endpoint, one line each."""
    parser = argparse.ArgumentParser(description="Tracing against endpoints that fail.")
    parser.add_argument("--documents", type=int, default=300)
    count = parser.parse_args().documents
    missed = False
    with tempfile.TemporaryDirectory() as place, black_hole() as hole:
        folder = Path(place)
        (folder / "in.jsonl").write_text(documents(count), encoding="utf-8")
        measured(folder, None)  # the first run pays for reading everything from the disk
        off = measured(folder, None)
        print(
            f"tracing off: {off.seconds_after:.2f} s to the end, {off.peak_mb:.0f} MB, {off.wall_s:.1f} s in all"
        )
        sink = Endpoint()
        kinds = {
            "connection refused": closed(),
            "accepts, never answers": hole,
            "answers 500": Endpoint(500).url,
            "dies after 5 requests": Endpoint(202, alive=5).url,
            "works": sink.url,
        }
        for name, url in kinds.items():
            on = measured(folder, url, plain=name == "works")
            wanted = 0 if name == "works" else 1
            more = on.peak_mb - off.peak_mb
            good = on.seconds_after <= MOST_SECONDS and more <= MOST_MB and on.warnings == wanted
            missed |= not good
            print(
                f"{'ok  ' if good else 'MISS'} {name}: {on.seconds_after:.2f} s to the end (≤ {MOST_SECONDS:g}), {more:+.0f} MB "
                f"(≤ {MOST_MB:g}), {on.warnings} lines of warning ({wanted}), {on.wall_s:.1f} s in all",
                flush=True,
            )
        kb = sum(sink.received) / count / 1e3
        missed |= kb > MOST_KB
        print(
            f"{'MISS' if kb > MOST_KB else 'ok  '} {kb:.1f} kB of trace a document of 2 kB, uncompressed (≤ {MOST_KB:g})"
        )
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
