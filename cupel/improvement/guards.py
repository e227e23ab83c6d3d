"""What a changed prompt may not be, whatever it scores: leaking, commanding, bloated, or torn from its contract."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cupel.errors import TaskError
from cupel.improvement.edits import MAX_EDITS, DroppedEdit, Edit, Part, apply_edits, read_edits, texts_of
from cupel.task import TaskSpec, compact, with_files
from cupel.text import NgramIndex, forbidden, visible

LEAK_WORDS = 8
"""What shares a run of this many words with any document repeats it."""

SLICE_WORDS = 5
MAX_SLICED_WORDS = 12
"""So many words in shared runs of five are a document in slices."""

LEAST_DOCUMENTS = 2
"""What is made from a single document is about that document."""

_TAG = re.compile(r"\{\{[#^/]?\s*[\w-]+\s*\}\}")


def estimate_prompt_tokens(text: str) -> int:
    """Tokens of a text by its length, four characters each: near enough for a budget.

    >>> estimate_prompt_tokens("Copy every quote exactly.")
    7
    """
    return math.ceil(len(text) / 4)


MAX_TOKEN_GROWTH = 0.2
"""Share by which a document's tokens may grow, where an example takes no more."""


def example_growth(task: TaskSpec, tokens_per_document: float) -> float:
    """Share by which a document's tokens may grow unless told otherwise: a fifth, or what one example more takes.

    Args:
        task: Its examples say how long one is.
        tokens_per_document: What a document takes now; 0 where that is not known.
    """
    sizes = [estimate_prompt_tokens(example.text + compact(example.record)) for example in task.examples]
    if not sizes or tokens_per_document <= 0:
        return MAX_TOKEN_GROWTH
    return max(MAX_TOKEN_GROWTH, max(sizes) / tokens_per_document)


@dataclass(frozen=True, slots=True)
class TokenRoom:
    """How many tokens a prompt's parts may take after an edit.

    Attributes:
        rules: All rules together.
        whole: Rules, label definitions and examples together.
    """

    rules: int
    whole: int


def tokens_of_parts(task: TaskSpec) -> TokenRoom:
    """Tokens that a prompt's parts take now."""
    rules = sum(estimate_prompt_tokens(rule.text) for rule in task.rules)
    labels = sum(estimate_prompt_tokens(text) for _, text in texts_of(task, "label"))
    examples = sum(estimate_prompt_tokens(each.text + compact(each.record)) for each in task.examples)
    return TokenRoom(rules, rules + labels + examples)


def room_of(task: TaskSpec, most_rules: int, *, growth: float, tokens_per_document: float) -> TokenRoom:
    """Tokens that a prompt's parts may take: what they take now and what a document may grow by.

    Args:
        task: The prompt as it is.
        most_rules: Most that the rules may take, whatever the growth allows.
        growth: Share by which a document's tokens may grow.
        tokens_per_document: What a document takes now; 0 where that is not known: then as much more as rules may take.
    """
    now = tokens_of_parts(task)
    more = int(growth * tokens_per_document) if tokens_per_document > 0 else most_rules
    return TokenRoom(max(now.rules, min(most_rules, now.rules + more)), now.whole + more)


class LeakGuard:
    """Finds text of the documents in what is to be said in a prompt.

    Args:
        documents: The texts of all documents, those held out first of all.
        doc_ids: Their ids, which it may not name either.
    """

    def __init__(self, documents: Iterable[str], doc_ids: Iterable[str] = ()) -> None:
        texts = list(documents)
        # one long run is a copied passage; many short ones are the same passage cut up to pass the first check
        self._runs = NgramIndex(texts, size=LEAK_WORDS)
        self._slices = NgramIndex(texts, size=SLICE_WORDS)
        self._ids = frozenset(doc_ids)

    def leak(self, text: str) -> str | None:
        """Say what of the documents `text` repeats, or None."""
        if run := self._runs.find_shared(text):
            return f"repeats a document: {run!r}"
        if (covered := self._slices.count_covered(text)) >= MAX_SLICED_WORDS:
            return f"repeats documents in slices: {covered} words in shared runs of {SLICE_WORDS}"
        named = next((word for word in re.findall(r"[\w.:-]+", text) if word.strip(".:-") in self._ids), None)
        return f"names a document: {named!r}" if named else None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is left of a rewriter's reply.

    Attributes:
        task: The prompt after the edits; None where there is no candidate.
        edits: The edits applied.
        dropped: The edits not applied, with reasons.
        reason: Why there is no candidate; empty where there is one.
    """

    task: TaskSpec | None
    edits: tuple[Edit, ...]
    dropped: tuple[DroppedEdit, ...]
    reason: str


def propose(
    reply: object,
    task: TaskSpec,
    *,
    failures: Mapping[str, str],
    leaks: LeakGuard,
    room: TokenRoom,
    most_edits: int = MAX_EDITS,
    locked: Mapping[Part, str] | None = None,
) -> Proposal:
    """Read a rewriter's reply, drop every edit that may not be, apply the others.

    Args:
        reply: The rewriter's parsed reply; None where it gave none.
        task: The prompt as it is.
        failures: Failure id → id of the document it happened on: what the rewriter was shown.
        leaks: Knows the documents, those held out included.
        room: Most tokens the prompt's parts may cost.
        most_edits: Edits taken; more for what was gathered over several replies.
        locked: Parts that may not be edited, each with the reason.
    """
    read = read_edits(reply, task, most=most_edits, locked=locked)
    kept: list[Edit] = []
    dropped, changed = list(read.dropped), task
    for edit in read.edits:
        reason = edit_objection(edit, failures=failures, leaks=leaks) or _misfit(changed, edit)
        if reason is None:
            kept.append(edit)
            changed = apply_edits(changed, [edit])
        else:
            dropped.append(DroppedEdit(f"{edit.action} {edit.name}: {edit.text}"[:200], reason))
    if not kept:
        reasons = dict.fromkeys(item.reason for item in dropped)
        return Proposal(None, (), tuple(dropped), f"no edit is left: {'; '.join(reasons)}")
    if reason := _bloat(tokens_of_parts(changed), room):
        return Proposal(None, (), tuple(dropped), reason)
    return Proposal(changed, tuple(kept), tuple(dropped), "")


def _misfit(task: TaskSpec, edit: Edit) -> str | None:
    """What whoever reads a task's folder would say of an edit: a label no record can hold, a quote that is not in its text."""
    if edit.part == "rule":
        return None
    try:
        with_files(apply_edits(task, [edit]), {}, Path(task.name))
    except TaskError as error:
        return str(error)
    return None


def _bloat(tokens: TokenRoom, room: TokenRoom) -> str:
    if tokens.rules > room.rules:
        return f"the rules take {tokens.rules} tokens, {room.rules} are allowed"
    if tokens.whole > room.whole:
        return f"rules, labels and examples take {tokens.whole} tokens, {room.whole} are allowed"
    return ""


def edit_objection(edit: Edit, *, failures: Mapping[str, str], leaks: LeakGuard) -> str | None:
    """Say why an edit may not be applied, or None when it may.

    Args:
        edit: The edit.
        failures: Failure id → id of its document.
        leaks: Knows the documents.
    """
    unknown = [name for name in edit.failures if name not in failures]
    if unknown:
        return f"answers failures it was not shown: {unknown}"
    if edit.action == "delete":
        return None
    # counted in documents: two failures of one document may both come from what it says, orders to us included
    cited = {failures[name] for name in edit.failures}
    if len(cited) < LEAST_DOCUMENTS:
        return f"answers failures of {len(cited)} document(s); an edit needs at least {LEAST_DOCUMENTS}"
    return words_objection([edit.text, *texts_in(edit.record)], leaks)


def words_objection(texts: Iterable[str], leaks: LeakGuard) -> str | None:
    """Say why words may not enter a prompt, or None when they may: they give orders, or repeat a document."""
    for text in texts:
        if order := forbidden(text):
            return f"contains {order}"
        if leak := leaks.leak(text):
            return leak
    return None


def texts_in(value: object) -> Iterator[str]:
    """Every text of a JSON value, however deep.

    >>> list(texts_in({"a": [{"b": "one"}, 2], "c": "two"}))
    ['one', 'two']
    """
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for each in inner:
        yield from texts_in(each)


def prompt_objection(before: str, after: str) -> str | None:
    """Say why a prompt edited by hand may not even be tested, or None when it may.

    Its contract must hold: every placeholder it had, once per place, and none that no one fills.

    >>> prompt_objection("Read {{document}} by {{rules}}", "Read it by {{rules}}")
    'lost a placeholder: {{document}}'
    """
    if not after.strip():
        return "the prompt is empty"
    # counted, not only named: a placeholder that stands twice where it stood once sends its text twice
    had, has = (sorted(re.sub(r"\s", "", tag) for tag in _TAG.findall(text)) for text in (before, after))
    if lost := [tag for tag in dict.fromkeys(had) if had.count(tag) > has.count(tag)]:
        return f"lost a placeholder: {', '.join(lost)}"
    if new := [tag for tag in dict.fromkeys(has) if has.count(tag) > had.count(tag)]:
        return f"has a placeholder the task does not fill there: {', '.join(new)}"
    return "the text is unchanged" if visible(before).split() == visible(after).split() else None
