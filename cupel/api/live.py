"""Where a run stands, while it goes on: a bar in a notebook or on a terminal, and the line it closes with."""

from __future__ import annotations

import asyncio
import html
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from cupel._format import usd
from cupel.runs import JointRun

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_EVERY_S = 0.5


def is_interactive() -> bool:
    """Whether a person types at this Python: a notebook, IPython, the plain prompt."""
    return hasattr(sys, "ps1") or _shell() is not None


def is_notebook() -> bool:
    """Whether what is displayed is shown in a page: Jupyter, and what speaks its protocol."""
    return hasattr(_shell(), "kernel")


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


class Bar(Protocol):
    """Something that shows how far a run is."""

    def show(self, run: JointRun) -> None:
        """Show it as it is now."""
        ...

    def close(self, line: str) -> None:
        """Show the last line, in the bar's place."""
        ...


def choose_bar(progress: bool | None) -> Bar | None:
    """What shows a run here.

    Args:
        progress: False for nothing; True for a line at the end even where nobody looks on, as in a schedule; None for
            a bar where a person does.
    """
    if progress is False:
        return None
    if is_notebook():
        return NotebookBar()
    if sys.stderr.isatty():
        return TerminalBar()
    return PlainLine() if progress else None


@asynccontextmanager
async def shown(run: JointRun, bar: Bar | None) -> AsyncIterator[None]:
    """Keep a bar up to date while the run goes on."""
    if bar is None:
        yield
        return

    async def follow() -> None:
        while True:
            bar.show(run)
            await asyncio.sleep(_EVERY_S)

    following = asyncio.create_task(follow(), name="cupel-progress")
    try:
        yield
        bar.show(run)
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


class NotebookBar:
    """One output of a cell, changed in place: HTML without a script, so that a saved notebook shows it too."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, run: JointRun) -> None:
        """Show the bar."""
        progress = run.progress
        total = progress.total or max(progress.done, 1)
        words = html.escape(
            f"{progress.done}/{total} · {status_line(run)} · {time_left(run)}".removesuffix(" · ")
        )
        away = "".join(f"<br>{html.escape(line)}" for line in _troubles(run))
        bar = f'<progress max="{total}" value="{progress.done}" style="width:12em"></progress>'
        self._put(f"{bar} {words}{away}", words)

    def close(self, line: str) -> None:
        """The last line in the bar's place."""
        self._put(html.escape(line), line)

    def _put(self, page: str, words: str) -> None:
        from IPython.display import display

        content = {"text/html": f"<div>{page}</div>", "text/plain": words}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


class TerminalBar:
    """A line of stderr, changed in place."""

    def __init__(self) -> None:
        self._live: Any = None

    def show(self, run: JointRun) -> None:
        """Begin to show the bar, which then renews itself."""
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True, highlight=False, markup=False, emoji=False)
            self._live = Live(
                console=console, get_renderable=lambda: render(run), refresh_per_second=4, transient=True
            )
            self._live.start()

    def close(self, line: str) -> None:
        """The last line in the bar's place."""
        if self._live is not None:
            self._live.stop()
        print(line, file=sys.stderr)  # noqa: T201  # what a person at a terminal waits for


class PlainLine:
    """Only the line at the end."""

    def show(self, run: JointRun) -> None:
        """Nothing: a file of output would have a line for every step."""

    def close(self, line: str) -> None:
        """The last line, on stderr."""
        print(line, file=sys.stderr)  # noqa: T201  # it was asked for


@contextmanager
def live_bar(run: JointRun, console: Console) -> Iterator[None]:
    """A bar that stays when the run is over, as the command line has it."""
    from rich.live import Live

    with Live(console=console, get_renderable=lambda: render(run), refresh_per_second=4, transient=False):
        yield


def status_line(run: JointRun) -> str:
    """The counts so far in words."""
    progress = run.progress
    counts = progress.statuses
    cost = f"${run.tally.total_usd:.4f}" + ("+?" if run.tally.unknown_price else "")
    parts = [
        f"{counts['accepted']} accepted",
        f"{progress.escalated} escalated",
        f"{counts['needs_review']} review",
        f"{counts['failed']} failed",
        f"{progress.reused} reused",
        cost,
    ]
    return " · ".join(parts)


def closing_line(summary: Mapping[str, Any]) -> str:
    """What became of a run, what it cost, and where its report is.

    >>> closing_line({"documents": 3, "statuses": {"accepted": 2, "failed": 1}, "cost_usd": {"a": 0.01},
    ...     "cost_usd_total": 0.03, "unknown_price": [], "calls": {"a": 2}, "run_id": "1f2e", "report": None})
    '3 rows: 2 accepted, 1 failed · 2 calls, $0.0100 (the run so far $0.0300) · run 1f2e'
    """
    statuses = ", ".join(f"{count} {status}" for status, count in summary["statuses"].items()) or "none"
    unknown = " and a price nobody knows" if summary["unknown_price"] else ""
    cost = (
        f"{usd(sum(summary['cost_usd'].values()))}{unknown} (the run so far {usd(summary['cost_usd_total'])})"
    )
    calls = sum(summary["calls"].values())
    asked = (
        f"{calls:,} {'call' if calls == 1 else 'calls'}, {cost}" if calls else f"nothing was asked, {cost}"
    )
    report = f" · report: {summary['report']}" if summary["report"] else ""
    return f"{summary['documents']:,} rows: {statuses} · {asked} · run {summary['run_id']}{report}"


def render(run: JointRun) -> RenderableType:
    """The bar, its words and what is away, for a terminal."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    progress = run.progress
    total = progress.total or max(progress.done, 1)
    line = Table.grid(padding=(0, 1))
    line.add_row(
        ProgressBar(total=total, completed=progress.done, width=24),
        Text(f"{progress.done}/{total}"),
        Text(status_line(run)),
        Text(time_left(run), style="dim"),
    )
    return Group(line, *[Text(each, style="yellow") for each in _troubles(run)])


def time_left(run: JointRun) -> str:
    """About how long the rest will take; empty where nothing says so yet."""
    progress = run.progress
    fresh = progress.done - progress.reused
    if progress.total is None or not fresh:
        return ""
    elapsed = time.monotonic() - progress.started
    seconds = elapsed / fresh * (progress.total - progress.done)
    return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"


def _troubles(run: JointRun) -> list[str]:
    return list(run.runtime.patience.troubles().values())
