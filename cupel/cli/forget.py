"""What `cupel forget` does: read which documents are meant, have them forgotten, and say what went and what is left."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.text import Text

from cupel.cli._console import open_console, print_json
from cupel.errors import SettingError
from cupel.improvement import ledger_of
from cupel.project import find_project
from cupel.report import safe
from cupel.runlog import Selection, existing_run_log, find_run
from cupel.runs import Erasure, forget_documents


def forget_and_tell(
    doc_ids: tuple[str, ...], before: str | None, run: str | None, *, dry_run: bool, as_json: bool
) -> None:
    """Forget and print."""
    if not doc_ids and before is None and run is None:
        raise SettingError(
            "forget what? name documents with --doc-id ID, a run with --run RUN_ID, or --before DATE"
        )
    project = find_project()
    time = None if before is None else _read_time(before)
    with existing_run_log(project) as run_log:
        run_id = None if run is None else find_run(run_log, run)["run_id"]
        what = Selection(doc_ids=doc_ids, run_id=run_id, before=time)
        remarks = ledger_of(project.state).forget
        erasure = forget_documents(project, run_log, what, forget_remarks=remarks, try_only=dry_run)
    if as_json:
        print_json(erasure.to_json() | {"dry_run": dry_run})
        return
    _tell(erasure, dry_run=dry_run)


def _read_time(said: str) -> str:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        raise SettingError(
            f"--before {said}: a day such as 2026-05-01, or a time such as 2026-05-01T12:00"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="seconds")


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
    if gone.same_text:
        names = ", ".join(safe(name) for name in gone.same_text[:8])
        more = f" and {len(gone.same_text) - 8} more" if len(gone.same_text) > 8 else ""
        console.print(Text(f"the same text stays as another document's: {names}{more}"), soft_wrap=True)
    if erasure.yours:
        console.print("files of your own that may still hold them:")
        for path in erasure.yours:
            console.print(Text(f"  {safe(str(path))}"), soft_wrap=True)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
