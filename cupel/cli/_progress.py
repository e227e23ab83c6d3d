"""The live line of a run: done, accepted, escalated, review, failed, cost so far, time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cupel.cli._console import open_console
from cupel.runs import Runner

if TYPE_CHECKING:
    from rich.console import RenderableType


def status_line(runner: Runner) -> str:
    """The counts so far in words."""
    progress = runner.progress
    counts = progress.statuses
    cost = f"${runner.tally.total_usd:.4f}" + ("+?" if runner.tally.unknown_price else "")
    parts = [
        f"{counts['accepted']} accepted",
        f"{progress.escalated} escalated",
        f"{counts['needs_review']} review",
        f"{counts['failed']} failed",
        f"{progress.reused} reused",
        cost,
    ]
    return " · ".join(parts)


@contextmanager
def live_progress(runner: Runner, *, quiet: bool) -> Iterator[None]:
    """Show a progress bar on stderr while the run goes on; plain lines where stderr is no terminal."""
    if quiet:
        yield
        return
    if not sys.stderr.isatty():
        yield
        print(f"{runner.progress.done} of {runner.progress.total}: {status_line(runner)}", file=sys.stderr)
        return
    # only here: a scheduled run has no use for it, and it takes a tenth of a second
    from rich.live import Live

    console = open_console(stderr=True)
    with Live(console=console, get_renderable=lambda: _bar(runner), refresh_per_second=4, transient=False):
        yield


def tell_trouble(line: str) -> None:
    """Say what is away, where no live line does: in a file of output, a schedule's mail, beside `--json`."""
    if not sys.stderr.isatty():
        print(line, file=sys.stderr, flush=True)


def tell_first(line: str) -> None:
    """Say what is waited for before there is a live line."""
    print(f"note: {line}", file=sys.stderr, flush=True)


def _bar(runner: Runner) -> RenderableType:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    progress = runner.progress
    total = progress.total or max(progress.done, 1)
    line = Table.grid(padding=(0, 1))
    line.add_row(
        ProgressBar(total=total, completed=progress.done, width=24),
        Text(f"{progress.done}/{total}"),
        Text(status_line(runner)),
        Text(_time_left(runner), style="dim"),
    )
    away = [Text(line, style="yellow") for line in runner.runtime.patience.troubles().values()]
    return Group(line, *away)


def _time_left(runner: Runner) -> str:
    progress = runner.progress
    fresh = progress.done - progress.reused
    if progress.total is None or not fresh:
        return ""
    elapsed = time.monotonic() - progress.started
    seconds = elapsed / fresh * (progress.total - progress.done)
    return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"
