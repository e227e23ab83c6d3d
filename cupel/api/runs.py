"""The runs of a project: which there are, what became of their documents, and their reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cupel._format import Shown
from cupel.api.lists import Listing
from cupel.project import Project, find_project
from cupel.runlog import existing_run_log, find_run, list_runs as find_runs

if TYPE_CHECKING:
    import pandas as pd

    from cupel.report import RunSummary


def list_runs(
    task: str | None = None,
    *,
    trials: bool = False,
    limit: int | None = None,
    project: Project | None = None,
) -> Listing[dict[str, Any]]:
    """The runs of the run log, newest first; what `cupel runs` prints.

    Args:
        task: Only this task's, alone or with others.
        trials: Also those of prompts that were only tried.
        limit: At most so many; all where left out.
        project: The project to use; the one around the current folder where left out.

    Returns:
        For each run `run_id`, `task`, `kind`, `state`, `rows` (None where they were not counted), `input_name`, `output_name`,
        `started_at` and `updated_at`.

    Raises:
        InputError: If nothing was ever run here.
    """
    return Listing.first(find_runs(project or find_project(), task, trials=trials), limit)


_OUTCOME = (
    "doc_id", "status", "record", "evidence", "confidence", "score", "model", "tier", "reasons", "cost_usd", "latency_s",
    "language", "prompt_version",
)  # fmt: skip


def outcomes(
    run: str | None = None, *, task: str | None = None, project: Project | None = None
) -> pd.DataFrame:
    """What became of the documents of a run, from the run log alone.

    Args:
        run: The run's id, or enough of its beginning; the newest where left out.
        task: Which task, of a run of several.
        project: The project to use; the one around the current folder where left out.

    Returns:
        A row for each document, by its position in the run's input: `text`, `doc_id`, `status`, `record` (a dict),
        `evidence` (where each quote stands), `confidence`, `score`, `model`, `tier`, `reasons`, `cost_usd`, `latency_s`,
        `language` and `prompt_version`.

    Raises:
        InputError: For no such run.
    """
    import pandas as pd

    with existing_run_log(project or find_project()) as run_log:
        rows = {
            position: {"text": text, **{name: outcome.get(name) for name in _OUTCOME}}
            for position, outcome, text in run_log.run_outcomes(find_run(run_log, run, task)["run_id"])
        }
    frame = pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), name="position"))
    return frame if rows else frame.reindex(columns=["text", *_OUTCOME])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Shown):
    """A report that was written.

    Attributes:
        path: The page.
        summary: What is in it.
    """

    path: str
    summary: RunSummary

    def to_json(self) -> dict[str, Any]:
        """What `cupel report --json` prints."""
        run = self.summary
        return {
            "run_id": run.run_id,
            "report": self.path,
            "documents": run.documents,
            "notes": list(run.notes),
        }


def write_report(
    run: str | None = None,
    *,
    task: str | None = None,
    show_held_out: bool = False,
    project: Project | None = None,
) -> Report:
    """Write the HTML report of a run anew, from the run log.

    Args:
        run: The run's id, or enough of its beginning; the newest where left out.
        task: Of a run of several tasks only this one's page; where left out, the page of all, and each one's.
        show_held_out: Also show gold of documents the gate holds out: who has seen it can prove no change of a prompt on them.
        project: The project to use; the one around the current folder where left out.

    Raises:
        InputError: For no such run.
        OutputPathError: If the page cannot be written.
    """
    from cupel.report import rewrite_run_report

    path, summary = rewrite_run_report(project or find_project(), run, task=task, show_held_out=show_held_out)
    return Report(path=str(path), summary=summary)
