"""What `cupel improve` does: hold the task, run the improve graph, tell what became of it, and ask a person."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cupel._format import usd
from cupel.api import improve
from cupel.cli._console import ask_person, open_console, print_json
from cupel.errors import BudgetExceededError, StoppedError, StopRunError
from cupel.improvement import command_of, ledger_of, promote
from cupel.limits import read_wait_s
from cupel.project import Project, find_project, user_name
from cupel.report import safe

WORDS = {
    "nothing_to_do": "nothing to do",
    "no_candidate": "no candidate",
    "nominee": "better: a nominee that waits for approval",
}


@dataclass(frozen=True, kw_only=True)
class ImproveRun:
    """Everything `cupel improve` was told."""

    given: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    wait: str = "120"
    ask: bool = False
    as_json: bool = False


def run_improve(told: ImproveRun) -> int:
    """Run a campaign; returns the exit code. One campaign at a time works on a task: the steps see to it."""
    documents, given = (
        told.given["documents"],
        {name: value for name, value in told.given.items() if name != "documents"},
    )
    try:
        improved = improve(documents, **given, wait_s=read_wait_s(told.wait), tell=_say, **told.settings)
    except StoppedError:
        raise
    except StopRunError as error:
        more = {"max_usd": "USD"} if isinstance(error, BudgetExceededError) else {}
        again = command_of(told.given, told.settings, **more)
        print(f"stopped: {error}\nThe same command goes on from here.\nnext: {again}", file=sys.stderr)
        return error.exit_code
    result = improved.result
    if told.as_json:
        print_json(improved.to_json())
    else:
        tell_campaign(result)
    asked = told.ask and not told.as_json and sys.stdin.isatty()
    if result["result"] != "nominee" or not asked or not _promote_if_asked(find_project(), result):
        print(f"next, {improved.why}: {improved.next}", file=sys.stderr)
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _promote_if_asked(project: Project, result: Mapping[str, Any]) -> bool:
    """Promote the nominee where a person at the terminal says so; whether they did."""
    task, version = result["task"], result["proposal"]["version"]
    if not ask_person(f"Promote {version} of {task}?"):
        return False
    with ledger_of(project.state).session(task):
        promote(project.prompts, project.state, task, version, user_name())
    print(f"promoted; `cupel prompts rollback {task} {result['version']}` takes it back", file=sys.stderr)
    return True


def tell_campaign(result: Mapping[str, Any]) -> None:
    """Print what became of a campaign: causes, what was tried, the gate, and the decision."""
    console = open_console()
    console.print(f"{result['task']} at {result['version']}, campaign {result['campaign']}")
    for note in result.get("notes", ()):
        console.print(f"  {safe(note)}", soft_wrap=True)
    for cause in result.get("causes", ())[:8]:
        words = f"  {cause['failures']:>4} × {cause['criterion']} ({cause['cause']}) on {cause['documents']} documents"
        console.print(safe(words), soft_wrap=True)
    for turn in result.get("tried", ()):
        what = f"{turn['version']}: {turn['fixes']} fixed, {turn['breaks']} broken of {turn['documents']}"
        console.print(
            safe(f"round {turn['number']}: {what if turn['version'] else turn['reason']}"), soft_wrap=True
        )
    if (result.get("proposal") or {}).get("diff"):
        for line in result["proposal"]["diff"].splitlines():
            console.print(safe(line), soft_wrap=True)
    _tell_decision(console, result.get("decision"))
    word = WORDS.get(result["result"], result["result"])
    console.print(f"{word}: {safe('; '.join(result.get('reasons', ())))}", soft_wrap=True)
    console.print(f"cost {usd(result.get('cost_usd'))}")


def _tell_decision(console: Any, decision: Mapping[str, Any] | None) -> None:
    if not decision or "interval" not in decision:
        return
    low, high = decision["interval"]
    console.print(
        f"gate, look {decision['look']}: {decision['fixes']} better, {decision['breaks']} worse of {decision['n']} held-out; "
        f"{100 * decision['before']:.1f} → {100 * decision['after']:.1f}, gain {100 * decision['gain']:+.1f} "
        f"[{100 * low:+.1f}, {100 * high:+.1f}], p = {decision['p']:.3g} (allowed {decision['alpha']:.3g}, {decision['test']})",
        soft_wrap=True,
    )
    for note in decision.get("notes", ()):
        console.print(f"  {safe(note)}", soft_wrap=True)
