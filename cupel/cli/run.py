"""What `cupel run` does: have a file run, and tell what became of it; and stop well when asked to."""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial

from cupel.api import FileResult, FileRun, FileWork, Reached, reach
from cupel.cli._console import print_json
from cupel.cli._progress import live_progress, tell_first, tell_trouble
from cupel.cli._signals import INTERRUPTED
from cupel.limits import read_wait_s


def run_file(told: FileRun, *, as_json: bool = False) -> int:
    """Run a file through a graph; returns the exit code."""
    if told.server is not None:
        return _tell(asyncio.run(_run_at_server(told, told.server, as_json=as_json)), as_json=as_json)
    result = asyncio.run(_run(_open(told), as_json=as_json))
    return _tell(result, as_json=as_json)


async def _run_at_server(told: FileRun, url: str, *, as_json: bool) -> FileResult:
    """The same at a deployed server: what it offers stands for the project's tasks, and its models are its own."""
    from cupel.cli.server_key import note_unsent, read_server_key

    note_unsent(os.environ)
    key = read_server_key(told.key, url, os.environ)
    wait_s = read_wait_s(told.wait)
    async with reach(url, key, wait_s=wait_s, connections=told.concurrency, tell=tell_first) as reached:
        return await _run(_open(told, reached), as_json=as_json)


def _open(told: FileRun, reached: Reached | None = None) -> FileWork:
    work = FileWork(told, reached=reached)
    if "pyarrow" in sys.modules and told.engine == "local":  # Parquet is read or written
        from cupel.tables import do_without_pandas

        do_without_pandas()
    return work


async def _run(work: FileWork, *, as_json: bool) -> FileResult:
    quiet = as_json and not sys.stderr.isatty()
    return await work.run(note=_note, tell=tell_trouble, show=partial(live_progress, quiet=quiet))


def _note(line: str) -> None:
    print(f"note: {line}", file=sys.stderr)


def _tell(result: FileResult, *, as_json: bool) -> int:
    from cupel.cli.run_summary import tell_run

    if as_json:
        print_json(result.to_json())
    else:
        tell_run(result.summary)
    if result.error is not None:
        done = f"{result.done:,} of {result.summary['documents']:,} rows are done"
        print(f"stopped: {result.error}\n{done}; the same command goes on from here.", file=sys.stderr)
        return INTERRUPTED if result.is_interrupted else result.error.exit_code
    if result.fault is not None:
        print(f"{result.fault}\nMend it, and give the same command with --retry-failed.", file=sys.stderr)
        return result.fault.exit_code
    if result.is_interrupted:
        print("stopped; the same command goes on from here.", file=sys.stderr)
        return INTERRUPTED
    return 0
