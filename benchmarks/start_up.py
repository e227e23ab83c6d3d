"""CPU of starting: `cupel --help`, and `cupel run` up to the moment its first request is on its way.

    python benchmarks/start_up.py [--repeats 5]

A small endpoint in this process notes the CPU time of the command (from /proc) when its first request arrives.
Prints the least of the repeats. Linux only. Exits with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

CUPEL = [sys.executable, "-m", "cupel"]
TICKS = os.sysconf("SC_CLK_TCK")


def children_s() -> float:
    """CPU seconds of all children that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def help_s() -> float:
    """CPU seconds of `cupel --help`."""
    before = children_s()
    subprocess.run([*CUPEL, "--help"], check=True, capture_output=True)
    return children_s() - before


def cpu_of(pid: int) -> float:
    """CPU seconds of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def first_request_s(provider: str) -> float:
    """CPU seconds of `cupel run` when its first request arrives."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        source = Path(folder, "one.jsonl")
        source.write_text(
            json.dumps({"id": "a", "text": "We must build more homes. " * 40}) + "\n", encoding="utf-8"
        )
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        url = "OPENAI_BASE_URL" if provider == "openai" else "GROQ_BASE_URL"
        env = {
            **os.environ,
            url: address,
            f"{provider.upper()}_API_KEY": "fake",
            "LANGSMITH_TRACING": "false",
        }
        command = [
            *CUPEL,
            "run",
            str(source),
            "--task",
            "arguments",
            "--out",
            f"{folder}/out.jsonl",
            "--no-report",
        ]
        process = subprocess.Popen(
            [*command, "--profile", provider],
            cwd=folder,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            server.settimeout(60)
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                return cpu_of(process.pid)
        finally:
            process.kill()
            process.communicate()


def main() -> None:
    """Print the figures beside their bars."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    repeats = range(parser.parse_args().repeats)
    figures = [("cupel --help", min(help_s() for _ in repeats), 0.3)]
    for provider in ("openai", "groq"):
        spent = min(first_request_s(provider) for _ in repeats)
        figures.append((f"first request of cupel run, {provider}", spent, 2.5))
    for name, spent, bar in figures:
        print(f"{'ok  ' if spent <= bar else 'MISS'} {name}: {spent:.2f} s of CPU (bar: ≤ {bar} s)")
    sys.exit(any(spent > bar for _, spent, bar in figures))


if __name__ == "__main__":
    main()
