"""What a ledger's entries say together: how many looks were spent, what was seen, and which decisions hold.

Entries are a set: two clones' ledgers united say the same in whatever order their lines stand. What counts is counted
from the set, never kept in an entry, so that two first looks become a first and a second one where they meet.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cupel.improvement.gate import ALPHA, look_alpha

Kind = Literal["split", "version", "look", "decision", "promotion", "rollback", "note"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened to a task's prompt.

    Attributes:
        kind: What it records.
        task: The task.
        key: What makes it one of a kind; a second entry with it is not written.
        at: When it was written, ISO 8601 in UTC; entries are ordered by it.
        data: Everything else, as its kind asks.
    """

    kind: Kind
    task: str
    key: str
    at: str
    data: Mapping[str, Any]

    @property
    def id(self) -> str:
        """What it is known by: two entries of one id are one."""
        return digest([self.task, self.kind, self.key])

    @property
    def order(self) -> tuple[str, str]:
        """By time; by key where two clones wrote at the same moment."""
        return self.at, self.key


@dataclass(frozen=True, slots=True)
class Look:
    """A candidate's look at held-out documents.

    Attributes:
        number: Which look at this task's prompts it is, counted from 1, whatever documents they were at.
        alpha: The level it may spend.
        docs: Hashes of the documents looked at.
        key: Its entry's key.
    """

    number: int
    alpha: float
    docs: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class Book:
    """One task's entries, oldest first, and what was seen beside them.

    Attributes:
        entries: Of one task.
        shown: Hash of a document → when, and where, it was first shown beside a result of the task's prompt.
    """

    entries: tuple[Entry, ...] = ()
    shown: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Entry], shown: Mapping[str, tuple[str, str]] | None = None) -> Book:
        """Entries in order, each once: of two clones' entries with one key the earlier one stands."""
        first: dict[str, Entry] = {}
        for entry in sorted(entries, key=lambda entry: entry.order):
            first.setdefault(entry.id, entry)
        return cls(tuple(first.values()), dict(shown or {}))

    def kind(self, kind: Kind) -> list[Entry]:
        """Entries of a kind, oldest first."""
        return [entry for entry in self.entries if entry.kind == kind]

    @functools.cached_property
    def looks(self) -> tuple[Look, ...]:
        """Every look, oldest first; its number is its place among all of the task."""
        return tuple(
            Look(number, look_alpha(number, ALPHA), tuple(entry.data.get("docs", ())), entry.key)
            for number, entry in enumerate(self.kind("look"), 1)
        )

    def look(self, key: str) -> Look | None:
        """A look by its entry's key."""
        return next((look for look in self.looks if look.key == key), None)

    @property
    def next_alpha(self) -> float:
        """The level that the next look may spend."""
        return look_alpha(len(self.looks) + 1, ALPHA)

    def seen(self, *, before: str | None = None, without: Collection[str] = ()) -> dict[str, str]:
        """Hash → where it was seen, of every document that was shown or looked at.

        Args:
            before: Only what was seen before this time.
            without: Keys of looks that are passed over.
        """
        found = {name: how for name, (at, how) in self.shown.items() if before is None or at < before}
        for number, entry in enumerate(self.kind("look"), 1):
            if entry.key not in without and (before is None or entry.at < before):
                found |= dict.fromkeys(entry.data.get("docs", ()), f"gate, look {number}")
        return found

    @property
    def seen_ids(self) -> frozenset[str]:
        """Ids of documents that ledgers of before hashes name as learnt from or looked at."""
        looked = {
            e.data["held_out"] for e in self.kind("look") if "docs" not in e.data and "held_out" in e.data
        }
        old = [e.data for e in self.kind("split") if "dev_docs" not in e.data]
        learnt = [doc_id for data in old for doc_id in data.get("dev", ())]
        held = [
            doc_id for data in old if data.get("version") in looked for doc_id in data.get("held_out", ())
        ]
        return frozenset([*learnt, *held])

    def doubts(self, decision: Entry) -> list[str]:
        """Why a decision to promote does not stand among all that is known now; empty where it does.

        It may be overtaken by another clone's looks, spent before it, or by another clone's showing of its documents.
        """
        entry = next((e for e in self.kind("look") if e.key == decision.data.get("look_key")), None)
        look = self.look(entry.key) if entry is not None else None
        if entry is None or look is None:
            return ["it was made before the ledger knew what it rests on"]
        doubts = []
        if decision.data["p"] > look.alpha * (1 + 1e-9):
            doubts.append(
                f"p = {decision.data['p']:.3g}, and as look {look.number} of all clones it may spend {look.alpha:.3g}"
            )
        earlier = self.seen(before=entry.at, without=[entry.key, *entry.data.get("follows", ())])
        if known := [name for name in look.docs if name in earlier]:
            doubts.append(
                f"{len(known)} of its {len(look.docs)} documents had been seen before ({earlier[known[0]]})"
            )
        return doubts

    def moves(self, environment: str) -> list[Entry]:
        """Promotions and rollbacks of an environment, oldest first."""
        return [
            entry
            for entry in self.entries
            if entry.kind in {"promotion", "rollback"} and entry.data["environment"] == environment
        ]

    def lineage(self, version: str) -> list[str]:
        """A version and its parents, youngest first."""
        parents = {entry.data["version"]: entry.data.get("parent") for entry in self.kind("version")}
        line: list[str] = []
        current: str | None = version
        while current is not None and current not in line:
            line.append(current)
            current = parents.get(current)
        return line


def digest(value: Any) -> str:
    """Twenty hexadecimal digits of a value as JSON."""
    written = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:20]
