"""Which commit of LangSmith's prompt hub a version of a prompt is, as `cupel prompts push` noted it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from cupel.files import read_text


class HubCommits:
    """The notes of a project's ledger, read again where it has grown.

    Args:
        ledger: Its file; it need not be there.
    """

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._size = 0
        self._known: dict[str, tuple[str, str]] = {}

    def of(self, version: str) -> tuple[str, str] | None:
        """The hub's name of a prompt and the commit that is this version; None where it was never pushed."""
        with suppress(OSError, ValueError):
            size = self._ledger.stat().st_size
            if size != self._size:
                self._known, self._size = dict(_read(self._ledger)), size
        return self._known.get(version)


def _read(ledger: Path) -> list[tuple[str, tuple[str, str]]]:
    pushed = []
    for line in read_text(ledger).splitlines():
        if '"commit"' not in line:
            continue
        data = json.loads(line)["data"]
        if isinstance(data.get("hub"), str) and data.get("version"):
            pushed.append((data["version"], (data["hub"], data["commit"])))
    return pushed
