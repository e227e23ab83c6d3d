"""Which documents a prompt is tuned on and which are held out, by group, for good."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cupel.errors import NotEnoughDataError
from cupel.improvement.seen import document_hash
from cupel.runs import Document

HELD_OUT = 0.7
"""Share of documents held out: the gate needs 200 of them, tuning 60 to 100."""


TUNED_ON = 100
"""Documents that are enough to tune on: where so many were seen, no unseen one is taken for it."""


@dataclass(frozen=True, slots=True)
class Split:
    """Ids of the documents to tune on and to hold out.

    Attributes:
        dev: What rewriters may learn from, sorted.
        held_out: What only the gate sees, sorted: nobody saw any of it before.
        groups: Document id → the group it was split by.
        version: Twelve hexadecimal digits of what is held out.
        spent: What was seen before and is not tuned on either, sorted.
    """

    dev: tuple[str, ...]
    held_out: tuple[str, ...]
    groups: Mapping[str, str]
    version: str
    spent: tuple[str, ...] = ()


def split(
    documents: Iterable[Document],
    *,
    held_out: float = HELD_OUT,
    salt: str = "1",
    seen: Collection[str] = (),
    least_groups: int = 1,
) -> Split:
    """Split documents by group, so that no debate is on both sides, and by size, so that the sides are as large as asked.

    Groups go to tuning until that side is as near to its size as groups allow, those first that somebody saw, of the
    others those with the smaller hash; the rest is held out. A group is seen when one of its documents is: a prompt may have been made for
    that debate. What was seen and is not needed for tuning is left aside. Groups that share a text word for word are
    one group, or tuning would have seen what is held out.

    Args:
        documents: The documents.
        held_out: Share of documents to hold out, in (0, 1); less where fewer are unseen.
        salt: Another salt draws another split; what was seen stays seen.
        seen: Ids of documents that were seen.
        least_groups: Fewest groups with which the gate could pass at all; tuning leaves so many where it can.

    Raises:
        NotEnoughDataError: If there are not two groups of documents; it says how many there are.
    """
    groups = _unite_groups(documents)
    members: dict[str, list[str]] = {}
    for doc_id, group in groups.items():
        members.setdefault(group, []).append(doc_id)
    known = {groups[doc_id] for doc_id in seen if doc_id in groups}
    if len(members) < 2:
        raise NotEnoughDataError(
            f"{len(groups)} documents in {len(members)} group(s) leave one side of the split empty; "
            "add documents of other groups (debates, speakers), or name a finer group"
        )
    order = sorted(members, key=lambda group: (group not in known, group_hash(group, salt)))
    wanted = (1 - held_out) * len(groups)
    if known:  # what comes new is for the gate, once there is enough to tune on
        wanted = min(wanted, max(TUNED_ON, sum(len(members[group]) for group in known)))
    dev = _choose_dev(order, members, known, wanted, least_groups)
    sides: dict[str, list[str]] = {"dev": [], "held_out": [], "spent": []}
    for group in order:
        side = "dev" if group in dev else "spent" if group in known else "held_out"
        sides[side] += members[group]
    held = tuple(sorted(sides["held_out"]))
    return Split(
        tuple(sorted(sides["dev"])), held, groups, held_out_version(held), tuple(sorted(sides["spent"]))
    )


def _choose_dev(
    order: Sequence[str],
    members: Mapping[str, Sequence[str]],
    known: Collection[str],
    wanted: float,
    least_groups: int,
) -> set[str]:
    """Groups to tune on: of all choices one whose size is nearest to the wanted one, and at least one group.

    Of equally near choices one of groups that come early in the order.
    """
    seen, unseen = [g for g in order if g in known], [g for g in order if g not in known]
    dev: list[str] = []
    missing = wanted
    for group in seen:
        if abs(missing - len(members[group])) < abs(missing):
            dev.append(group)
            missing -= len(members[group])
    chosen = _nearest(unseen, members, missing) if missing > 0 else []
    spared = max(0, len(unseen) - least_groups)
    if len(chosen) > spared:  # fewer and larger groups, so that the gate has as many as it needs
        chosen = _nearest(sorted(unseen, key=lambda g: -len(members[g]))[:spared], members, missing)
        chosen = chosen[:spared]
    # groups that are all larger than the side: the smallest one, and of equal ones the first
    return {*dev, *chosen} or {min(order, key=lambda group: len(members[group]))}


def _nearest(order: Sequence[str], members: Mapping[str, Sequence[str]], wanted: float) -> list[str]:
    """Groups whose documents are together as near to a number as they can be, early ones rather than late ones."""
    # bit n of the k-th number: the first k groups can make n documents
    reached = [1]
    for group in order:
        reached.append(reached[-1] | reached[-1] << len(members[group]))
    most = reached[-1].bit_length() - 1
    sums = sorted(range(min(most, int(2 * wanted) + 1) + 1), key=lambda n: (abs(n - wanted), n))
    size = next(n for n in sums if reached[-1] >> n & 1)
    chosen = []
    for number in range(len(order), 0, -1):
        if not reached[number - 1] >> size & 1:
            chosen.append(order[number - 1])
            size -= len(members[order[number - 1]])
    return chosen


def held_out_version(doc_ids: Iterable[str]) -> str:
    """Twelve hexadecimal digits that stand for a set of held-out documents."""
    return hashlib.sha256("\x1f".join(sorted(doc_ids)).encode("utf-8", "surrogatepass")).hexdigest()[:12]


@functools.lru_cache(maxsize=4_096)
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
        content = document_hash(document.text)
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
