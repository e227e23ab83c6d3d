"""What `cupel show` does: find a document in the run log and print its trail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from cupel.cli._console import open_console, print_json
from cupel.errors import InputError
from cupel.evaluation import kept_gold
from cupel.project import find_project
from cupel.report import document_trail, safe
from cupel.runlog import (
    Row,
    RunLog,
    StoredResponse,
    existing_run_log,
    find_document_id,
    find_run,
    read_cell,
    tables,
)
from cupel.state import Call, Outcome

_ROLES = {"system": "magenta", "user": "cyan", "assistant": "yellow"}


def show_document(
    doc_id: str, run: str | None, *, prompts: bool, show_held_out: bool = False, as_json: bool = False
) -> None:
    """Print the newest outcome of a document, or the one it has in a given run."""
    project = find_project()
    with existing_run_log(project) as run_log:
        run_id = None if run is None else find_run(run_log, run)["run_id"]
        stored = run_log.find_document(find_document_id(run_log, doc_id))
        if run_id is None:
            stored = _without_trials(stored, run_log)
        row, text = _chosen(stored, run_id)
        outcome = run_log.outcome_of(row["key"], row["outcome"])
        said = _responses(run_log, outcome) if prompts else {}
        held = kept_gold(project, run_log, row["run_id"], outcome, text, show_held_out=show_held_out)
    if as_json:
        asked = {key: _as_json(response) for key, response in said.items()}
        print_json(
            {
                **outcome,
                **({"responses": asked} if prompts else {}),
                **({"gold": held.gold} if held.gold else {}),
            }
        )
        return
    console = open_console()
    console.print(document_trail(outcome, text, held.gold))
    if held.note:
        console.print(Text(held.note, style="yellow"))
    if prompts:
        console.print(conversation(outcome, said))
    console.print(Text(_other_runs(row, stored), style="dim"))


def _without_trials(stored: list[tuple[Row, str]], run_log: RunLog) -> list[tuple[Row, str]]:
    """Outcomes of runs a person started; all of them where the document was only tried on."""
    started = {run["run_id"] for run in run_log.runs()}
    return [entry for entry in stored if entry[0]["run_id"] in started] or stored


def _chosen(stored: list[tuple[Row, str]], run_id: str | None) -> tuple[Row, str]:
    matching = [entry for entry in stored if run_id in (None, entry[0]["run_id"])]
    if matching:
        return matching[0]
    runs = ", ".join(dict.fromkeys(row["run_id"] for row, _ in stored))
    raise InputError(f"run {run_id} has no document {stored[0][0]['doc_id']!r}; the runs {runs} have it")


def _responses(run_log: RunLog, outcome: Outcome) -> dict[str, StoredResponse]:
    return run_log.responses_of([call["key"] for _, call in calls_in_order(outcome)])


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


def conversation(outcome: Outcome, said: dict[str, StoredResponse]) -> RenderableType:
    """The messages of every call and its answer; the text of the document stands as a mark."""
    parts: list[RenderableType] = []
    for step, call in calls_in_order(outcome):
        parts.append(
            Rule(Text(f"{step}: {call['kind']} · {safe(call['model'])}", style="bold"), align="left")
        )
        response = said.get(call["key"])
        if response is None:
            parts.append(Text("the run log no longer has this answer", style="red"))
            continue
        for message in read_cell(tables.responses.c.asked, response.asked, response.key):
            parts += _message(message["role"], message["content"])
        parts += _message("answer", response.refusal or response.text or "(empty)")
        if response.finish_reason not in (None, "stop"):
            parts.append(Text(f"ended with: {safe(str(response.finish_reason))}", style="red"))
    return Group(*parts)


def _message(role: str, content: str) -> list[RenderableType]:
    return [Text(safe(role), style=_ROLES.get(role, "green")), Padding(Text(safe(content)), (0, 0, 0, 2))]


def _as_json(response: StoredResponse) -> dict[str, Any]:
    return {
        "kind": response.kind,
        "model": response.model,
        "asked": read_cell(tables.responses.c.asked, response.asked, response.key),
        "text": response.text,
        "refusal": response.refusal,
        "finish_reason": response.finish_reason,
    }


def _other_runs(row: Row, stored: list[tuple[Row, str]]) -> str:
    others = [
        f"{other['run_id']} ({other['task']}, {other['status']})" for other, _ in stored if other is not row
    ]
    words = f"run {row['run_id']}, {row['finished_at']}; --prompts shows what was asked and answered"
    return f"{words}; also in the runs {', '.join(others)}: --run shows those" if others else words
