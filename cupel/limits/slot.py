"""One call in a lane: what it is counted as, and what its reply teaches."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from cupel.limits.classify import headers_of, status_of, text_of
from cupel.limits.shared_gate import Charge

if TYPE_CHECKING:
    from cupel.limits.lane import Lane


class Slot:
    """One call's place in its lane; `async with` it, and tell it what came back.

    Leaving it on an exception that carries a response (`.response.headers`, `.status_code`) learns from that.

    Args:
        lane: The queue it stands in.
        tokens: What the provider is expected to count; 0 where nobody knows.
        most: What it counts beforehand where it adds the whole output limit; 0 where nobody knows.
    """

    __slots__ = ("_lane", "_status", "charged_tokens", "charges", "mark", "most", "sent_at", "tokens")

    def __init__(self, lane: Lane, tokens: float, most: float = 0.0) -> None:
        self._lane = lane
        self._status = 0
        self.tokens = tokens
        self.most = most
        self.charges: list[Charge] = []
        self.charged_tokens = 0.0
        self.sent_at = 0.0
        self.mark: tuple[int, float] = (0, 0.0)

    async def __aenter__(self) -> Self:
        await self._lane.enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._learn_from(error)
        finally:
            self._lane.leave(self)

    def learn(
        self, headers: Mapping[str, str], status: int, used_tokens: int | None = None, *, text: str = ""
    ) -> None:
        """Take in a reply: its limits, whether it was refused, what it really used.

        Args:
            headers: Of any dialect or none; a plain dict may have names in any case.
            status: The HTTP status.
            used_tokens: Tokens that count against the limit; `None` where the reply does not say.
            text: The message of a refusal, which names the limit and the wait more exactly than the headers.
        """
        self._status = status
        if type(headers) is dict:
            headers = {name.lower(): value for name, value in headers.items()}
        self._lane.learn(self, headers, status, used_tokens, text)

    def take_back(self) -> None:
        """The call was not made after all: nothing is counted for it."""
        self._lane.take_back(self)

    def _learn_from(self, error: BaseException) -> None:
        status = status_of(error)
        # an error inside a reply with status 200 comes after the reply was learnt from
        if status is not None and self._status in {0, 200}:
            self.learn(headers_of(error), status, text=text_of(error))
