"""Answers that were paid for while their database was away: kept in a file, and taken up when it is next opened."""

from __future__ import annotations

import itertools
import json
import logging
import os
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cupel.errors import CupelError
from cupel.files import make_folder, read_text, write_whole

if TYPE_CHECKING:
    from cupel.runlog.worker import Row

_numbers = itertools.count()
_log = logging.getLogger("cupel")


class Unsaved:
    """The files of one run log.

    Args:
        folder: Where they are; None where there is nowhere to keep them.
        name: The database's address, without a password: its answers are nobody else's.
    """

    def __init__(self, folder: Path | None, name: str) -> None:
        self._folder = folder
        self._stem = f"unsaved-{sha256(name.encode()).hexdigest()[:8]}"

    def keep(self, rows: Iterable[Row]) -> int:
        """Write rows of `responses` down; returns how many are safe."""
        lines = [json.dumps(row) for row in rows]
        if self._folder is None or not lines:
            return 0
        path = self._folder / f"{self._stem}-{os.getpid()}-{next(_numbers)}.jsonl"
        try:
            # whole or not at all: another process may take it up at this moment
            write_whole(make_folder(self._folder) / path.name, "\n".join(lines) + "\n")
        except OSError:
            return 0
        return len(lines)

    def take_up(self, save: Callable[[list[Row]], None]) -> int:
        """Give all that was kept to a function that commits it; then it is kept no longer."""
        taken = 0
        for path in sorted(self._folder.glob(f"{self._stem}-*.jsonl")) if self._folder else ():
            try:
                rows = [json.loads(line) for line in read_text(path).splitlines()]
            except OSError:
                continue  # another process has taken it up
            except ValueError as error:
                _log.warning("%s: kept answers that cannot be read (%s); they are left there", path, error)
                continue
            try:
                save(rows)
            except CupelError as error:
                _log.warning("%s: kept answers that could not be saved yet (%s)", path, error)
                continue
            path.unlink(missing_ok=True)
            taken += len(rows)
        return taken
