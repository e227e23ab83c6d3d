"""Why rows failed: the commonest reason, and whether one fault of a provider's failed all of them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from cupel.state import Outcome

MOST_KINDS = 1000
"""So many kinds of reasons are told apart; memory does not grow with the input."""

_OF_ONE_CALL = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|\b[0-9a-f]{8,}\b|\d+(\.\d+)?""")
"""What differs from call to call in the same complaint: quoted words, ids, numbers."""


@dataclass(slots=True)
class Causes:
    """The reasons of the rows that failed, counted as they come."""

    rows: Counter[str] = field(default_factory=Counter)
    """By reason without what is of one call only."""

    examples: dict[str, str] = field(default_factory=dict)
    """The first reason of each kind, word for word."""

    of_documents: int = 0
    """Failed rows that are not, or not only, a provider's fault."""

    def note(self, outcome: Outcome) -> None:
        """Count one row, if it failed."""
        if outcome["status"] != "failed":
            return
        provider = provider_cause(outcome)
        self.of_documents += provider is None
        reason = provider or "; ".join(outcome["reasons"]) or "no reason was given"
        kind = _OF_ONE_CALL.sub("…", reason)
        if kind in self.rows or len(self.rows) < MOST_KINDS:
            self.rows[kind] += 1
            self.examples.setdefault(kind, reason)

    def commonest(self) -> tuple[str, int] | None:
        """The commonest reason and its rows; None where nothing failed."""
        if not self.rows:
            return None
        kind, rows = self.rows.most_common(1)[0]
        return self.examples[kind], rows

    def to_json(self) -> dict[str, Any] | None:
        """Rows that failed, and the commonest reason; None where none did."""
        common = self.commonest()
        if common is None:
            return None
        return {"rows": self.rows.total(), "commonest": {"reason": common[0], "rows": common[1]}}

    def one_for_all(self, rows: int) -> str | None:
        """The one provider's cause that failed every row; None where there is none such."""
        if not rows or self.of_documents or len(self.rows) != 1 or self.rows.total() != rows:
            return None
        return next(iter(self.examples.values()))


def provider_cause(outcome: Outcome) -> str | None:
    """What a provider, and no fault of the document, failed every attempt of a document for; None for any other end."""
    asked = [
        attempt for attempt in outcome["attempts"] if attempt["model"] != "none"
    ]  # a tier without a model
    causes = [attempt.get("provider_cause") for attempt in asked]
    said = dict.fromkeys(cause for cause in causes if cause)
    return "; ".join(said) if causes and all(causes) else None
