"""One document's text: whether it can be used, its id, its language, its windows and its wrapping for a model.

The text is never rewritten: every function here returns offsets into it, or a copy made for a model to read.
Offsets are in Python characters (Unicode code points), `[start, end)`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import numbers
import re
import threading
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

MAX_TEXT_CHARS = 5_000_000
"""A longer text is refused: split it into documents."""

LANGUAGE_SAMPLE_CHARS = 200
"""Enough for 99 % of real speeches in 21 languages, at 0.15 ms of CPU."""

LANGUAGE_MIN_PROBABILITY = 0.5
"""Below it the language is undecided; near twins such as Bosnian and Croatian share their probability."""

_UNDECIDED = frozenset({"und", "zxx"})
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

# Enders of scripts that put no space after a sentence, or that syntok does not know.
_MORE_ENDS = re.compile("[。！？｡।॥။።፧။៕۔؟]+[”’」』）)\"'»]*\\s*")
_LATIN_END = re.compile(r"[.!?…]")
_BLANK = re.compile(r"\s+")
_WORD_SIGN = re.compile(r"\w")
_LINE_BREAK = re.compile(r"[\r\n]\s*")


_NAMED = ((bool, "a truth value"), (dict, "an object"))
"""What JSON calls a value by another name than Python."""


def usable_text(value: object) -> tuple[str, str | None]:
    r"""Return a cell's text and what is wrong with it.

    Args:
        value: What stands in the text column: anything.

    Returns:
        The text (`""` where there is none to speak of) and the problem in words, or None when it is usable.

    >>> usable_text("Mr President, honourable Members")
    ('Mr President, honourable Members', None)
    >>> usable_text(float("nan"))
    ('', 'no text: the cell is empty')
    >>> usable_text(b"na\xefve")
    ('', 'not UTF-8: byte 0xef at byte 2; save the text as UTF-8')
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return _usable_bytes(bytes(value))
    if isinstance(value, str):
        return value, _problem_of(value)
    if _is_missing(value):
        return "", "no text: the cell is empty"
    is_number = isinstance(value, numbers.Number) and not isinstance(value, bool)
    named = next((words for kind, words in _NAMED if isinstance(value, kind)), f"a {type(value).__name__}")
    kind = "a number" if is_number else named
    return "", f"not a text: {kind} ({str(value)[:40]})"


def document_id(text: str, inputs: Mapping[str, Any] | None = None) -> str:
    """Return a stable id: the first 16 hex digits of the SHA-256 of the text.

    Args:
        text: The document.
        inputs: Further inputs of the task (such as a topic): the same text under another topic is another document.

    >>> document_id("abc")
    'ba7816bf8f01cfea'
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    if inputs:
        canonical = json.dumps(dict(inputs), sort_keys=True, ensure_ascii=False, default=str)
        digest.update(b"\0" + canonical.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def detect_language(text: str) -> str | None:
    """Return the ISO 639-1 code of the text's language, or None where undecided.

    Looks at the first 200 characters only. The first call in a process loads a model (about 1 s); later ones
    take about 0.15 ms. Speeches in a language and its near twin (Croatian, Bosnian) may be given either's code.
    """
    sample = text[: 4 * LANGUAGE_SAMPLE_CHARS].lstrip()[:LANGUAGE_SAMPLE_CHARS]
    if not any(character.isalpha() for character in sample):
        return None
    language, probability = _language_model().classify(sample)
    if probability < LANGUAGE_MIN_PROBABILITY or language in _UNDECIDED:
        return None
    return str(language)


async def language_of(text: str) -> str | None:
    """`detect_language` for an event loop: the model's first loading happens in a thread."""
    if _load_model.cache_info().currsize:
        return detect_language(text)
    return await asyncio.to_thread(detect_language, text)


def language_if_ready(text: str) -> str | None:
    """`detect_language` once its model is loaded, None before: the first requests need not wait for it."""
    return detect_language(text) if _load_model.cache_info().currsize else None


def split_windows(text: str, max_chars: int, overlap_chars: int) -> list[tuple[int, int]]:
    """Cut a text into overlapping windows at sentence ends.

    Every character lies in a window, and no window is longer than `max_chars`. Neighbours share the whole
    sentences that fit into `overlap_chars`. Where thousands of characters, or a whole window, hold no sentence
    end, the cut is at a line break, else at white space, else anywhere, and the overlap starts at white space.

    Args:
        text: The document, in any language.
        max_chars: Longest window, in characters; more than twice `overlap_chars`.
        overlap_chars: Most that two neighbours share, in characters; 0 for none.

    Returns:
        `[start, end)` of each window, in order; a single one for a text that fits.

    Raises:
        ValueError: If the two sizes leave no room to move on.

    >>> split_windows("One is here. Two is there. Three is gone.", 30, 14)
    [(0, 27), (13, 41)]
    """
    if overlap_chars < 0 or max_chars <= 2 * overlap_chars:
        raise ValueError(
            f"max_chars={max_chars} must be more than twice overlap_chars={overlap_chars} (0 or more)"
        )
    windows: list[tuple[int, int]] = []
    start = 0
    while len(text) - start > max_chars:
        end, cuts = _cut(text, start, start + max_chars, reach=max(2_000, 2 * overlap_chars))
        if (
            windows and end <= windows[-1][1]
        ):  # all of it was in the last one: go on behind that, with no overlap
            start = windows[-1][1]
            continue
        windows.append((start, end))
        start = _overlap_start(text, cuts, start=start, end=end, overlap_chars=overlap_chars)
    windows.append((start, len(text)))
    return windows


def count_sentences(text: str) -> int:
    """How many sentences a text has, in any language; one for words without a sentence end.

    >>> count_sentences("Mr. Moore spoke. Did he? 他来了。他走了。")
    4
    """
    ends = [0, *_sentence_ends(text, 0, len(text)), len(text)]
    return sum(_WORD_SIGN.search(text, start, end) is not None for start, end in pairwise(ends))


def _usable_bytes(raw: bytes) -> tuple[str, str | None]:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return "", f"not UTF-8: byte 0x{raw[error.start]:02x} at byte {error.start}; save the text as UTF-8"
    return text, _problem_of(text)


def _problem_of(text: str) -> str | None:
    if not text or text.isspace():
        return "no text: the cell is empty" if not text else "no text: the cell holds white space only"
    if len(text) > MAX_TEXT_CHARS:
        return (
            f"too long: {len(text):,} characters, at most {MAX_TEXT_CHARS:,}; split it into several documents"
        )
    if "\0" in text:
        return (
            f"a NUL byte at character {text.index(chr(0))} ({text.count(chr(0))} in all); "
            "the text is binary or damaged: remove them"
        )
    if lone := _LONE_SURROGATE.search(text):
        code = ord(lone.group())
        return f"not valid Unicode: lone surrogate U+{code:04X} at character {lone.start()}; save the text as UTF-8"
    return None


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(value, numbers.Real) and math.isnan(value)


_loading = threading.Lock()


def _language_model() -> Any:
    # the first documents all ask at once, each in a thread of its own: one loads, the others wait
    with _loading:
        return _load_model()


@cache
def _load_model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _cut(text: str, start: int, limit: int, *, reach: int) -> tuple[int, list[int]]:
    """Return where the window `[start, limit)` should end, and the sentence ends seen near it."""
    # Only the tail is segmented, and more of it while no sentence ends there: 2 MB in well under a second.
    for tail in (max(start, limit - reach), max(start, limit - 4 * reach)):
        if cuts := [end for end in _sentence_ends(text, tail, limit) if start < end <= limit]:
            return cuts[-1], cuts
    for gap in (_LINE_BREAK, _BLANK):
        # In the second half, so that one early blank does not make a tiny window.
        if gaps := [match.end() for match in gap.finditer(text, (start + limit) // 2, limit)]:
            return gaps[-1], []
    return limit, []


def _overlap_start(text: str, cuts: list[int], *, start: int, end: int, overlap_chars: int) -> int:
    earliest = max(start + 1, end - overlap_chars)
    if cuts:
        # `end` is itself a cut: with no whole sentence that fits, nothing is shared.
        return next(cut for cut in cuts if cut >= earliest)
    blank = _BLANK.search(text, earliest, end)
    return blank.end() if blank else earliest


def _sentence_ends(text: str, start: int, end: int) -> list[int]:
    """Return where sentences end in `[start, end)`, white space after them included."""
    region = text[start:end]
    ends = {start + position for position in _syntok_ends(region)} if _LATIN_END.search(region) else set()
    ends.update(start + match.end() for match in _MORE_ENDS.finditer(region))
    return sorted(ends)


def _syntok_ends(region: str) -> Iterator[int]:
    from syntok import segmenter

    previous = None
    for paragraph in segmenter.analyze(region):
        for sentence in paragraph:
            if previous is not None:
                yield sentence[0].offset
            previous = sentence
    # The last one ends where its full stop stands; one without it goes on beyond the region.
    if previous is not None and previous[-1].value in {".", "!", "?", "…", "”", '"', "»"}:
        yield len(region) if region[-1].isspace() else previous[-1].offset + len(previous[-1].value)
