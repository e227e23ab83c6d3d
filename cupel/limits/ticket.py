"""One call as the limits count it."""

from __future__ import annotations

from cupel.limits.shared_gate import Ask


class Ticket:
    """One call as it is counted.

    Args:
        tokens: What the provider is expected to count; 0 where nobody knows.
        most: What it counts beforehand where it adds the whole output limit; 0 where nobody knows.
    """

    __slots__ = ("asks", "charged", "mark", "most", "sent_at", "tokens")

    def __init__(self, tokens: float, most: float = 0.0) -> None:
        self.tokens = tokens
        self.most = most
        self.asks: list[Ask] = []
        self.charged = 0.0
        self.sent_at = 0.0
        self.mark: tuple[int, float] = (0, 0.0)
