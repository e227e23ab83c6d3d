"""What a changed prompt may not be, whatever it scores: leaking, commanding, bloated, or torn from its contract."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cupel.improvement.edits import MAX_EDITS, DroppedEdit, Edit, apply_edits, read_edits
from cupel.task import Rule, TaskSpec, compact
from cupel.text import NgramIndex, forbidden, visible

LEAK_WORDS = 8
"""A rule that shares a run of this many words with any document repeats it."""

SLICE_WORDS = 5
MAX_SLICED_WORDS = 12
"""So many words of a rule in shared runs of five are a document in slices."""

LEAST_DOCUMENTS = 2
"""A rule made from a single document is about that document."""

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


def rules_budget(rules: Sequence[Rule], most: int, *, growth: float, tokens_per_document: float) -> int:
    """Tokens that all rules together may take: what they take now and what a document may grow by, `most` at most.

    Args:
        rules: The rules as they are.
        most: Whatever the growth allows.
        growth: Share by which a document's tokens may grow.
        tokens_per_document: What a document takes now; 0 where that is not known.
    """
    if tokens_per_document <= 0:
        return most
    now = sum(estimate_prompt_tokens(rule.text) for rule in rules)
    return max(now, min(most, now + int(growth * tokens_per_document)))


class LeakGuard:
    """Finds text of the documents in a rule.

    Args:
        documents: The texts of all documents, those held out first of all.
        doc_ids: Their ids, which no rule may name either.
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
        rules: The rules after the edits; None where there is no candidate.
        edits: The edits applied.
        dropped: The edits not applied, with reasons.
        reason: Why there is no candidate; empty where there is one.
    """

    rules: tuple[Rule, ...] | None
    edits: tuple[Edit, ...]
    dropped: tuple[DroppedEdit, ...]
    reason: str


def propose(
    reply: object,
    rules: Sequence[Rule],
    *,
    failures: Mapping[str, str],
    leaks: LeakGuard,
    token_budget: int,
    most_edits: int = MAX_EDITS,
) -> Proposal:
    """Read a rewriter's reply, drop every edit that may not be, apply the others.

    Args:
        reply: The rewriter's parsed reply; None where it gave none.
        rules: The rules as they are.
        failures: Failure id → id of the document it happened on: what the rewriter was shown.
        leaks: Knows the documents, those held out included.
        token_budget: Most tokens all rules together may cost.
        most_edits: Edits taken; more for what was gathered over several replies.
    """
    read = read_edits(reply, rules, most=most_edits)
    kept: list[Edit] = []
    dropped = list(read.dropped)
    for edit in read.edits:
        reason = edit_objection(edit, failures=failures, leaks=leaks)
        if reason is None:
            kept.append(edit)
        else:
            dropped.append(DroppedEdit(f"{edit.action} {edit.rule_id}: {edit.text}"[:200], reason))
    if not kept:
        reasons = dict.fromkeys(item.reason for item in dropped)
        return Proposal(None, (), tuple(dropped), f"no edit is left: {'; '.join(reasons)}")
    changed = apply_edits(rules, kept)
    tokens = sum(estimate_prompt_tokens(rule.text) for rule in changed)
    if tokens > token_budget:
        reason = f"the rules take {tokens} tokens, {token_budget} are allowed"
        return Proposal(None, (), tuple(dropped), reason)
    return Proposal(changed, tuple(kept), tuple(dropped), "")


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
        return f"answers failures of {len(cited)} document(s); a rule needs at least {LEAST_DOCUMENTS}"
    if order := forbidden(edit.text):
        return f"contains {order}"
    return leaks.leak(edit.text)


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
