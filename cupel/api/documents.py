"""One document of the run log: its whole trail, and forgetting it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cupel._format import Shown
from cupel.errors import InputError, SettingError
from cupel.project import Project, find_project
from cupel.runlog import (
    Row,
    RunLog,
    Selection,
    StoredResponse,
    choose_part,
    existing_run_log,
    find_document_id,
    find_run,
    find_whole,
    parts_of,
    read_cell,
    tables,
)
from cupel.state import Call, Outcome

if TYPE_CHECKING:
    from cupel.evaluation import KeptGold
    from cupel.runs import Erasure


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail(Shown):
    """What became of a document, step by step.

    Attributes:
        outcome: Its newest outcome, or that of the run asked for.
        text: The document.
        gold: What its record should be, where there are labels that may be shown.
        responses: What every call was asked and answered, by the call's key; None where it was not asked for.
        run: The run's row in the run log.
        stored: Every outcome of the document there, newest first.
    """

    outcome: Outcome
    text: str
    gold: KeptGold
    responses: Mapping[str, StoredResponse] | None
    run: Row
    stored: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """What `cupel show --json` prints."""
        told: dict[str, Any] = {**self.outcome}
        if self.responses is not None:
            told["responses"] = {key: _response(each) for key, each in self.responses.items()}
        return told | ({"gold": self.gold.gold} if self.gold.gold else {})


def show(
    doc_id: str, run: str | None = None, task: str | None = None, *, prompts: bool = False, show_held_out: bool = False, project: Project | None = None
) -> Trail:  # fmt: skip
    """The newest outcome of a document with its trail, or the one it has in a given run, of a task where one is named.

    Args:
        doc_id: Its id.
        run: The run's id, or enough of its beginning; the newest run a person started where left out.
        task: One of the run's tasks, where it has several.
        prompts: Also what was asked and answered.
        show_held_out: Also gold of a document the gate holds out, which is spent by being shown.
        project: The project to use; the one around the current folder where left out.

    Raises:
        InputError: For no such document, run or task, and for a run of several tasks where none is named.
    """
    from cupel.evaluation import kept_gold

    project = project or find_project()
    with existing_run_log(project) as run_log:
        run_id = None if run is None else find_run(run_log, run, task)["run_id"]
        stored = run_log.find_document(find_document_id(run_log, doc_id))
        if run_id is None:
            stored = _without_trials(stored, run_log)
        row, text = _chosen(_of_task(stored, task), run_id)
        if run_id is None and task is None:
            _check_one_task(row, stored, run_log)
        outcome = run_log.outcome_of(row["key"], row["outcome"])
        keys = [call["key"] for _, call in calls_in_order(outcome)]
        return Trail(
            outcome=outcome,
            text=text,
            gold=kept_gold(project, run_log, row["run_id"], outcome, text, show_held_out=show_held_out),
            responses=run_log.responses_of(keys) if prompts else None,
            run=row,
            stored=tuple(each for each, _ in stored),
        )


def _without_trials(stored: list[tuple[Row, str]], run_log: RunLog) -> list[tuple[Row, str]]:
    """Outcomes of runs a person started; all of them where the document was only tried on."""
    started = {run["run_id"] for run in run_log.runs()}
    return [entry for entry in stored if entry[0]["run_id"] in started] or stored


def _of_task(stored: list[tuple[Row, str]], task: str | None) -> list[tuple[Row, str]]:
    """Outcomes of a task; all of them where none is named."""
    found = [entry for entry in stored if task in (None, entry[0]["task"])]
    if not found:
        tasks = ", ".join(sorted({row["task"] for row, _ in stored}))
        raise InputError(
            f"document {stored[0][0]['doc_id']!r} has no outcome of task {task!r}; it has some of {tasks}"
        )
    return found


def _check_one_task(row: Row, stored: list[tuple[Row, str]], run_log: RunLog) -> None:
    """Refuse to choose among the tasks of the run that asked about a document last."""
    for whole in run_log.runs():
        parts = parts_of(whole)
        if (
            row["run_id"] in parts.values()
            and len({each["run_id"] for each, _ in stored} & set(parts.values())) > 1
        ):
            choose_part(whole, None)


def _chosen(stored: list[tuple[Row, str]], run_id: str | None) -> tuple[Row, str]:
    matching = [entry for entry in stored if run_id in (None, entry[0]["run_id"])]
    if matching:
        return matching[0]
    runs = ", ".join(dict.fromkeys(row["run_id"] for row, _ in stored))
    raise InputError(f"run {run_id} has no document {stored[0][0]['doc_id']!r}; the runs {runs} have it")


def calls_in_order(outcome: Outcome) -> Iterator[tuple[str, Call]]:
    """Every call of a document, with the step it was made for, in the order of the steps."""
    for attempt in outcome["attempts"]:
        number = attempt["number"]
        yield from ((f"attempt {number}", call) for call in attempt["calls"])
        for verdict in outcome["verdicts"]:
            if verdict["attempt"] == number:
                yield from ((f"verdict on attempt {number}", call) for call in verdict["calls"])
        for addendum in outcome["addenda"]:
            if addendum["after_attempt"] == number:
                yield from ((f"refining attempt {number}", call) for call in addendum["calls"])
    yield from (("another call", call) for call in outcome.get("other_calls", ()))


def asked_of(response: StoredResponse) -> Any:
    """The messages of a call."""
    return read_cell(tables.responses.c.asked, response.asked, response.key)


def _response(response: StoredResponse) -> dict[str, Any]:
    return {
        "kind": response.kind,
        "model": response.model,
        "asked": asked_of(response),
        "text": response.text,
        "refusal": response.refusal,
        "finish_reason": response.finish_reason,
    }


@dataclass(frozen=True, slots=True)
class Forgetting(Shown):
    """What was taken out of everything Cupel keeps.

    Attributes:
        erasure: What went, and what a person has to see to.
        dry_run: Whether nothing was, and this is only what would be.
    """

    erasure: Erasure
    dry_run: bool

    def to_json(self) -> dict[str, Any]:
        """What `cupel forget --json` prints."""
        return self.erasure.to_json() | {"dry_run": self.dry_run}


def forget(
    *doc_ids: str, before: str | None = None, run: str | None = None, task: str | None = None, dry_run: bool = False,
    project: Project | None = None,
) -> Forgetting:  # fmt: skip
    """Take documents out of everything Cupel keeps, for good; the money they took stays in the account.

    Args:
        doc_ids: Documents, by their ids.
        before: All that were last touched before a day (`2026-05-01`) or a time; UTC where it says no zone.
        run: All of a run, by its id or enough of its beginning.
        task: One of the run's tasks, where it has several.
        dry_run: Only say what would go.
        project: The project to use; the one around the current folder where left out.

    Raises:
        SettingError: Where nothing is named, or `before` is no day.
        InputError: For no such document or run.
    """
    from cupel.improvement import ledger_of
    from cupel.runs import forget_documents

    if not doc_ids and before is None and run is None:
        raise SettingError(
            "forget what? name documents with --doc-id ID, a run with --run RUN_ID, or --before DATE"
        )
    project = project or find_project()
    time = None if before is None else _read_time(before)
    with existing_run_log(project) as run_log:
        run_ids = () if run is None else _run_and_whole(run_log, run, task)
        what = Selection(doc_ids=doc_ids, run_ids=run_ids, before=time)
        remarks = ledger_of(project.state).forget
        erasure = forget_documents(project, run_log, what, forget_remarks=remarks, try_only=dry_run)
    return Forgetting(erasure, dry_run)


def _run_and_whole(run_log: RunLog, run: str, task: str | None) -> tuple[str, ...]:
    """The run that is meant, and with it the one it is a part of here: replies that tasks share are booked there."""
    whole, part = find_whole(run_log, run, task), find_run(run_log, run, task)
    return tuple(dict.fromkeys((part["run_id"], whole["run_id"])))


def _read_time(said: str) -> str:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        raise SettingError(
            f"--before {said}: a day such as 2026-05-01, or a time such as 2026-05-01T12:00"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="seconds")
