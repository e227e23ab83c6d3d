"""What `cupel labels` prints: the file that was made, or what of a file can be used."""

from __future__ import annotations

from pathlib import Path

from cupel.api import check_labels, make_labels
from cupel.cli._console import open_console, print_json


def make_and_tell(source: str, task: str, out: Path, *, text_column: str, as_json: bool) -> None:
    """Make the file, and say what to do with it."""
    made = make_labels(source, out, task, text=text_column)
    if as_json:
        print_json(made.to_json())
        return
    console = open_console()
    beside = f", {made.without_record} of them without a record" if made.without_record else ""
    beside += f"; {made.left_out} rows without an id are left out" if made.left_out else ""
    console.print(f"{out}: {made.lines} documents{beside}", soft_wrap=True, markup=False)
    console.print(
        'correct `gold` where it is wrong, and set `"checked": true` where you have looked: only those lines are gold. '
        f"Then: cupel labels check {out} --task {task}",
        soft_wrap=True,
        markup=False,
    )


def check_and_tell(path: Path, task: str, *, as_json: bool) -> None:
    """Say what of a file of labels can be used."""
    checked = check_labels(path, task)
    told = checked.to_json()
    if as_json:
        print_json(told)
        return
    console = open_console()
    console.print(
        f"{path}: {told['documents']} documents can be used, {told['gold']} with gold and {told['verdicts']} with pass or fail",
        soft_wrap=True,
        markup=False,
    )
    for note in told["notes"]:
        console.print(f"note: {note}", soft_wrap=True, markup=False)
    if told["gold"]:
        console.print(f"next: cupel run FILE --task {task} --gold {path}", soft_wrap=True, markup=False)
