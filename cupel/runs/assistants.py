"""Assistants of a LangGraph server, one for each task and profile: what Studio starts from, brought up to the project's files."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cupel.cascade import PROMPTS, current_prompts
from cupel.task import load_task, task_names

GRAPH = "enrich"
NOTE = "cupel"
"""Under this name an assistant's metadata say what was written into it: all else is a person's."""

_NAMESPACE = uuid.UUID("6c1f6f0e-4c1f-5a0e-9d0e-2f6d5f1c7a55")
Done = Literal["made", "brought up", "as it was", "left to its owner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What became of one assistant."""

    name: str
    assistant_id: str
    version: int
    done: Done
    kept: Sequence[str] = ()
    """What a person changed in it, and stays."""


def assistant_id(task: str, profile: str) -> str:
    """The same for the same task and profile, whenever it is asked."""
    return str(uuid.uuid5(_NAMESPACE, f"{task}/{profile}"))


async def sync_assistants(client: Any, prompts: Path, profiles: Sequence[str]) -> list[Synced]:
    """Make, or bring up to the files as they are, the assistant of each task under each profile.

    Every change makes a new version of an assistant; older ones stay. What a person changed since it was written
    here, a prompt, a model, its name, is left; one of which a person chose an older version is left whole.

    Args:
        client: Of the server, as `langgraph_sdk.get_client` makes it.
        prompts: The project's prompts folder.
        profiles: Names of profiles.

    Raises:
        TaskError: For a task's file that is wrong.
    """
    return [
        await _sync(client, *await asyncio.to_thread(_wanted, task, profile, prompts))
        for task in await asyncio.to_thread(task_names, prompts)
        for profile in profiles
    ]


def _wanted(task: str, profile: str, prompts: Path) -> tuple[str, dict[str, Any]]:
    """An assistant's id and its fields, as the project's files have them."""
    spec = load_task(task, prompts)
    fields = {
        "name": f"{task} {profile}", "description": spec.description or spec.title, "task": task, "profile": profile,
        **{PROMPTS[kind]: text for kind, text in current_prompts(task, prompts).items()},
    }  # fmt: skip
    return assistant_id(task, profile), fields


async def _sync(client: Any, own_id: str, wanted: Mapping[str, Any]) -> Synced:
    found = await _find(client, own_id)
    if found is None:
        made = await client.assistants.create(
            GRAPH,
            assistant_id=own_id,
            **_parts(wanted, {}),
            metadata=_noted(wanted, {}),
            if_exists="do_nothing",
        )
        return _synced(made, "made")
    newest = max(one["version"] for one in await client.assistants.get_versions(own_id))
    if found["version"] < newest:
        return _synced(
            found, "left to its owner", [f"version {found['version']} of {newest}, chosen by a person"]
        )
    known = {
        **(found.get("context") or {}),
        "name": found.get("name"),
        "description": found.get("description"),
    }
    written = (found.get("metadata") or {}).get(NOTE, {}).get("written", {})
    theirs = [name for name in wanted if _digest(known.get(name)) != written.get(name)]
    # what is neither theirs nor as the files have it by now
    stale = [name for name in wanted if name not in theirs and known.get(name) != wanted[name]]
    others = sorted(known.keys() - wanted.keys())
    if not stale:
        return _synced(found, "as it was", [*theirs, *others])
    settled = {name: wanted[name] if name in stale else known.get(name) for name in wanted}
    parts = _parts(settled, {name: known[name] for name in others})
    metadata = _noted({name: wanted[name] for name in wanted if name not in theirs}, written)
    changed = await client.assistants.update(own_id, graph_id=GRAPH, **parts, metadata=metadata)
    return _synced(changed, "brought up", [*theirs, *others])


async def _find(client: Any, own_id: str) -> dict[str, Any] | None:
    from langgraph_sdk.errors import NotFoundError

    try:
        return dict(await client.assistants.get(own_id))
    except NotFoundError:
        return None


def _parts(fields: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as the server takes them: its own two, and the settings."""
    context = {name: value for name, value in fields.items() if name not in ("name", "description")}
    own = {name: fields[name] for name in ("name", "description")}
    return {
        **own,
        "context": {**others, **{name: value for name, value in context.items() if value is not None}},
    }


def _noted(written: Mapping[str, Any], before: Mapping[str, str]) -> dict[str, Any]:
    return {NOTE: {"written": {**before, **{name: _digest(value) for name, value in written.items()}}}}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _synced(found: Mapping[str, Any], done: Done, kept: Sequence[str] = ()) -> Synced:
    return Synced(
        name=str(found["name"]), assistant_id=str(found["assistant_id"]), version=int(found["version"]),
        done=done, kept=tuple(kept),
    )  # fmt: skip
