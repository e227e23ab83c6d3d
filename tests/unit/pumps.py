"""Texts that a pattern is slow on if it is slow on any: made from the pattern itself, by repeating what it may repeat."""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _constants as op, _parser as parser
from typing import Any

_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
_CATEGORIES = {
    op.CATEGORY_DIGIT: str.isdigit,
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
    op.CATEGORY_NOT_DIGIT: lambda char: not char.isdigit(),
    op.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    op.CATEGORY_NOT_WORD: lambda char: not (char.isalnum() or char == "_"),
}
_CHARS = "a1A -.\n,é\"'<字\x01"
_ANYWHERE = (
    *_CHARS, "a ", "a.", "1,", "aA ", "\n ", "a'", "a-", "- ", "a: ", "...", "\\", "{{", "[", "<document>", "\u200b",
    "\u0301", "²",
)  # fmt: skip
"""Repeated for every pattern: what people and models write over and over."""

_MANY = 20


def hostile_texts(pattern: str, flags: int, size: int) -> Iterator[str]:
    """Texts of about this many characters; each ends in something the pattern does not expect."""
    texts = {piece * (size // len(piece)) + "\x00" for piece in _ANYWHERE}
    if tree := _parsed(pattern, flags):
        pumps = [(before, pump) for before, pump in _pumps(tree) if pump]
        for before, pump in pumps:
            texts.add(before + pump * (size // len(pump)) + "\x00")
            texts.add((before + pump) * (size // len(before + pump)) + "\x00")
        for _, one in pumps:
            for _, other in pumps:
                texts.add((one + other) * (size // len(one + other)) + "\x00")
        whole = _sample(tree)
        texts |= {whole[:end] * (size // end) + "\x00" for end in range(1, min(len(whole), 40) + 1)}
    yield from texts


def _parsed(pattern: str, flags: int) -> Any:
    try:
        return parser.parse(pattern, flags)
    except re.error:  # one of the regex module, which knows more
        return None


def _pumps(tree: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """What may be repeated without end to speak of, and what stands before it."""
    for kind, value in tree:
        for inner in _inside(kind, value):
            if kind in _REPEATS and value[1] > _MANY:
                yield before, _sample(inner)
            yield from _pumps(inner, before)
        before += _sample([(kind, value)])


def _inside(kind: Any, value: Any) -> list[Any]:
    if kind in _REPEATS:
        return [value[2]]
    if kind is op.SUBPATTERN:
        return [value[3]]
    if kind is op.BRANCH:
        return list(value[1])
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return [value[1]]
    return [value] if kind is op.ATOMIC_GROUP else []


def _sample(tree: Any) -> str:
    """The shortest text it matches, or nearly."""
    return "".join(_sample_one(kind, value) for kind, value in tree)


def _sample_one(kind: Any, value: Any) -> str:
    if kind is op.LITERAL:
        return chr(value)
    if kind is op.ANY:
        return "a"
    if kind in (op.IN, op.NOT_LITERAL):
        members = value if kind is op.IN else [(op.NEGATE, None), (op.LITERAL, value)]
        return next((char for char in [*_CHARS, *_named(members)] if _is_in(char, members)), "a")
    if kind in _REPEATS:
        return _sample(value[2]) * value[0]
    inner = [] if kind in (op.ASSERT, op.ASSERT_NOT) else _inside(kind, value)
    return _sample(inner[0]) if inner else ""


def _named(members: Any) -> list[str]:
    first = {op.LITERAL: lambda value: value, op.RANGE: lambda value: value[0]}
    return [chr(first[kind](value)) for kind, value in members if kind in first]


def _is_in(char: str, members: Any) -> bool:
    negated = members[0][0] is op.NEGATE
    return negated != any(
        (kind is op.LITERAL and ord(char) == value)
        or (kind is op.RANGE and value[0] <= ord(char) <= value[1])
        or (kind is op.CATEGORY and _CATEGORIES[value](char))
        for kind, value in members
    )
