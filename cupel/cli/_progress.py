"""The live line of a run: done, accepted, escalated, review, failed, cost so far, time left."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cupel.api import live_bar, status_line
from cupel.cli._console import open_console
from cupel.runs import JointRun


@contextmanager
def live_progress(run: JointRun, *, quiet: bool) -> Iterator[None]:
    """Show a progress bar on stderr while the run goes on; plain lines where stderr is no terminal."""
    if quiet:
        yield
        return
    if not sys.stderr.isatty():
        yield
        print(f"{run.progress.done} of {run.progress.total}: {status_line(run)}", file=sys.stderr)
        return
    with live_bar(run, open_console(stderr=True)):
        yield


def tell_trouble(line: str) -> None:
    """Say what is away, where no live line does: in a file of output, a schedule's mail, beside `--json`."""
    if not sys.stderr.isatty():
        print(line, file=sys.stderr, flush=True)


def tell_first(line: str) -> None:
    """Say what is waited for before there is a live line."""
    print(f"note: {line}", file=sys.stderr, flush=True)
