"""What `cupel doctor` does: look at everything a run needs, and name the fix beside what is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from rich.text import Text

from cupel.cli._console import open_console, print_json
from cupel.cli.doctor_checks import (
    Check,
    environment_file,
    installation,
    project_files,
    run_log_place,
    surroundings,
)
from cupel.cli.doctor_models import keys, models, probe_models, tracing
from cupel.project import find_project
from cupel.report import safe

_SIGNS = {"ok": ("✓", "green"), "absent": ("·", "dim"), "note": ("!", "yellow"), "trouble": ("✗", "red")}
_PLAIN = {"✓": "+", "·": "-", "✗": "x", "→": "->"}
"""For terminals without these characters."""


def examine(settings: Mapping[str, Any], *, probe: bool, as_json: bool) -> bool:
    """Print every check; whether a run would start."""
    project = find_project()
    checks = [
        *installation(),
        *project_files(project),
        *environment_file(project, os.environ),
        *run_log_place(project),
        *keys(project, os.environ),
        *models(settings, project, os.environ),
        *(probe_models(settings, project, os.environ) if probe else ()),
        *tracing(os.environ),
        *surroundings(project, os.environ),
    ]
    troubles = [check for check in checks if check.level == "trouble"]
    if as_json:
        print_json({"usable": not troubles, "checks": [check.to_json() for check in checks]})
    else:
        _tell(checks, troubles)
    return not troubles


def _tell(checks: list[Check], troubles: list[Check]) -> None:
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
