"""An outcome as the page carries it: everything a reader looks at, nothing twice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cupel.report.records import Cell
from cupel.report.summary import DocumentEntry
from cupel.state import Attempt, Outcome

MAX_TEXT_CHARS = 300_000
"""Of one document; the page says when a text is cut there."""

MAX_LEVELS = 120
"""Of an outcome: a model's record has up to a hundred, a graph of one's own may make more."""

DEEPER = "… nested deeper than this page shows; it is whole in the output"

_SNIPPET = 110


def compact_outcome(entry: DocumentEntry) -> dict[str, Any]:
    """Return one document's data for the page's script.

    An attempt whose record is the outcome's own says `same`; token log-probabilities become their mean.
    """
    outcome = entry.outcome
    kept = {key: value for key, value in outcome.items() if key != "attempts"}
    data: dict[str, Any] = _plain(
        {
            **kept,
            "attempts": [_attempt(attempt, outcome) for attempt in outcome["attempts"]],
            "text": entry.text[:MAX_TEXT_CHARS],
            "length": len(entry.text),
            "inputs": {**entry.own, **entry.inputs},
            **({"gold": dict(entry.gold)} if entry.gold is not None else {}),
        }
    )
    return data


def listing(entry: DocumentEntry, number: int, cells: Sequence[Cell], values: Sequence[int]) -> list[Any]:
    """Return one document's row in the table: what can be seen, filtered and sorted by before it is opened.

    Id, status, tier, confidence, score, cost, latency, attempts, flags, snippet, row number (from 1), the cells of the
    columns, and the numbers of its items' values.
    """
    outcome = entry.outcome
    snippet = " ".join(entry.text[: 2 * _SNIPPET].split())[:_SNIPPET]
    row: list[Any] = _plain(
        [
            outcome["doc_id"],
            outcome["status"],
            outcome["tier"],
            outcome["confidence"],
            outcome["score"],
            outcome["cost_usd"],
            outcome["latency_s"],
            len(outcome["attempts"]),
            "".join(flag for flag, holds in _flags(entry).items() if holds),
            snippet,
            number,
            cells,
            values,
        ]
    )
    return row


def _flags(entry: DocumentEntry) -> dict[str, bool]:
    outcome = entry.outcome
    return {
        "w": entry.gold is not None and entry.gold["right"] is False,
        "e": any(attempt["tier"] == "strong" for attempt in outcome["attempts"]),
        "r": bool(outcome["addenda"]),
        "j": any(verdict["verdict"] == "rejected" for verdict in outcome["verdicts"]),
        "q": any(item["match"] in {"altered", "absent"} for item in outcome["evidence"]),
        "x": any(attempt["error"] for attempt in outcome["attempts"]),
    }


def _attempt(attempt: Attempt, outcome: Outcome) -> dict[str, Any]:
    # outcomes from before 0006 have the log-probability of every token
    kept: dict[str, Any] = {key: value for key, value in attempt.items() if key != "logprobs"}
    if attempt["record"] is not None and attempt["record"] == outcome["record"]:
        del kept["record"], kept["evidence"]
        kept["same"] = True
    return kept


def _plain(value: Any, levels: int = MAX_LEVELS) -> Any:
    """Return the value without NaN and infinities, which JSON does not have, and no deeper than a page can show."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping() | list() | tuple() if not levels:
            return DEEPER
        case Mapping():
            return {str(key): _plain(item, levels - 1) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, levels - 1) for item in value]
    return value
