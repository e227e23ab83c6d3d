"""What `cupel doctor` prints: what was looked at, and the fix beside what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.text import Text

from cupel.api import Check, doctor
from cupel.cli._console import open_console, print_json
from cupel.report import safe

_SIGNS = {"ok": ("✓", "green"), "absent": ("·", "dim"), "note": ("!", "yellow"), "trouble": ("✗", "red")}
_PLAIN = {"✓": "+", "·": "-", "✗": "x", "→": "->"}
"""For terminals without these characters."""


def examine(settings: Mapping[str, Any], *, probe: bool, as_json: bool) -> bool:
    """Print every check; whether a run would start."""
    found = doctor(probe=probe, **settings)
    if as_json:
        print_json(found.to_json())
    else:
        _tell(found.checks, found.troubles)
    return not found.troubles


def _tell(checks: Sequence[Check], troubles: Sequence[Check]) -> None:
    console = open_console()
    plain = {} if console.encoding.startswith("utf") else _PLAIN
    for area, group in groupby(checks, key=lambda check: check.area):
        console.print(Text(area, style="bold"))
        for check in group:
            sign, style = _SIGNS[check.level]
            console.print(
                Text(f"  {plain.get(sign, sign)} ", style=style).append(safe(check.what), style=""),
                soft_wrap=True,
            )
            if check.fix:
                console.print(
                    Text(f"    {plain.get('→', '→')} {safe(check.fix)}", style=style), soft_wrap=True
                )
    if troubles:
        mend = "one thing" if len(troubles) == 1 else f"{len(troubles)} things"
        console.print(f"not usable yet: {mend} to mend, marked {plain.get('✗', '✗')}", style="bold red")
    else:
        console.print("usable", style="bold green")
