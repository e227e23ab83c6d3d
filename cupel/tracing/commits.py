"""Which commit of LangSmith's prompt hub a version of a prompt is, as `cupel prompts push` noted it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

REREAD_S = 10.0
"""For so long a version that nobody pushed is taken to be none that was."""


class HubCommits:
    """What the ledger's notes say of the hub, read again for a version that is not among them.

    Args:
        entries: Reads the ledger: rows with `kind` and `data`, the latter as JSON.
    """

    def __init__(self, entries: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        self._entries = entries
        self._read_at = time.monotonic()
        self._known: dict[str, tuple[str, str]] = {}

    def read(self) -> None:
        """Read the notes; it waits for the run log, which an event loop may not."""
        self._known, self._read_at = dict(_pushed(self._entries())), time.monotonic()

    def of(self, version: str) -> tuple[str, str] | None:
        """The hub's name of a prompt and the commit that is this version; None where it was never pushed.

        One that is not among the notes has them read again beside; whoever asks next has what they say.
        """
        if version not in self._known and time.monotonic() - self._read_at > REREAD_S:
            self._read_at = time.monotonic()
            threading.Thread(target=self._read_if_there, name="cupel-hub-commits", daemon=True).start()
        return self._known.get(version)

    def _read_if_there(self) -> None:
        with suppress(Exception):  # a trace goes without rather than to fail for it
            self.read()


def _pushed(entries: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, tuple[str, str]]]:
    for entry in entries:
        if entry["kind"] == "note" and '"commit"' in entry["data"]:
            data = json.loads(entry["data"])
            if isinstance(data.get("hub"), str) and data.get("version"):
                yield data["version"], (data["hub"], data["commit"])
