"""Prompts edited elsewhere brought here as candidates: in Studio, or in LangSmith's prompt hub."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from cupel.cli._console import print_json
from cupel.errors import InputError
from cupel.files import make_folder, write_whole
from cupel.improvement import (
    as_version,
    contract_problem,
    hub_name,
    known_version,
    ledger_of,
    pull_prompt,
    push_prompt,
    replace_prompt,
    rule_rows,
    version_diff,
    version_of,
)
from cupel.project import Project, find_project
from cupel.report import safe
from cupel.runlog import now
from cupel.runs import KEY_VARIABLE, read_key
from cupel.task import Rule, TaskSpec, load_task
from cupel.tracing import reachable

OTHERS = ("judge_prompt", "judge_items_prompt", "refine_prompt")
"""Prompts an assistant may carry that are no candidates: the gate weighs what extracts."""


def pull_from_studio(task_name: str, assistant: str, url: str, *, as_json: bool) -> None:
    """Write an assistant's edited extract prompt as a candidate file, and note it in the ledger; nothing is promoted.

    Raises:
        InputError: If the server or the assistant cannot be had, or its prompt broke the task's contract.
    """
    project = find_project()
    task = load_task(task_name, project.prompts)
    edited = asyncio.run(_assistant(assistant, url))
    context: Mapping[str, Any] = edited.get("context") or {}
    text = context.get("extract_prompt")
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            f"assistant {edited.get('name') or assistant!r} has no extract_prompt of its own; edit it in Studio and save it"
        )
    for name in OTHERS:
        if context.get(name):
            print(
                f"its {name} is edited too and stays there: only extract_prompt is brought", file=sys.stderr
            )
    origin = {"assistant": edited["assistant_id"], "assistant_version": edited.get("version")}
    candidate(project, task, text, author="studio", origin=origin, as_json=as_json)


@asynccontextmanager
async def asking_server(url: str) -> AsyncIterator[Any]:
    """An SDK client of a LangGraph server; what answers otherwise is told in a sentence.

    Raises:
        InputError: If no such server answers at the address.
    """
    from httpx import HTTPStatusError, TransportError
    from langgraph_sdk import get_client
    from langgraph_sdk.errors import AuthenticationError, PermissionDeniedError

    if problem := await asyncio.to_thread(reachable, url):
        raise InputError(
            f"{url}: no LangGraph server answers there ({problem}); start it with `make dev` or give --url"
        )
    try:
        async with get_client(url=url, api_key=read_key(None, os.environ) or None) as client:
            yield client
    except (AuthenticationError, PermissionDeniedError) as error:
        said = error.body.get("detail") if isinstance(error.body, Mapping) else None
        raise InputError(
            f"{url}: {str(said or error)[:300]}; {KEY_VARIABLE} in the environment is the key this command shows"
        ) from error
    except (TransportError, OSError) as error:
        raise InputError(
            f"{url}: what answers there is no LangGraph server ({type(error).__name__}); give its address with --url"
        ) from error
    except (HTTPStatusError, ValueError) as error:
        raise InputError(
            f"{url}: assistants could not be listed ({error}); is this a LangGraph server?"
        ) from error


async def _assistant(wanted: str, url: str) -> Mapping[str, Any]:
    async with asking_server(url) as client:
        assistants = await client.assistants.search(limit=100)
    meant = [one for one in assistants if wanted in (one["assistant_id"], one.get("name"))]
    if len(meant) == 1:
        return dict(meant[0])
    problem = f"{len(meant)} assistants are named {wanted!r}" if meant else f"no assistant {wanted!r}"
    listed = "; ".join(f"{one['assistant_id']} ({one.get('name')})" for one in (meant or assistants)[:10])
    raise InputError(f"{url}: {problem}; there are {listed or 'none'}")


def pull_from_hub(task_name: str, commit: str, *, as_json: bool) -> None:
    """Write a commit of LangSmith's prompt hub as a candidate; nothing is promoted."""
    project = find_project()
    task = load_task(task_name, project.prompts)
    pulled = pull_prompt(os.environ, task, commit)
    origin = {"commit": pulled.commit}
    candidate(
        project, task, pulled.extract, author="langsmith", origin=origin, rules=pulled.rules, as_json=as_json
    )


def push_to_hub(task_name: str, version: str, parent: str, *, as_json: bool) -> None:
    """Commit the folder's prompt, or a version of the ledger, to the hub; the ledger keeps which commit it is."""
    project = find_project()
    task, ledger = load_task(task_name, project.prompts), ledger_of(project.state)
    if version:
        task = as_version(task, known_version(ledger, task_name, version).data)
    pushed = [entry.data for entry in ledger.entries(task=task_name, kind="note") if "commit" in entry.data]
    pushed_version = version_of(task)
    after = parent or (pushed[-1]["commit"] if pushed else None)
    commit = push_prompt(os.environ, task, parent=after)
    data = {"commit": commit, "parent_commit": after, "version": pushed_version, "hub": hub_name(task_name)}
    ledger.append("note", task=task_name, key=f"pushed:{commit}", at=now(), data=data)
    if as_json:
        print_json(data)
    else:
        print(
            f"{hub_name(task_name)}:{commit} is {task_name} {pushed_version}, on top of {after or 'nothing'}"
        )


def candidate(
    project: Project,
    task: TaskSpec,
    extract: str,
    *,
    author: str,
    origin: Mapping[str, Any],
    rules: tuple[Rule, ...] | None = None,
    as_json: bool = False,
) -> None:
    """Write a contract as a candidate, with its parent and where it came from, and say what it changes.

    Raises:
        InputError: If it says nothing new, or its contract is broken.
    """
    where = ", ".join(f"{name} {value}" for name, value in origin.items())
    edited = replace_prompt(task, task.rules if rules is None else rules, extract)
    if problem := contract_problem(task, extract):
        raise InputError(f"{where}: its prompt cannot be a candidate: {problem}")
    version, parent = version_of(edited), version_of(task)
    if version == parent:
        raise InputError(f"{where}: its prompt says what the folder's says already")
    path = project.state / "refinement" / "candidates" / f"{task.name}-{version}.md"
    make_folder(path.parent)
    write_whole(path, extract)
    data = {
        "version": version, "parent": parent, "author": author, "rules": rule_rows(edited.rules), "extract": extract,
        "origin": dict(origin),
    }  # fmt: skip
    ledger_of(project.state).append("version", task=task.name, key=version, at=now(), data=data)
    if as_json:
        print_json(
            {
                "version": version,
                "parent": parent,
                "author": author,
                "file": str(path),
                "origin": dict(origin),
            }
        )
        return
    for line in version_diff(task, edited).splitlines():
        print(safe(line))
    print(f"{version}, from {parent}: a candidate, not active\n{path}")
    print(f"test it with `cupel improve FILE --task {task.name} --candidate {version}`")
