"""Requests to LangSmith that give up: short timeouts whatever the SDK asks for, and none once too many failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cupel.project import host_of
from cupel.redaction import redact

if TYPE_CHECKING:
    import requests

MAX_FAILURES = 2
"""Failed requests in a row after which nothing more is sent in this process."""

_REFUSED = (401, 403)


class Sending:
    """Whether requests may go out, and for how long each may take.

    The SDK retries every batch three times with timeouts of its own and drains its queue at the end of the
    process, however long that takes; here every request is cut short, and all of them at once when it is over.

    Args:
        timeout_s: Longest wait for a connection, and for an answer.
        on_giving_up: Called once with the reason when nothing more will be sent.
    """

    def __init__(self, timeout_s: float, on_giving_up: Callable[[str], None]) -> None:
        self._timeout_s, self._on_giving_up = timeout_s, on_giving_up
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._deadline: float | None = None
        self.closed = False

    def end_within(self, seconds: float) -> None:
        """From now on requests share this many seconds."""
        self._deadline = time.monotonic() + seconds

    def left_s(self) -> float:
        """What a request may take; 0 when none may be sent."""
        if self.closed:
            return 0.0
        if self._deadline is None:
            return self._timeout_s
        return max(0.0, min(self._timeout_s, self._deadline - time.monotonic()))

    def note_answer(self) -> None:
        """An answer came."""
        self._in_a_row = 0

    def note_failure(self, why: str, *, for_good: bool = False) -> None:
        """A request came to nothing; after too many in a row, or one that was refused, no more are sent."""
        with self._lock:
            self._in_a_row += 1
            if self.closed or not (for_good or self._in_a_row >= MAX_FAILURES):
                return
            self.closed = True
        self._on_giving_up(why)

    def session(self) -> requests.Session:
        """A session for the SDK's client that keeps to all this."""
        import requests

        sending = self

        class Session(requests.Session):
            def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
                left = sending.left_s()
                if not left:
                    raise requests.ConnectionError("nothing more is sent to LangSmith in this process")
                kwargs |= {"timeout": left, "allow_redirects": False}
                try:
                    answer = super().request(method, url, *args, **kwargs)
                except requests.RequestException as error:
                    sending.note_failure(f"{type(error).__name__}: {redact(str(error))[:120]}")
                    raise
                if 300 <= answer.status_code < 400:
                    to = host_of(answer.headers.get("Location", "")) or "another path of its own"
                    redirected = f"HTTP {answer.status_code}, a redirect to {to}, which is not followed"
                    sending.note_failure(redirected, for_good=True)
                    raise requests.ConnectionError(redirected)
                _judge(sending, answer.status_code)
                return answer

        return Session()


def _judge(sending: Sending, status: int) -> None:
    if status in _REFUSED:
        sending.note_failure(f"the key was refused (HTTP {status})", for_good=True)
    elif status == 429 or status >= 500:
        sending.note_failure(f"HTTP {status}")
    else:
        sending.note_answer()
