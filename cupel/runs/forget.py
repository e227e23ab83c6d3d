"""Forgetting documents: in the run log, the reports, charts and pages made of them, and the server's threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cupel.errors import InputError
from cupel.project import Project
from cupel.runlog import Forgotten, RunLog, Selection, parts_of
from cupel.runs.server_threads import forget_threads
from cupel.tables import noted_outputs
from cupel.text import find_traces

_WRITTEN = frozenset({".jsonl", ".json", ".csv", ".tsv", ".toml", ".md", ".txt"})


@dataclass(slots=True, kw_only=True)
class Erasure:
    """What was taken out, and what a person has to see to."""

    forgotten: Forgotten
    pages: list[Path] = field(default_factory=list)
    """Reports and other files of the state folder that were removed; `cupel report` writes a report anew."""

    threads: int = 0
    yours: list[Path] = field(default_factory=list)
    """Files of one's own that still hold them, or may: inputs and outputs of these runs, outputs, data sets, prompts and
    what was learnt where they quote a text, damaged run logs that were put aside."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it; the texts themselves are not repeated."""
        gone = self.forgotten
        return {
            "outcomes": gone.documents, "documents": gone.doc_ids, "runs": gone.run_ids, "replies": gone.replies, "words": gone.words,
            "pages": [str(path) for path in self.pages], "threads": self.threads, "same_text": gone.same_text,
            "yours": [str(path) for path in self.yours],
        }  # fmt: skip


def forget_documents(
    project: Project,
    run_log: RunLog,
    what: Selection,
    *,
    forget_remarks: Callable[[list[str]], object] = lambda _texts: None,
    try_only: bool = False,
) -> Erasure:
    """Take documents out of everything Cupel keeps, for good.

    The server's threads go first: while it runs they cannot, and then nothing at all has been touched.

    Args:
        project: Where pages, data sets and the server's files are.
        run_log: Its run log.
        what: Which documents.
        forget_remarks: Empties remarks that quote one of the texts in what is kept beside the run log: a ledger.
        try_only: Say what would go, and leave everything as it is.

    Raises:
        InputError: If nothing here is of a document that was meant.
        UsageError: If a server is running in the project's folder.
        RunLogError: If one of them is in a batch job that has not been collected.
    """
    planned = run_log.forget(what, try_only=True)
    served = forget_threads(project.state.parent, planned.doc_ids, planned.texts, try_only=True)
    if not (planned.documents or planned.replies or planned.words or served):
        raise InputError(
            f"the run log {run_log.name} holds nothing of that; `cupel show ID` and `cupel show` look"
        )
    made = list(_files(project.state))
    run_ids = _with_wholes(run_log, planned.run_ids)
    reports = {project.state / "reports" / f"{run_id}.html" for run_id in run_ids}
    # a chart has words of a document in pieces: whatever was drawn of its runs goes
    drawn = {project.state / "charts" / run_id for run_id in run_ids}
    reports |= {path for path in made if path.parent in drawn}
    pages = sorted(
        reports.intersection(made) | _quoting([path for path in made if path not in reports], planned.texts)
    )
    threads = forget_threads(project.state.parent, planned.doc_ids, planned.texts, try_only=try_only)
    forgotten = planned if try_only else run_log.forget(what)
    if not try_only:
        for path in pages:
            path.unlink()
        forget_remarks(planned.texts)
    outputs = noted_outputs(project.state)
    theirs = {path for path, run_id in outputs.items() if run_id in run_ids}
    theirs |= _inputs(project, run_log, planned)
    others = {*outputs, *_kept_by_hand(project)} - theirs
    aside = set(project.state.glob("*.damaged-*"))
    yours = sorted(theirs | aside | _quoting(sorted(others), planned.texts))
    return Erasure(forgotten=forgotten, pages=pages, threads=threads, yours=yours)


def _with_wholes(run_log: RunLog, run_ids: Iterable[str]) -> set[str]:
    """These runs, and those of several tasks that one of them is a part of: a page and an output are of all tasks."""
    gone = set(run_ids)
    wholes = (run for run in run_log.runs() if gone.intersection(parts_of(run).values()))
    return gone | {run["run_id"] for run in wholes}


def _files(state: Path) -> Iterator[Path]:
    """What was made of a run log: pages and working files, never the log or a ledger."""
    yield from sorted(path for path in state.glob("unsaved-*") if path.is_file())
    for folder in ("reports", "charts", "gepa", "spool", "trouble"):
        found = () if (state / folder).is_symlink() else sorted((state / folder).rglob("*"))
        yield from (path for path in found if path.is_file() and not path.is_symlink())


def _inputs(project: Project, run_log: RunLog, gone: Forgotten) -> set[Path]:
    """The files those runs read, as far as they are found from here or from the project's folder."""
    names = {Path(run["input_name"]) for run in run_log.runs(trials=True) if run["run_id"] in gone.run_ids}
    found = (folder / name for name in names for folder in (Path.cwd(), project.folder))
    return {path.resolve() for path in found if path.is_file()}


def _kept_by_hand(project: Project) -> Iterator[Path]:
    """What people write or approve, and what was learnt: data sets, prompts, the ledger, policies and routers."""
    folders = (
        project.folder / "evals",
        project.prompts,
        project.state / "refinement",
        project.state / "policies",
    )
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.suffix in _WRITTEN and path.is_file())


def _quoting(paths: list[Path], texts: list[str]) -> set[Path]:
    """Of these files the ones that quote a text, read one at a time."""
    return {path for path in paths if find_traces(texts, {path: path.read_text("utf-8", "replace")})}
