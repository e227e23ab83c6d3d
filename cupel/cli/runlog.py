"""What `cupel runlog` prints: what is damaged, and what was saved."""

from __future__ import annotations

from pathlib import Path

from cupel.cli._console import open_console, print_json
from cupel.errors import RunLogError, SettingError
from cupel.project import find_project
from cupel.report import safe
from cupel.runlog import Checkup, check_run_log, repair_run_log, run_log_file

SHOWN = 40


def check_it(*, as_json: bool) -> int:
    """Tell what of the run log can be read; returns the exit code."""
    found = check_run_log(_file())
    if as_json:
        print_json(found.to_json())
    else:
        _tell(found)
        if not found.is_sound:
            open_console().print(
                "`cupel runlog repair` saves what can be read, and keeps this file beside it"
            )
    return 0 if found.is_sound else RunLogError.exit_code


def repair_it(*, as_json: bool) -> None:
    """Repair, and tell what was saved."""
    done = repair_run_log(_file())
    if as_json:
        print_json(done.found.to_json() | {"damaged_file": str(done.aside) if done.aside else None})
        return
    _tell(done.found)
    if done.aside is not None:
        open_console().print(
            f"written anew with all that could be read; the damaged file is {done.aside}. The same commands go on: "
            "what was lost is asked again, and nothing else",
            soft_wrap=True,
        )


def _file() -> Path:
    path = run_log_file(find_project())
    if path is None:
        raise SettingError(
            "the run log is a PostgreSQL database, which has tools of its own; this mends SQLite files"
        )
    return path


def _tell(found: Checkup) -> None:
    console = open_console()
    rows = ", ".join(f"{count} {name}" for name, count in sorted(found.rows.items()) if count) or "nothing"
    console.print(
        f"{found.path}: {'sound' if found.is_sound else 'damaged'}; readable: {rows}", soft_wrap=True
    )
    for damage in found.damages[:SHOWN]:
        console.print(safe(f"  {damage}"), soft_wrap=True)
    if len(found.damages) > SHOWN:
        console.print(f"  … and {len(found.damages) - SHOWN} more; --json lists them")
