"""What `cupel forget` prints: what went, and what is left for a person to see to."""

from __future__ import annotations

from rich.text import Text

from cupel.api import forget
from cupel.cli._console import open_console, print_json
from cupel.report import safe
from cupel.runs import Erasure


def forget_and_tell(
    doc_ids: tuple[str, ...],
    before: str | None,
    run: str | None,
    task: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Forget and print."""
    done = forget(*doc_ids, before=before, run=run, task=task, dry_run=dry_run)
    if as_json:
        print_json(done.to_json())
        return
    _tell(done.erasure, dry_run=dry_run)


def _tell(erasure: Erasure, *, dry_run: bool) -> None:
    gone, console = erasure.forgotten, open_console()
    verb = "would be forgotten" if dry_run else "forgotten"
    console.print(
        f"{verb}: {_count(gone.documents, 'outcome')} of {_count(len(gone.doc_ids), 'document')}, "
        f"{_count(gone.replies, 'reply', 'replies')}, {_count(len(erasure.pages), 'page')}, "
        f"{_count(erasure.threads, 'thread')} of the local server"
    )
    for path in erasure.pages:
        console.print(Text(f"  {safe(str(path))}"), soft_wrap=True)
    here_too = [name for name in gone.same_text if name in gone.doc_ids]
    if here_too:
        console.print(
            f"{_count(len(here_too), 'document')} of them {'has' if len(here_too) == 1 else 'have'} outcomes of other runs or tasks, "
            "which stay with the text; `cupel forget --doc-id ID` takes a document out of all",
            soft_wrap=True,
        )
    if others := [name for name in gone.same_text if name not in gone.doc_ids]:
        names = ", ".join(safe(name) for name in others[:8])
        more = f" and {len(others) - 8} more" if len(others) > 8 else ""
        console.print(Text(f"the same text stays as another document's: {names}{more}"), soft_wrap=True)
    if erasure.yours:
        console.print("files of your own that may still hold them:")
        for path in erasure.yours:
            console.print(Text(f"  {safe(str(path))}"), soft_wrap=True)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
