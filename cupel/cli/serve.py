"""What `cupel serve` prints: what callers may do, and their keys."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TypeVar

from cupel.cli._console import open_console, print_json, table
from cupel.errors import SettingError
from cupel.project import find_project
from cupel.report import safe
from cupel.runlog import RunLog, open_run_log
from cupel.serve import FILE, create_key, list_keys, read_policy, revoke_key, weak_points

T = TypeVar("T")


def check_and_tell(*, as_json: bool) -> None:
    """Say what `serve.toml` allows.

    Raises:
        SettingError: If there is none, or something in it is wrong.
    """
    project = find_project()
    policy = read_policy(project)
    if policy is None:
        raise SettingError(
            f"{project.folder / FILE}: there is none. Without it a server lets its own machine do everything and others "
            "nothing; docs/reference/serve.md has one to begin with"
        )
    weak = weak_points(policy)
    if as_json:
        print_json(
            {
                **policy.model_dump(mode="json"),
                "models_allowed": sorted(policy.models_allowed()),
                "notes": weak,
            }
        )
        return
    may, caps, console = policy.requests, policy.caps, open_console()
    allowed = [name for name, value in may.model_dump().items() if value]
    console.print(f"{project.folder / FILE}: read", soft_wrap=True)
    for what, said in (
        ("graphs", policy.graphs), ("tasks", policy.tasks), ("models", sorted(policy.models_allowed())),
        ("may come from a request", allowed), ("files by name", sorted(policy.files)),
    ):  # fmt: skip
        console.print(f"  {what}: {safe(', '.join(said)) or 'none'}", soft_wrap=True)
    console.print(
        f"  a request: ${caps.usd_per_request:g}, {policy.longest_text} characters, {caps.documents_per_request} document(s)\n"
        f"  a key a day: ${caps.usd_per_key:g}, {caps.documents_per_key} documents\n"
        f"  all a day: ${caps.usd_per_day:g}, {caps.documents_per_day} documents"
    )
    for line in weak:
        console.print(f"note: {safe(line)}", soft_wrap=True)
    console.print("A server reads it as it starts: one that runs goes by what it read then.", soft_wrap=True)


def create_and_tell(name: str, *, metrics: bool, as_json: bool) -> None:
    """Make a key and print it."""
    key, secret = _with_run_log(lambda log: create_key(log, name, "metrics" if metrics else "caller"))
    if as_json:
        print_json({**asdict(key), "key": secret})
        return
    open_console().print(secret, soft_wrap=True)
    open_console(stderr=True).print(
        f"key {key.id} of {safe(name)}; nobody can show it again. It is sent as `x-api-key`. From now on the server answers "
        "nobody without a key",
        soft_wrap=True,
    )


def list_and_tell(*, as_json: bool) -> None:
    """Print every key."""
    uses = _with_run_log(list_keys)
    if as_json:
        print_json(
            [
                {**asdict(use.key), "documents_today": use.documents, "spent_usd_today": use.spent_usd}
                for use in uses
            ]
        )
        return
    shown = table("name", "id", "kind", "made", "revoked", ">documents today", ">$ today")
    for use in uses:
        key = use.key
        shown.add_row(
            safe(key.name), key.id, key.kind, key.created_at[:10], (key.revoked_at or "")[:10], str(use.documents), f"{use.spent_usd:.4f}"
        )  # fmt: skip
    open_console().print(shown)


def revoke_and_tell(name: str, *, as_json: bool) -> None:
    """Take a key back.

    Raises:
        UsageError: If there is no such key.
    """
    key = _with_run_log(lambda log: revoke_key(log, name))
    if as_json:
        print_json({"id": key.id, "name": key.name, "revoked": True})
        return
    open_console().print(f"{safe(key.name)} ({key.id}) is revoked")


def _with_run_log(work: Callable[[RunLog], Awaitable[T]]) -> T:
    async def done() -> T:
        run_log = await asyncio.to_thread(open_run_log, find_project().state, os.environ)
        try:
            return await work(run_log)
        finally:
            await asyncio.to_thread(run_log.close)

    return asyncio.run(done())
