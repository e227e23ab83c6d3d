"""Numbers and foreign text as people read them, the same in the page and in the terminal."""

from __future__ import annotations

import html
import re
from typing import Any

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


class Shown:
    """What a notebook shows as a table: anything that says itself as JSON."""

    __slots__ = ()

    def to_json(self) -> Any:
        """What is shown: plain JSON."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return html_of(self.to_json())


def html_of(value: Any) -> str:
    """JSON as tables in tables, every text of it escaped.

    >>> html_of({"task": "<b>", "n": [1, 2]})
    '<table><tr><th>task</th><td>&lt;b&gt;</td></tr><tr><th>n</th><td>1, 2</td></tr></table>'
    """
    match value:
        case {"expected": expected, "low": low, "high": high} if len(value) == 3:
            return html_of(expected) + ("" if low == high else f" ({html_of(low)}–{html_of(high)})")
        case dict():
            rows = (
                f"<tr><th>{html.escape(str(name))}</th><td>{html_of(part)}</td></tr>"
                for name, part in value.items()
            )
            return f"<table>{''.join(rows)}</table>"
        case list():
            return _list_as_html(value)
        case float():
            return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return "" if value is None else html.escape(str(value))


def _list_as_html(values: list[Any]) -> str:
    """Things of one kind as the rows of one table, others in a line."""
    if not values or not all(isinstance(part, dict) for part in values):
        return ", ".join(map(html_of, values)) or "none"
    names = list(dict.fromkeys(name for part in values for name in part))
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in names)
    rows = ("".join(f"<td>{html_of(part.get(name))}</td>" for name in names) for part in values)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
