"""What `cupel assistants sync` does: bring a server's assistants up to the files, and say what became of each."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import get_args

from cupel.cli._console import open_console, print_json, table
from cupel.cli.pull_prompts import asking_server
from cupel.context import Profile
from cupel.errors import UsageError
from cupel.models import usable_profiles
from cupel.project import find_project
from cupel.report import safe
from cupel.runs import Synced, sync_assistants


def sync_and_tell(url: str, profiles: Sequence[str], *, as_json: bool) -> None:
    """Sync and print one line an assistant.

    Raises:
        InputError: If no LangGraph server answers at the address.
        UsageError: For a profile there is not.
    """
    known = get_args(Profile)
    for name in profiles:
        if name not in known:
            raise UsageError(f"no profile {name!r}; profiles: {', '.join(known)}")
    synced = asyncio.run(_sync(url, list(profiles) or usable_profiles(os.environ)))
    if as_json:
        print_json([asdict(one) for one in synced])
        return
    shown = table("assistant", ">version", "what was done", "kept as a person left it")
    for one in synced:
        shown.add_row(safe(one.name), str(one.version), one.done, safe(", ".join(one.kept)))
    open_console().print(shown)


async def _sync(url: str, profiles: Sequence[str]) -> list[Synced]:
    async with asking_server(url) as client:
        return await sync_assistants(client, find_project().prompts, profiles)
