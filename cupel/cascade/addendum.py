"""The addendum for one document: what a refiner model may add to a prompt, checked by code.

The refiner has read a document nobody vouches for, so its instructions could carry the document's text,
its orders, or an answer. Each is kept only if it answers a failed criterion and brings in nothing new.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cupel.task import object_schema
from cupel.text import NgramIndex, forbidden, visible, words

MAX_INSTRUCTIONS = 5
MAX_WORDS = 60
"""Longest instruction, in words."""
MAX_QUOTE_WORDS = 12
MAX_QUOTED_WORDS = 24
"""Most words of the document in one instruction, all its quotes together."""
OVERLAP_WORDS = 6
"""A run of this many words shared with the document, outside a verified quote, is text of the document."""

_QUOTED = re.compile(
    r'"([^"]+)"|“([^“”]+)”|„([^„“”]+)[“”]|«([^«»]+)»|‘([^‘’]+)’(?!\w)|(?<!\w)\'([^\']+)\'(?!\w)'
)
_NUMBERING = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+")
_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_SENTENCE_END = re.compile(r"[.!?:;]\s*+(?:[\"'”’)]++\s*+)?$|^\s*+$")
_TOKEN = re.compile(r"[^\W\d_][\w'’-]*")
_BEFORE = 6
"""Characters looked at to see whether a sentence ends before a word."""
_OPENING = "\"'“‘«„( "
_EMPHASIS = frozenset({"all", "always", "and", "any", "both", "do", "each", "every", "must", "never", "no"})
_EMPHASIS |= {"not", "only", "or"}


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction for the extracting model, and the failed criterion it answers."""

    criterion: str
    text: str


@dataclass(frozen=True, slots=True)
class DroppedInstruction(Instruction):
    """An instruction which was not kept, as the refiner wrote it, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class CheckedAddendum:
    """What is left of the refiner's reply: at most five instructions, in its order."""

    kept: tuple[Instruction, ...]
    dropped: tuple[DroppedInstruction, ...]


def addendum_schema(failed: Collection[str]) -> dict[str, Any]:
    """Return the strict JSON Schema of a refiner's reply.

    Args:
        failed: Ids of the failed criteria and code checks; no instruction may name another.
    """
    item = object_schema(
        {"criterion": {"type": "string", "enum": sorted(failed)}, "instruction": {"type": "string"}}
    )
    return object_schema({"instructions": {"type": "array", "items": item}})


def check_addendum(
    instructions: Sequence[Mapping[str, Any]],
    *,
    failed: Collection[str],
    document: str,
    allowed_text: str,
) -> CheckedAddendum:
    """Keep the instructions a prompt may carry and say why each other one was dropped.

    A reply of any other shape keeps nothing and is reported, never raised.

    Args:
        instructions: What the refiner returned: `{"criterion": id, "instruction": text}` each.
        failed: Ids of the criteria and code checks that failed on this record.
        document: The document's text.
        allowed_text: Prompt, criteria and critique together: numbers and names found here are not new.

    Returns:
        At most five kept instructions, in order, and every dropped one with its reason.
    """
    rules = _Rules(failed=failed, document=document, allowed_text=allowed_text)
    kept: list[Instruction] = []
    dropped: list[DroppedInstruction] = []
    for item in instructions if isinstance(instructions, list | tuple) else [instructions]:
        criterion, text = _read(item)
        reason = rules.objection(criterion, text, kept)
        if reason is None:
            kept.append(Instruction(criterion, text))
        else:
            dropped.append(DroppedInstruction(criterion, text, reason))
    return CheckedAddendum(tuple(kept), tuple(dropped))


def _read(item: object) -> tuple[str, str]:
    """Take criterion and text from one item of the reply; an unreadable item has no text."""
    if not isinstance(item, Mapping):
        return "", "" if item is None else str(item)[:200]
    criterion, text = item.get("criterion"), item.get("instruction")
    cleaned = _NUMBERING.sub("", visible(text)) if isinstance(text, str) else ""
    return criterion if isinstance(criterion, str) else "", " ".join(cleaned.split())


class _Rules:
    """The objections to an instruction, in the order they are raised."""

    def __init__(self, *, failed: Collection[str], document: str, allowed_text: str) -> None:
        self.failed = failed
        self.document = " ".join(visible(document).split())
        self.document_runs = NgramIndex([document], size=OVERLAP_WORDS)
        self.allowed = set(words(allowed_text))
        self.allowed_numbers = set(_NUMBER.findall(visible(allowed_text)))
        self.document_names = _inner_names(self.document)
        self.document_words = set(re.findall(r"\w+", self.document))

    def objection(self, criterion: str, text: str, kept: Sequence[Instruction]) -> str | None:
        return (
            self._form(criterion, text, kept)
            or _prefix("contains ", forbidden(text))
            or self._document_text(text)
            or self._new_fact(text)
        )

    def _form(self, criterion: str, text: str, kept: Sequence[Instruction]) -> str | None:
        if not text:
            return "not an instruction: no text"
        if criterion not in self.failed:
            return f"answers no failed criterion: {criterion!r} is not among {sorted(self.failed)}"
        if len(kept) >= MAX_INSTRUCTIONS:
            return f"one more than {MAX_INSTRUCTIONS} instructions"
        if len(words(text)) > MAX_WORDS:
            return f"longer than {MAX_WORDS} words"
        if any(words(text) == words(other.text) for other in kept):
            return "said already"
        return None

    def _document_text(self, text: str) -> str | None:
        verified = self._verified_quotes(text)
        if sum(len(words(text[slice(*span)])) for span in verified) > MAX_QUOTED_WORDS:
            return f"quotes more than {MAX_QUOTED_WORDS} words of the document"
        return _prefix("repeats the document: ", self.document_runs.find_shared(_without(text, verified)))

    def _verified_quotes(self, text: str) -> list[tuple[int, int]]:
        """Return where `text` quotes the document word for word and shortly."""
        spans = [m.span(m.lastindex) for m in _QUOTED.finditer(text) if m.lastindex]
        return [(a, b) for a, b in spans if self._is_short_quote(text[a:b].strip())]

    def _is_short_quote(self, quote: str) -> bool:
        return 0 < len(words(quote)) <= MAX_QUOTE_WORDS and quote in self.document

    def _new_fact(self, text: str) -> str | None:
        own = _without(text, self._verified_quotes(text))
        for number in _NUMBER.findall(own):
            if number not in self.allowed_numbers:
                return f"brings in a number: {number!r}"
        for name in _inner_names(own) + self._leading_names(own):
            if not set(words(name)) <= self.allowed | _EMPHASIS:
                return f"brings in a name: {name!r}"
        return None

    def _leading_names(self, text: str) -> list[str]:
        """Return words that open a sentence and which the document uses only as names."""
        names = set(self.document_names)
        return [
            token.group()
            for token in _TOKEN.finditer(text)
            if token.group() in names and token.group().lower() not in self.document_words
        ]


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Replace the spans by a mark, so that no run of words joins across a removed quote."""
    for start, end in reversed(spans):
        text = f"{text[:start]} ¶ quote ¶ {text[end:]}"
    return text


def _inner_names(text: str) -> list[str]:
    """Return capitalised words that do not merely open a sentence or a quotation."""
    return [
        token.group()
        for token in _TOKEN.finditer(text)
        if token.group()[0].isupper()
        and token.group() != "I"
        and not _SENTENCE_END.search(text[max(0, token.start() - _BEFORE) : token.start()].rstrip(_OPENING))
    ]


def _prefix(prefix: str, objection: str | None) -> str | None:
    return None if objection is None else prefix + objection
