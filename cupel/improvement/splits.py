"""Which documents a prompt is tuned on and which are held out, by group, for good."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cupel.errors import NotEnoughDataError
from cupel.runs import Document
from cupel.text import words

HELD_OUT = 0.7
"""Share of groups held out: the gate needs 200 documents, tuning 60 to 100."""


@dataclass(frozen=True, slots=True)
class Split:
    """Ids of the documents to tune on and to hold out.

    Attributes:
        dev: What rewriters may learn from, sorted.
        held_out: What only the gate sees, sorted.
        groups: Document id → the group it was split by.
        version: Twelve hexadecimal digits of what is held out: looks are counted by it.
    """

    dev: tuple[str, ...]
    held_out: tuple[str, ...]
    groups: Mapping[str, str]
    version: str


def split(documents: Iterable[Document], *, held_out: float = HELD_OUT, salt: str = "1") -> Split:
    """Split documents by a hash of their group, so that no debate is on both sides.

    Groups that share a text word for word are one group, or tuning would have seen what is held out. But for
    that, where a document lies does not depend on which others there are.

    Args:
        documents: The documents.
        held_out: Share of groups to hold out, in (0, 1).
        salt: Another salt draws another split, for a held-out side that was looked at too often.

    Raises:
        NotEnoughDataError: If one side would be empty; it says how many groups there are.
    """
    groups = _unite_groups(documents)
    out = {group: group_hash(group, salt) < held_out for group in set(groups.values())}
    sides = {
        side: tuple(sorted(d for d, group in groups.items() if out[group] == side)) for side in (False, True)
    }
    if not sides[False] or not sides[True]:
        raise NotEnoughDataError(
            f"{len(groups)} documents in {len(out)} group(s) leave one side of the split empty; "
            "add documents of other groups (debates, speakers), or name a finer group"
        )
    return Split(sides[False], sides[True], groups, held_out_version(sides[True]))


def held_out_version(doc_ids: Iterable[str]) -> str:
    """Twelve hexadecimal digits that stand for a set of held-out documents."""
    return hashlib.sha256("\x1f".join(sorted(doc_ids)).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def group_hash(group: str, salt: str) -> float:
    """Where a group falls in [0, 1), the same on every machine."""
    # a hash and no draw: documents of other groups that are added later move none of these to the other side
    digest = hashlib.sha256(f"{salt}\x1f{group}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _unite_groups(documents: Iterable[Document]) -> dict[str, str]:
    """Document id → group, groups with a text in common taken together under the name that sorts first."""
    parent: dict[str, str] = {}
    first_with: dict[str, str] = {}
    groups: dict[str, str] = {}
    for document in documents:
        groups[document.doc_id] = document.group
        parent.setdefault(document.group, document.group)
        content = hashlib.sha256(" ".join(words(document.text)).encode("utf-8", "surrogatepass")).hexdigest()
        # union-find: the smaller name becomes the root, so the united group's name, and with it its side of the split,
        # does not hang on the order of the documents
        twin = _root(parent, first_with.setdefault(content, document.group))
        own = _root(parent, document.group)
        parent[max(twin, own)] = min(twin, own)
    return {doc_id: _root(parent, group) for doc_id, group in groups.items()}


def _root(parent: Mapping[str, str], group: str) -> str:
    while parent[group] != group:
        group = parent[group]
    return group
