"""What a provider call can fail with. A failed call is raised; a poor answer is returned.

    ModelError
    └── ProviderCallError             the provider answered with an error       (`status_code`, `headers`)
        ├── ProviderTimeoutError      no answer in time                         (also a TimeoutError)
        └── ProviderConnectionError   no connection, or no readable answer      (also a ConnectionError)

Whether to ask again is decided elsewhere, from `status_code`, `headers` and the two built-in classes.
"""

from __future__ import annotations

from collections.abc import Mapping

from cupel.errors import ModelError

_SHOWN = 300


class ProviderCallError(ModelError):
    """The provider answered with an error.

    Args:
        problem: What it said; shortened for the message.
        model: The model id that was asked.
        status: The HTTP status, or the code of an error hidden behind status 200.
        headers: The reply's headers, names in lower case: those about limits, `date` and request ids.
        body: The provider's error object: `message`, `code`, `type`, each where it sent one.
    """

    def __init__(
        self,
        problem: str,
        *,
        model: str = "",
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, str] | None = None,
    ) -> None:
        shown = problem if len(problem) <= _SHOWN else problem[:_SHOWN] + "…"
        super().__init__(f"{status}: {shown}" if status is not None else shown, model=model, status=status)
        self.status_code = status
        self.headers = dict(headers or {})
        self.body = dict(body or {"message": problem})


class ProviderTimeoutError(ProviderCallError, TimeoutError):
    """No answer within the time allowed."""


class ProviderConnectionError(ProviderCallError, ConnectionError):
    """The connection failed, or broke before a readable answer was complete."""

    was_sent = True
    """False where no connection was made at all, so that nothing can be billed."""
