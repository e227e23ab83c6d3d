r"""The record in a model's reply, wherever it stands; nothing is invented, and nothing cut off is taken.

Models say more than they are asked: thoughts, prose with braces in it, a fence, the record twice, a note. Read is the
JSON value that fits the schema and starts outside any other one. Two different ones that fit are a problem, not a choice.

Strings may hold raw line breaks and tabs, and backslashes that were not doubled (`\alpha`, `C:\Users`). All else is
JSON or a problem that names its place: a key with two values, NaN, a number no float can hold, half an emoji, NUL.
Reading takes time linear in the reply's length, whatever it holds: every step goes on from where the last one ended.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from string import punctuation
from typing import Any

from cupel.state import Record

SAFE_DEPTH = 500
"""Levels that Python's own reader of JSON is given at most."""

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)

MAX_DEPTH = 100
"""Levels of nesting; a record has a handful, and what reads it later may recurse."""

MAX_DIGITS = 300
"""Digits of a number: as many as a float has before it overflows."""

MAX_VALUES = 1_000
"""JSON values outside each other that are looked at."""

MAX_CHARS = 2_000_000
"""Of a reply: hundreds of times what the longest record takes, and read within a second."""

_THOUGHTS = r"think|thinking|thought|thoughts|reasoning|analysis|reflection|scratchpad|seed:think"
_THOUGHT = re.compile(
    rf"(?P<open><(?:{_THOUGHTS})(?:\s[^<>]{{0,80}})?>|\[THINK\]|◁think▷|<\|channel\|>analysis<\|message\|>"
    r"|<\|START_THINKING\|>|<\|begin_of_thought\|>)"
    rf"|(?P<close></(?:{_THOUGHTS})\s{{0,9}}>|\[/THINK\]|◁/think▷|<\|end\|>|<\|END_THINKING\|>|<\|end_of_thought\|>)",
    re.IGNORECASE,
)
_START = re.compile(r'\{(?=[ \t\r\n]*["}])|\[(?=[ \t\r\n]*(?:\[|\{[ \t\r\n]*["}]))')
"""A brace or bracket that may begin a value; the {x} of a template and the [1] of a note go by."""

_BLANK = re.compile(r"[ \t\r\n]*")
_BLANKS = frozenset(" \t\r\n")
_BRACKET = re.compile(r'["{}\[\]]')
_PLAIN = re.compile(r'[^"\\]*')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_UNREADABLE = re.compile("[\x00\ud800-\udfff\ufffd]")
"""NUL, half characters, and what stands for either where bytes were read or stored."""

_UNREADABLE_NAMES = {"\x00": "a NUL", "\ufffd": "�, which stands for a character that was lost"}
_PAIR = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPED_UNREADABLE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000|[fF]{3}[dD])")
_CONTROL_ESCAPE = re.compile(r"\\[bf]|\\[tr][A-Za-z]")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_CONSTANTS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply holds: a record, or why there is none to be had from it."""

    record: Record | None
    problem: str | None


class _BrokenError(ValueError):
    """What stands here is no JSON value.

    Attributes:
        at: Where reading stopped.
        begun: A value was begun that deserves the name: what stands inside it is part of it, and no record.
        ended: The reply ended inside the value.
        final: The value is whole, but says something no record may.
    """

    def __init__(
        self, reason: str, at: int, *, begun: bool = False, ended: bool = False, final: bool = False
    ) -> None:
        super().__init__(reason)
        self.at, self.begun, self.ended, self.final = at, begun, ended, final


def read_record(text: str, problem_of: Callable[[Any], str | None], *, document: str = "") -> Reading:
    r"""The record in a reply.

    Args:
        text: What the model said, whole; of a reply that was cut off nothing may be taken, so do not ask.
        problem_of: What is wrong with a value by the schema, in words; None where it fits.
        document: The document, to tell a backslash that was meant from one that escapes.

    >>> read_record('<think>{"a": 0}?</think>Here: ```json\n{"a": 1}\n``` as {told}', lambda value: None)
    Reading(record={'a': 1}, problem=None)
    >>> read_record('{"a": 1} or {"a": 2}', lambda value: None).problem
    'the reply holds 2 different records; give one'
    """
    if not text.strip():
        return Reading(None, "the reply is empty")
    if len(text) > MAX_CHARS:
        return Reading(
            None, f"the reply has {len(text):,} characters, more than the {MAX_CHARS:,} that are read"
        )
    whole = _whole(text)
    if isinstance(whole, dict):
        problem = problem_of(whole)
        return Reading(whole if problem is None else None, problem)
    problems: list[str] = []
    for said in _without_thoughts(text, document):
        if said is None:
            problems.append("the reply ends in its thoughts: it was cut off before the record")
            continue
        reading = _read(said, problem_of, document)
        if reading.record is not None:
            return reading
        problems.append(reading.problem or "")
    return Reading(None, problems[0])


def opens_more(text: str, levels: int = SAFE_DEPTH) -> bool:
    """Whether JSON has more lists and objects open at once than that.

    Python's reader would go as deep as the stack allows, where whatever the collector happens to end fails as well.

    >>> opens_more('[["[[["]]', 2), opens_more("[[[", 2)
    (False, True)
    """
    if text.count("[") + text.count("{") <= levels:
        return False
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if depth > levels:
            return True
    return False


def _whole(text: str) -> Any:
    """The reply as plain JSON without anything odd, as most are; None for every other."""
    if (
        opens_more(text)
        or _ESCAPED_UNREADABLE.search(text)
        or _is_unreadable(text)
        or _has_control_escape(text)
    ):
        return None
    try:
        return json.loads(
            text, parse_constant=_refuse, parse_float=_float, parse_int=_int, object_pairs_hook=_object
        )
    except (ValueError, RecursionError):
        return None


def _is_unreadable(text: str) -> bool:
    return not (text.isascii() and "\x00" not in text) and _UNREADABLE.search(text) is not None


def _has_control_escape(text: str) -> bool:
    r"""Whether `\b`, `\f` or a `\t` or `\r` before a letter may be a backslash that was not doubled."""
    return _CONTROL_ESCAPE.search(text) is not None


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(digits)
    return value


def _int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(digits[:20])
    return int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        for key, value in pairs:
            if not same_json(made[key], value):
                raise ValueError(key)
    return made


def same_json(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is not true."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)


def _without_thoughts(text: str, document: str) -> Iterator[str | None]:
    """What is said outside the thoughts; None where they never end.

    With a closing tag alone everything before it was thought. A tag inside a value is quoted by it, and ends nothing.
    Thoughts may speak of the tag too: what follows the last one is looked at first, then what follows the first.
    """
    first = last = first_end = last_end = None
    for mark in _thought_marks(text, document):
        first, last = first or mark, mark
        if mark["close"]:
            first_end, last_end = first_end or mark, mark
    if first is None:
        yield text
        return
    if last_end is None or last_end is not last:
        # the record may stand before a thought that never ended, and is not taken: the model was not done with it
        yield None
        return
    before = text[: first.start()] if first["open"] else ""
    yield before + " " + text[last_end.end() :]
    if first_end is not None and first_end is not last_end:
        yield before + " " + text[first_end.end() :]


def _thought_marks(text: str, document: str) -> Iterator[re.Match[str]]:
    """The marks of thoughts that stand in no value."""
    if _THOUGHT.search(text) is None:
        return
    wholes = [found for found in islice(values_in(text, document), MAX_VALUES) if found.broken is None]
    past = 0
    for mark in _THOUGHT.finditer(text):
        while past < len(wholes) and wholes[past].end <= mark.start():
            past += 1
        if past == len(wholes) or mark.start() < wholes[past].start:
            yield mark


def _read(text: str, problem_of: Callable[[Any], str | None], document: str) -> Reading:
    fitting: dict[str, Any] = {}
    problems: list[str] = []
    broken = ""
    for count, found in enumerate(values_in(text, document)):
        if count >= MAX_VALUES:
            return Reading(None, f"the reply holds more than {MAX_VALUES:,} JSON values; give one")
        value = None if found.broken is not None else one_object(found.value)
        if value is None:
            broken = broken or _why_none(found)
            if found.broken is not None and found.broken.final:
                problems.append(f"the reply {found.broken}")
        elif (problem := problem_of(value)) is not None:
            problems.append(problem)
        else:
            fitting[json.dumps(value, sort_keys=True)] = value
    if len(fitting) > 1:
        return Reading(None, f"the reply holds {len(fitting)} different records; give one")
    if fitting:
        return Reading(next(iter(fitting.values())), None)
    if problems:
        return Reading(None, problems[-1])
    return Reading(None, f"the reply is not JSON: {broken or 'there is no { in it'}")


def _why_none(found: _Found) -> str:
    return str(found.broken or f"it is a list of {len(found.value)}, not one object")


def one_object(value: Any) -> Any:
    """The value itself, or the one object of a list; None where the list has several, or none."""
    if not isinstance(value, list):
        return value
    objects = [item for item in value if isinstance(item, dict)]
    return objects[0] if len(objects) == 1 else None


@dataclass(frozen=True, slots=True)
class _Found:
    """An object or list of a reply, from `start` to `end`, or what broke there."""

    start: int
    end: int
    value: Any = None
    broken: _BrokenError | None = None


def values_in(text: str, document: str) -> Iterator[_Found]:
    """Every JSON object and list that starts outside another value, and what broke where one was begun."""
    at = 0
    while mark := _START.search(text, at):
        scanner = Scanner(text, document)
        try:
            value, at = scanner.value(mark.start())
        except _BrokenError as broken:
            if broken.ended:
                at = len(text)
            elif broken.begun:
                at = scanner.closing(broken.at)
            else:
                # a brace that opens no object, as in: he wrote "{" here; what seemed a key is prose again
                at = mark.end() if scanner.depth == 1 and mark[0] == "{" else max(broken.at, mark.end())
            yield _Found(mark.start(), at, broken=broken)
            continue
        yield _Found(mark.start(), at, value)


class Scanner:
    """Reads one value; what is not JSON, and not one of the two liberties, breaks it."""

    def __init__(self, text: str, document: str) -> None:
        self.text = text
        self.document = document
        self.depth = 0
        self.begun = False

    def value(self, at: int) -> tuple[Any, int]:
        """The value that starts here, and where it ends."""
        at = self._blank(at)
        char = self.text[at : at + 1]
        if char not in ("{", "["):
            return self._scalar(char, at)
        if self.depth >= MAX_DEPTH:
            self.begun = True
            raise self._broken(f"nests deeper than {MAX_DEPTH} levels at character {at}", at, final=True)
        self.depth += 1  # stays where it is when this breaks: `closing` goes on from there
        holder, at = self._object(at + 1) if char == "{" else self._list(at + 1)
        self.depth -= 1
        return holder, at

    def _object(self, at: int) -> tuple[dict[str, Any], int]:
        holder: dict[str, Any] = {}
        at = self._blank(at)
        while self.text[at : at + 1] != "}":
            key, at = self._key(at)
            value, at = self._inside(key, at)
            if key in holder and not same_json(holder[key], value):
                raise self._broken(f"gives {key[:40]!r} two values", at, final=True)
            holder[key] = value
            at = self._comma(at, "}")
        return holder, at + 1

    def _list(self, at: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        at = self._blank(at)
        while self.text[at : at + 1] != "]":
            item, at = self._inside(len(items), at)
            items.append(item)
            at = self._comma(at, "]")
        return items, at + 1

    def _inside(self, _step: str | int, at: int) -> tuple[Any, int]:
        """The value of a key, or the item of a list."""
        return self.value(at)

    def _comma(self, at: int, end: str) -> int:
        """Past a comma, or at the end; a comma before the end is passed over."""
        at = self._blank(at)
        if self.text[at : at + 1] == ",":
            return self._blank(at + 1)
        if self.text[at : at + 1] != end:
            raise self._broken(f"expected , or {end} at character {at}", at)
        return at

    def closing(self, at: int) -> int:
        """Where the broken value ends by its brackets, so that nothing inside it is taken for a record."""
        depth, text = self.depth, self.text
        while depth > 0:
            mark = _BRACKET.search(text, at)
            if mark is None:
                return len(text)
            at = mark.end()
            if mark[0] == '"':
                at = self._skip_string(at)
            else:
                depth += 1 if mark[0] in "{[" else -1
        return at

    def _skip_string(self, at: int) -> int:
        while True:
            plain = _PLAIN.match(self.text, at)
            at = plain.end() if plain else at
            if at >= len(self.text):
                return at
            if self.text[at] == '"':
                return at + 1
            at += 2

    def _blank(self, at: int) -> int:
        if self.text[at : at + 1] not in _BLANKS:
            return at
        blank = _BLANK.match(self.text, at)
        return blank.end() if blank else at

    def _broken(self, reason: str, at: int, *, final: bool = False) -> _BrokenError:
        ended = at >= len(self.text)
        return _BrokenError(
            "it ends inside a value: it was cut off" if ended else reason,
            at, begun=self.begun, ended=ended and self.begun, final=final,
        )  # fmt: skip

    def _key(self, at: int) -> tuple[str, int]:
        if self.text[at : at + 1] != '"':
            raise self._broken(f"expected a key at character {at}", at)
        key, at = self._string(at + 1)
        at = self._blank(at)
        if self.text[at : at + 1] != ":":
            raise self._broken(f"expected : at character {at}", at)
        self.begun = True
        return key, at + 1

    def _scalar(self, char: str, at: int) -> tuple[Any, int]:
        if char == '"':
            return self._string(at + 1)
        for word, value in _CONSTANTS.items():
            if self.text.startswith(word, at):
                return value, at + len(word)
        for word in ("NaN", "Infinity", "-Infinity"):
            if self.text.startswith(word, at):
                raise self._broken(f"has {word}, which is not a JSON value", at, final=True)
        number = _NUMBER.match(self.text, at)
        if number is None:
            raise self._broken(f"expected a value at character {at}", at)
        return self._number(number[0], at), number.end()

    def _number(self, digits: str, at: int) -> int | float:
        is_int = digits.lstrip("-").isdigit()
        if is_int and len(digits) <= MAX_DIGITS:
            return int(digits)
        value = math.inf if is_int else float(digits)
        if not math.isfinite(value):
            raise self._broken(
                f"has the number {digits[:20]}…, larger than any number may be", at, final=True
            )
        return value

    def _string(self, at: int) -> tuple[str, int]:
        """The string whose first character is here, as JSON has it or with backslashes that were not doubled."""
        text = self.text
        plain = _PLAIN.match(text, at)
        if plain and text[plain.end() : plain.end() + 1] == '"' and not _is_unreadable(plain[0]):
            return plain[0], plain.end() + 1
        likelier: list[str] = []
        other: list[str] = []
        while True:
            plain = _PLAIN.match(text, at)
            passage = plain[0] if plain else ""
            likelier.append(passage)
            other.append(passage)
            at += len(passage)
            if at >= len(text):
                raise self._broken("a string does not end", at)
            if text[at] == '"':
                break
            meant, may_be, length = _escape(text, at)
            likelier.append(meant)
            other.append(may_be)
            at += length
        value, may_be = "".join(likelier), "".join(other)
        if may_be != value and value not in self.document and may_be in self.document:
            value = may_be
        value = _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), value)
        if _is_unreadable(value) and (fault := self._unreadable(value)) is not None:
            raise self._broken(f"has {fault}", at, final=True)
        return value, at + 1

    def _unreadable(self, value: str) -> str | None:
        """The first character no record may have, in words; a document with one of the three may be quoted."""
        for fault in _UNREADABLE.findall(value):
            if fault not in self.document:
                return _UNREADABLE_NAMES.get(fault, "half a character (a lone surrogate)")
        return None


def _escape(text: str, at: int) -> tuple[str, str, int]:
    r"""What stands at a backslash, what it may be if the document has that instead, and how long it is.

    JSON's own escapes are those, or a backslash that was not doubled: `\frac`. `\'` is an apostrophe as elsewhere; before
    any other mark the backslash stays unless the document has the mark alone: `\$`, `\_`.
    """
    after = text[at + 1 : at + 2]
    digits = text[at + 2 : at + 6]
    if after == "u" and _HEX.fullmatch(digits):
        return chr(int(digits, 16)), chr(int(digits, 16)), 6
    if after in _ESCAPES:
        return _ESCAPES[after], "\\" + after if after in "bfnrt" else _ESCAPES[after], 2
    if after == "'":
        return after, "\\" + after, 2
    if after and after in punctuation:
        return "\\" + after, after, 2
    return "\\", "\\", 1  # no escape at all: the backslash stands for itself
