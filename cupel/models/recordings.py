"""Recorded answers: files of one JSON object a line, found by what was asked.

    {"key": …, "model": …, "date": …, "content": …, "request_digest": …, "usage": {…}}

The key is a hash of the messages and the schema as they are sent, not of the model's name: the same
question to another model would be another file. `request_digest` shows a reader what was asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cupel.errors import InputError
from cupel.files import SHARED, open_private, read_text
from cupel.task import wire_schema

_DEFAULT = Path("evals") / "recordings"
_folder: list[Path] = []


def set_recordings_folder(path: Path | str | None) -> None:
    """Where `recorded:NAME` finds `NAME.jsonl`; None for `evals/recordings` of the working directory."""
    _folder[:] = [] if path is None else [Path(path)]
    _open.clear()


def recordings_folder() -> Path:
    """Where `recorded:NAME` finds `NAME.jsonl`."""
    return _folder[0] if _folder else _DEFAULT


def request_key(messages: Sequence[Mapping[str, Any]], schema: dict[str, Any] | None) -> str:
    """The key of a request: a hash of roles, contents and the schema as it is sent.

    Args:
        messages: Dictionaries with `role` and `content`.
        schema: JSON Schema of the reply or None; `x-` keywords do not count.

    >>> request_key([{"role": "user", "content": "hello"}], None)[:8]
    '6e078604'
    """
    asked = [[each["role"], each["content"]] for each in messages]
    sent = {"messages": asked, "schema": None if schema is None else wire_schema(schema)}
    return hashlib.sha256(json.dumps(sent, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:32]


def request_digest(messages: Sequence[Mapping[str, Any]]) -> str:
    """What was asked, for a reader: the beginning of the last message, on one line."""
    return " ".join(str(messages[-1]["content"]).split())[:80] if messages else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recorded answer."""

    key: str
    model: str
    """What wrote the answer: the provenance of the recording."""

    content: str
    date: str = field(default_factory=lambda: datetime.now(tz=UTC).strftime("%Y-%m-%d"))
    finish_reason: str = "stop"
    request_digest: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    """`input_tokens` and `output_tokens`, where they were reported."""


class Recorder:
    """The answers in one file; `add` appends, an answer of the same key is never replaced."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._by_key: dict[str, Recording] = {}
        self._read_bytes = -1

    def get(self, key: str) -> Recording | None:
        """The answer, also one another process has appended since the last look; None for none."""
        with self._lock:
            if key not in self._by_key:
                self._read()
            return self._by_key.get(key)

    def add(self, recording: Recording) -> None:
        """Append an answer, on disk before this returns; a known key is left as it is."""
        with self._lock:
            self._read()
            if recording.key in self._by_key:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            row = {name: getattr(recording, name) for name in Recording.__dataclass_fields__}
            with open_private(self.path, "a", permissions=SHARED, encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
            self._by_key[recording.key] = recording

    def __len__(self) -> int:
        with self._lock:
            self._read()
            return len(self._by_key)

    def _read(self) -> None:
        size = self.path.stat().st_size if self.path.is_file() else 0
        if size == self._read_bytes:
            return
        text = read_text(self.path) if size else ""
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                recording = self._parse(line, number)
                self._by_key.setdefault(recording.key, recording)
        self._read_bytes = size

    def _parse(self, line: str, number: int) -> Recording:
        try:
            row = json.loads(line)
            fields = {name: row[name] for name in Recording.__dataclass_fields__ if name in row}
            return Recording(**fields)
        except (ValueError, TypeError) as error:
            raise InputError(f"{self.path}, line {number}: not a recorded answer ({error})") from None


_open: dict[Path, Recorder] = {}
"""One recorder for each file, so that a file is read once."""


def recorder(name: str) -> Recorder:
    """The recorder of `recorded:NAME`."""
    path = recordings_folder() / f"{name}.jsonl"
    return _open.setdefault(path, Recorder(path))
