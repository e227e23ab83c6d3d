"""What is replaced in a text before it leaves; a pattern of somebody's own gets no more than its time."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

MAX_S = 0.5
"""CPU seconds for one pattern on one text; a tenth once it took longer."""

TOO_SLOW = "<masked: CUPEL_TRACE_MASK took too long on this text>"

_SHARED = re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE
"""Flags that mean the same to both modules."""


class Mask:
    """Replaces what the patterns match; where one takes too long, the whole text, so that nothing leaves unseen.

    Args:
        rules: Each with a compiled `pattern` and what to `replace` its matches by.

    >>> import re
    >>> Mask([{"pattern": re.compile("[0-9]+"), "replace": "<number>"}])("room 101")
    'room <number>'
    """

    def __init__(self, rules: Sequence[Mapping[str, Any]]) -> None:
        import regex  # like `re`, and can be stopped

        self._rules = [
            (regex.compile(rule["pattern"].pattern, rule["pattern"].flags & _SHARED), rule["replace"])
            for rule in rules
        ]
        self._limit_s = MAX_S

    def __call__(self, text: str) -> str:
        """The text with what is masked in it."""
        for pattern, shown in self._rules:
            try:
                text = pattern.sub(shown, text, timeout=self._limit_s)
            except TimeoutError:
                self._note_slow(pattern.pattern)
                return TOO_SLOW
        return text

    def _note_slow(self, pattern: str) -> None:
        if self._limit_s == MAX_S:
            sys.stderr.write(
                f"CUPEL_TRACE_MASK: {pattern!r} took more than {MAX_S:g} s on a text; such texts are masked "
                "whole. Write it without repeats inside repeats.\n"
            )
        self._limit_s = MAX_S / 10
