"""Numbers and foreign text as people read them, the same in the page and in the terminal."""

from __future__ import annotations

import re

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

JURY_WORDS = {"always": "jury", "doubt": "jury, as the judge was in doubt", "audit": "audit"}
"""Why more than one judge was asked."""


def usd(value: float | None) -> str:
    """Return an amount with as many digits as it deserves.

    >>> usd(12.3456), usd(0.01234), usd(0.0000567), usd(0.0), usd(None)
    ('$12.35', '$0.0123', '$0.000057', '$0', 'unknown')
    """
    if value is None:
        return "unknown"
    if value == 0:
        return "$0"
    if abs(value) >= 1:
        return f"${value:,.2f}"
    return f"${value:.4f}" if abs(value) >= 0.001 else f"${value:.6f}"


def seconds(value: float | None) -> str:
    """Return a duration.

    >>> seconds(0.0412), seconds(4.26), seconds(75.0), seconds(4000.0), seconds(None)
    ('41 ms', '4.3 s', '1 min 15 s', '1 h 06 min', '–')
    """
    if value is None:
        return "–"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def count(value: int) -> str:
    """Return a whole number with its thousands apart.

    >>> count(47233)
    '47,233'
    """
    return f"{value:,}"


def share(part: float, whole: float) -> str:
    """Return a percentage; a dash where there is no whole.

    >>> share(1, 3), share(1, 0)
    ('33 %', '–')
    """
    return f"{100 * part / whole:.0f} %" if whole else "–"


def status_words(status: str) -> str:
    """Return a status as words.

    >>> status_words("needs_review")
    'needs review'
    """
    return status.replace("_", " ")


def fraction(value: float | None) -> str:
    """Return a score or probability with two digits; a dash for none."""
    return "–" if value is None else f"{value:.2f}"


def safe(text: str) -> str:
    r"""Return the text, character for character, with control characters as signs a terminal only shows.

    >>> safe("a\x1b[31mb\nc")
    'a␛[31mb\nc'
    """
    return _CONTROLS.sub(lambda control: _sign(ord(control.group())), text)


def _sign(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "�"
