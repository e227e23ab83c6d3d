"""What commands print with: a console wide enough for tables when piped, and JSON for programs."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import typer

from cupel.cli._streams import console_on
from cupel.tables import json_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPED_WIDTH = 160
_NARROWEST, _WIDEST = 40, 1000
"""Columns between which a table can be read, whatever COLUMNS says."""

_ACTING = re.compile("[\x7f-\x9f]")
"""Control characters that JSON may hold as they are."""


def open_console(*, stderr: bool = False) -> Console:
    """A console; where the output is piped it is wide, so that nothing is cut for want of a window."""
    stream: Any = sys.stderr if stderr else sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # a terminal without UTF-8 shows ? for what it cannot
    console = console_on(stream, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_WIDTH
    console.width = min(max(console.width, _NARROWEST), _WIDEST)
    return console


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table; a column named `>like this` is set flush right."""
    from rich import box
    from rich.table import Table

    empty = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for name in columns:
        empty.add_column(
            name.removeprefix(">"), justify="right" if name.startswith(">") else "left", overflow="fold"
        )
    return empty


def print_json(value: Any) -> None:
    """One JSON value on stdout, and nothing else there."""
    text = _ACTING.sub(lambda sign: f"\\u{ord(sign.group()):04x}", json_text(value))
    if (sys.stdout.encoding or "").lower().replace("-", "") != "utf8":
        text = json.dumps(json.loads(text))
    sys.stdout.write(text + "\n")


def ask_person(question: str) -> bool:
    """Whether the person at the terminal says yes; the question goes to stderr, and no answer at all is a no."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    try:
        answer = input()
    except EOFError:
        print(file=sys.stderr)
        return False
    return answer.strip().lower() in {"y", "yes"}


def confirm(cost: str, *, yes: bool) -> None:
    """Show what it may cost; on a terminal, ask whether to go on, and end the command where the answer is no."""
    print(cost, file=sys.stderr)
    if not yes and sys.stdin.isatty() and not ask_person("Go on?"):
        raise typer.Exit(130)
