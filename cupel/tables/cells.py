"""Values as JSON text and as cells, whatever a row holds."""

from __future__ import annotations

import base64
import json
import math
from typing import Any


def json_text(value: Any) -> str:
    """Return a value as JSON on one line; what JSON does not know becomes text, NaN becomes null.

    >>> json_text({"id": 7, "share": 0.1, "name": "Žižek"})
    '{"id": 7, "share": 0.1, "name": "Žižek"}'
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_foreign)
    except ValueError:
        text = json.dumps(_without_nan(value), ensure_ascii=False, default=_foreign)
    return text if is_storable(text) else json.dumps(_without_nan(value), default=_foreign)


def cell_text(value: Any) -> str:
    """Return a value as the text of a CSV cell: a string as it is, None as nothing, all else as JSON.

    >>> cell_text("yes"), cell_text(None), cell_text(["a", 1])
    ('yes', '', '["a", 1]')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return text_of(value if isinstance(value, _JSON) else _foreign(value))


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would run the cell of a CSV file as a formula, rather than show it.

    >>> is_formula("=1+1"), is_formula("@SUM(A1)"), is_formula("-3.5"), is_formula("- a point")
    (True, True, False, True)
    """
    if not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return False
    return not is_number(cell)


def is_number(cell: str) -> bool:
    """Whether the text of a cell is one number.

    >>> is_number("-3.5"), is_number("3,5")
    (True, False)
    """
    try:
        float(cell)
    except ValueError:
        return False
    return True


def text_of(value: Any) -> str:
    """Return a string as it is (lone surrogates escaped), anything else as JSON."""
    return storable(value) if isinstance(value, str) else json_text(value)


def is_storable(text: str) -> bool:
    """Whether the text can be written as UTF-8: a lone surrogate cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def storable(text: str) -> str:
    r"""Return the text, with lone surrogates as `\udXXX`."""
    return text if is_storable(text) else text.encode("utf-8", "backslashreplace").decode("utf-8")


_JSON = (bool, int, float, str, list, tuple, dict)


def _foreign(value: Any) -> Any:
    """Return what stands for a value JSON does not know."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return base64.b64encode(value).decode("ascii")
    if hasattr(value, "item"):
        return value.item()
    return str(value)


def _without_nan(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {key: _without_nan(item) for key, item in value.items()}
        case list() | tuple():
            return [_without_nan(item) for item in value]
    return value
