"""What commands print with: a console wide enough for tables when piped, and JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPED_WIDTH = 160


def open_console(*, stderr: bool = False) -> Console:
    """A console; where the output is piped it is wide, so that nothing is cut for want of a window."""
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_WIDTH
    return console


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table; a column named `>like this` is set flush right."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for name in columns:
        made.add_column(
            name.removeprefix(">"), justify="right" if name.startswith(">") else "left", overflow="fold"
        )
    return made


def print_json(value: Any) -> None:
    """One JSON value on stdout, and nothing else there."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
