"""A document's further inputs as text: what a cell of a table, a frame or a client's JSON says to a reader."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def input_text(value: Any) -> str | None:
    r"""An input as text; None for what holds nothing, or blanks.

    A whole number is one, though a column with an empty cell has made a float of it; a list has a line for each entry, and
    what holds names is JSON.

    >>> input_text(2025.0), input_text(" "), input_text(["Health", "Trade"])
    ('2025', None, 'Health\nTrade')
    """
    held = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(held, list | tuple):
        is_flat = not any(isinstance(each, list | tuple | Mapping) for each in held)
        return "\n".join(filter(None, map(input_text, held))) or None if is_flat else _as_json(held)
    if isinstance(held, Mapping):
        return _as_json(dict(held))
    if held is None or type(held).__name__ in {"NAType", "NaTType"}:
        return None
    if isinstance(held, float):
        if math.isnan(held):
            return None
        held = int(held) if held.is_integer() else held
    text = str(held)
    return text if text.strip() else None


def _as_json(held: Any) -> str:
    return json.dumps(held, ensure_ascii=False, default=str)
