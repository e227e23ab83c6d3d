"""What was ever tried on a task's prompt: an append-only file of versions, looks, decisions and promotions.

One JSON object per line. Nothing is changed or taken out, but for remarks that quote a document somebody asked to be
forgotten; an entry with a known key is not written again, so
a run killed at any instant and started anew leaves the same ledger. A last line cut off by a kill was never
acknowledged: readers pass over it, the next writer removes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal

from cupel.errors import RunBusyError, RunLogError, UsageError
from cupel.files import make_folder, open_private, read_text, write_whole
from cupel.improvement.gate import ALPHA, look_alpha
from cupel.runlog import FORGOTTEN
from cupel.text import find_traces

if sys.platform == "win32":  # pragma: no cover - the same promise by other means
    import msvcrt
else:
    import fcntl

Kind = Literal["split", "version", "look", "decision", "promotion", "rollback", "note"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger.

    Attributes:
        kind: What it records.
        task: The task.
        key: What makes it one of a kind; a second entry with it is not written.
        at: When it was written, ISO 8601 in UTC.
        data: Everything else, as its kind asks.
    """

    kind: Kind
    task: str
    key: str
    at: str
    data: Mapping[str, Any]

    def line(self) -> str:
        """Return the entry as it stands in the file, without the line's end."""
        row = {"kind": self.kind, "task": self.task, "key": self.key, "at": self.at, "data": self.data}
        return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Look:
    """A candidate's look at a held-out version: its number, counted from 1, and the level it may spend."""

    number: int
    alpha: float


class Ledger:
    """The ledger in one file, shared by any number of processes.

    Args:
        path: The file; it and its folder are made with the first entry.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self, *, task: str | None = None, kind: Kind | None = None) -> list[Entry]:
        """Return the entries, oldest first.

        Raises:
            RunLogError: For a line that is no entry, naming it; only the last one may be torn.
        """
        entries = [self._read(line, number) for number, line in enumerate(_whole_lines(self._bytes()), 1)]
        return [e for e in entries if (task is None or e.task == task) and (kind is None or e.kind == kind)]

    def append(self, kind: Kind, *, task: str, key: str, at: str, data: Mapping[str, Any]) -> Entry:
        """Write an entry and bring it to the disk; where its key is known, return the one that stands.

        Raises:
            RunLogError: If the file cannot be written, or is none of ours.
        """
        with self._writing():
            return self._known(kind, task, key) or self._write(Entry(kind, task, key, at, data))

    def look(self, *, task: str, held_out: str, version: str, at: str, alpha: float = ALPHA) -> Look:
        """Spend a look at a held-out version on a candidate, before anything of it is seen.

        The same candidate looking again (after a kill, or to be shown) spends nothing more.

        Args:
            task: The task.
            held_out: The held-out version, from `Split.version`.
            version: The candidate.
            at: Now, ISO 8601 in UTC.
            alpha: Chance of a false promotion over all looks.
        """
        with self._writing():
            key = f"{held_out}:{version}"
            entry = self._known("look", task, key)
            if entry is None:
                looked = self.entries(task=task, kind="look")
                number = 1 + sum(item.data["held_out"] == held_out for item in looked)
                level = look_alpha(number, alpha)
                data = {"held_out": held_out, "version": version, "look": number, "alpha": level}
                entry = self._write(Entry("look", task, key, at, data))
        return Look(entry.data["look"], entry.data["alpha"])

    def looks(self, task: str, held_out: str) -> int:
        """Count the looks spent on a held-out version."""
        return sum(entry.data["held_out"] == held_out for entry in self.entries(task=task, kind="look"))

    def promote(
        self, version: str, *, task: str, approver: str, at: str, environment: str = "local"
    ) -> Entry:
        """Point a task's environment at a version.

        The entry of kind `decision` that allows it holds `version`, `decision` and `against`, the version the
        candidate was compared with.

        Raises:
            UsageError: If no gate decided to promote that version, or it was compared with a version that is
                not the active one any more.
        """
        active = self.active(task, environment)
        if active != version:
            self._check_decision(version, task, active)
        return self._point("promotion", version, task=task, approver=approver, at=at, environment=environment)

    def _check_decision(self, version: str, task: str, active: str | None) -> None:
        decisions = [
            e.data for e in self.entries(task=task, kind="decision") if e.data.get("version") == version
        ]
        passed = [data.get("against") for data in decisions if data.get("decision") == "promote"]
        if not passed:
            said = f"the last was {decisions[-1].get('decision')!r}" if decisions else "there was none"
            raise UsageError(f"version {version} of {task!r} has no gate's decision to promote it ({said})")
        if active is not None and active not in passed:
            raise UsageError(
                f"version {version} of {task!r} was compared with {passed[-1]}, but {active} is active now; "
                "let it pass the gate again"
            )

    def rollback(
        self, version: str, *, task: str, approver: str, at: str, environment: str = "local"
    ) -> Entry:
        """Point a task's environment back at a version it was at, or started from.

        Raises:
            UsageError: If it never was; the message names those it was at.
        """
        been = self.history(task, environment)
        if version not in been:
            raise UsageError(
                f"{task!r} was never at version {version}; it was at {', '.join(been) or 'none'}"
            )
        return self._point("rollback", version, task=task, approver=approver, at=at, environment=environment)

    def active(self, task: str, environment: str = "local") -> str | None:
        """Return the version an environment points at; None before the first promotion."""
        moves = self._moves(task, environment)
        return str(moves[-1].data["version"]) if moves else None

    def history(self, task: str, environment: str = "local") -> list[str]:
        """Return every version an environment was at, oldest first, each once; first what it started from."""
        moves = self._moves(task, environment)
        been = [str(v) for move in moves for v in (move.data["from"], move.data["version"]) if v]
        return list(dict.fromkeys(been))

    def lineage(self, task: str, version: str) -> list[str]:
        """Return a version and its parents, youngest first."""
        parents = {e.data["version"]: e.data.get("parent") for e in self.entries(task=task, kind="version")}
        line: list[str] = []
        current: str | None = version
        while current is not None and current not in line:
            line.append(current)
            current = parents.get(current)
        return line

    def forget(self, texts: Sequence[str]) -> int:
        """Empty what was said beside prompts where it quotes one of these texts; returns in how many entries.

        A prompt's own words stay, since its version is their hash: where they quote a text, the file still does.

        Args:
            texts: What is to be forgotten.

        Raises:
            RunLogError: If the file cannot be written, or is none of ours.
        """
        with self._writing():
            entries = self.entries()
            quoting = find_traces(texts, {n: entry.line() for n, entry in enumerate(entries)})
            emptied = [
                replace(entry, data=_emptied(entry.data, texts)) if n in quoting else entry
                for n, entry in enumerate(entries)
            ]
            changed = sum(old.data != new.data for old, new in zip(entries, emptied, strict=True))
            if changed:
                write_whole(self.path, "".join(entry.line() + "\n" for entry in emptied))
        return changed

    @contextlib.contextmanager
    def session(self, task: str, *, wait_s: float = 0.0) -> Iterator[None]:
        """Hold a task for improving it; another process that wants it is refused, or waits.

        Args:
            task: The task.
            wait_s: How long to wait for another process to finish.

        Raises:
            RunLogError: If another process holds it, naming its process id.
        """
        with _hold(self.path.with_name(f"{self.path.name}.{task}.lock"), f"task {task!r}", wait_s=wait_s):
            yield

    def _point(
        self, kind: Kind, version: str, *, task: str, approver: str, at: str, environment: str
    ) -> Entry:
        with self._writing():
            moves = self._moves(task, environment)
            if moves and moves[-1].data["version"] == version:
                return moves[-1]
            origin, key = self._origin(moves, task, version), f"{environment}:{len(moves) + 1}"
            data = {"version": version, "from": origin, "environment": environment, "approver": approver}
            return self._write(Entry(kind, task, key, at, data))

    def _origin(self, moves: list[Entry], task: str, version: str) -> str | None:
        """The version pointed away from: the last one, or the promoted version's parent."""
        if moves:
            return str(moves[-1].data["version"])
        return next(iter(self.lineage(task, version)[1:]), None)

    def _moves(self, task: str, environment: str) -> list[Entry]:
        moves = (e for e in self.entries(task=task) if e.kind in {"promotion", "rollback"})
        return [move for move in moves if move.data["environment"] == environment]

    def _known(self, kind: Kind, task: str, key: str) -> Entry | None:
        return next((entry for entry in self.entries(task=task, kind=kind) if entry.key == key), None)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with _hold(self.path.with_name(f"{self.path.name}.lock"), "the ledger", wait_s=30):
            yield

    def _write(self, entry: Entry) -> Entry:
        """Append one line, after removing what a kill left of another; callers hold the lock."""
        line = (entry.line() + "\n").encode()
        with open_private(self.path, "ab") as file:
            whole = sum(len(kept) + 1 for kept in _whole_lines(self._bytes()))
            if file.tell() != whole:
                file.truncate(whole)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        return entry

    def _bytes(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise RunLogError(f"{self.path}: cannot be read ({error.strerror})") from error

    def _read(self, line: bytes, number: int) -> Entry:
        try:
            row = json.loads(line)
            return Entry(row["kind"], row["task"], row["key"], row["at"], row["data"])
        except (ValueError, KeyError, TypeError) as error:
            raise RunLogError(
                f"{self.path}:{number}: not a ledger entry ({error}); restore the file, lines are never edited"
            ) from error


def ledger_of(state: Path) -> Ledger:
    """The ledger in a project's state folder."""
    return Ledger(state / "refinement" / "ledger.jsonl")


_PROMPTS = frozenset({"extract", "judge", "refine", "text"})
"""Under these keys stands what versions are hashes of."""


def _emptied(value: Any, texts: Sequence[str]) -> Any:
    """Plain JSON without the remarks that quote one of the texts."""
    match value:
        case Mapping():
            return {k: v if k in _PROMPTS else _emptied(v, texts) for k, v in value.items()}
        case list():
            return [_emptied(each, texts) for each in value]
        case str() if find_traces(texts, {0: value}):
            return FORGOTTEN
    return value


def _whole_lines(content: bytes) -> list[bytes]:
    """Lines that were written to their end."""
    return content.split(b"\n")[:-1]


@contextlib.contextmanager
def _hold(path: Path, what: str, *, wait_s: float) -> Iterator[None]:
    """Hold a lock that the operating system drops when its holder dies; the file stays, with the holder's id."""
    make_folder(path.parent)
    with open_private(path, "a+", encoding="utf-8") as file:
        deadline = time.monotonic() + wait_s
        while not _lock(file, hold=True):
            if time.monotonic() >= deadline:
                holder = read_text(path).strip() or "unknown"
                raise RunBusyError(f"{what} is being worked on by another process (id {holder}); wait for it")
            time.sleep(0.05)
        try:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
        finally:
            _lock(file, hold=False)


def _lock(file: IO[str], *, hold: bool) -> bool:
    """Take the lock, or give it back; False where another process has it."""
    try:
        if sys.platform == "win32":  # pragma: no cover
            file.seek(1 << 30)  # a byte far beyond the process id, which others must be able to read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK if hold else msvcrt.LK_UNLCK, 1)
            file.seek(0)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB if hold else fcntl.LOCK_UN)
    except OSError:
        return False
    return True
