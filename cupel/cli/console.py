"""What commands print with: a console wide enough for tables when piped, and text that cannot drive a terminal."""

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


def harmless(text: str) -> str:
    r"""The text with control characters shown, so that a document cannot drive the terminal it is read on.

    >>> harmless("a\x1b[2Jb\nc")
    'a␛[2Jb\nc'
    """
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    code = ord(character)
    if character in "\n\t" or (code >= 32 and not 127 <= code < 160):
        return character if not 0xD800 <= code < 0xE000 else "�"
    return chr(0x2400 + code) if code < 32 else "�"


def print_json(value: Any) -> None:
    """One JSON value on stdout, and nothing else there."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def money(usd: float | None) -> str:
    """US dollars with enough digits to tell small sums apart.

    >>> money(12.3456), money(0.00042), money(0.0), money(None)
    ('$12.35', '$0.00042', '$0.00', 'unknown')
    """
    if usd is None:
        return "unknown"
    if usd == 0 or usd >= 1:
        return f"${usd:,.2f}"
    return f"${usd:.4f}" if usd >= 0.01 else f"${usd:.2g}"
