"""What `cupel show` prints: a document's trail, and what was asked and answered."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from cupel.api import Trail, asked_of, calls_in_order, show
from cupel.cli._console import open_console, print_json
from cupel.report import document_trail, safe
from cupel.runlog import StoredResponse
from cupel.state import Outcome

_ROLES = {"system": "magenta", "user": "cyan", "assistant": "yellow"}


def show_document(
    doc_id: str,
    run: str | None,
    task: str | None = None,
    *,
    prompts: bool,
    show_held_out: bool = False,
    as_json: bool = False,
) -> None:
    """Print the newest outcome of a document, or the one it has in a given run, of a task where one is named."""
    trail = show(doc_id, run, task, prompts=prompts, show_held_out=show_held_out)
    if as_json:
        print_json(trail.to_json())
        return
    console = open_console()
    console.print(document_trail(trail.outcome, trail.text, trail.gold.gold))
    if trail.gold.note:
        console.print(Text(trail.gold.note, style="yellow"))
    if trail.responses is not None:
        console.print(conversation(trail.outcome, trail.responses))
    console.print(Text(_other_runs(trail), style="dim"))


def conversation(outcome: Outcome, said: Mapping[str, StoredResponse]) -> RenderableType:
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
        for message in asked_of(response):
            parts += _message(message["role"], message["content"])
        parts += _message("answer", response.refusal or response.text or "(empty)")
        if response.finish_reason not in (None, "stop"):
            parts.append(Text(f"ended with: {safe(str(response.finish_reason))}", style="red"))
    return Group(*parts)


def _message(role: str, content: str) -> list[RenderableType]:
    return [Text(safe(role), style=_ROLES.get(role, "green")), Padding(Text(safe(content)), (0, 0, 0, 2))]


def _other_runs(trail: Trail) -> str:
    row = trail.run
    others = [
        f"{other['run_id']} ({other['task']}, {other['status']})"
        for other in trail.stored
        if other is not row
    ]
    words = f"run {row['run_id']}, {row['finished_at']}; --prompts shows what was asked and answered"
    return f"{words}; also in the runs {', '.join(others)}: --run shows those" if others else words
