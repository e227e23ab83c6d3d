"""What a model or a file says, in a form that every database, file and page can hold."""

from __future__ import annotations

import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL, which PostgreSQL's text cannot hold, and half characters, which UTF-8 cannot say."""


def storable(text: str) -> str:
    r"""The text with `�` for each NUL and each half character: one for one, so that offsets stay.

    >>> storable("a\x00b \ud83d"), storable("whole 😀")
    ('a�b �', 'whole 😀')
    """
    return text if text.isascii() and "\x00" not in text else _UNSTORABLE.sub("�", text)


def storable_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row for a table with every text in it storable; the same row where all are."""
    mended = {name: storable(value) for name, value in row.items() if isinstance(value, str)}
    return {**row, **mended}
