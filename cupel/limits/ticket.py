"""One call as the limits count it."""

from __future__ import annotations

from cupel.limits.shared import Ask


class Ticket:
    """One call as it is counted.

    Args:
        tokens: What the provider is expected to count; 0 where nobody knows.
    """

    __slots__ = ("asks", "charged", "mark", "sent_at", "tokens")

    def __init__(self, tokens: float) -> None:
        self.tokens = tokens
        self.asks: list[Ask] = []
        self.charged = 0.0
        self.sent_at = 0.0
        self.mark: tuple[int, float] = (0, 0.0)
