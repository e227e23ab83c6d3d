"""What a provider call can fail with. A failed call is raised; a poor answer is returned.

    ModelError
    └── ProviderCallError             the provider answered with an error       (`status_code`, `headers`)
        ├── ProviderTimeoutError      no answer in time                         (also a TimeoutError)
        ├── ProviderConnectionError   no connection, or no readable answer      (also a ConnectionError)
        └── ReplyCutOffError          more than any reply has, cut off by us    (this document's problem)

Whether to ask again is decided elsewhere, from `status_code`, `headers`, the two built-in
classes and the name of the last.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from cupel.errors import ModelError, chain
from cupel.project import host_of
from cupel.redaction import redact

_SHOWN, _READ = 300, 20_000


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
        problem = redact(
            problem[:_READ]
        )  # before it is cut to what is shown: half a key is not known for one
        shown = problem if len(problem) <= _SHOWN else problem[:_SHOWN] + "…"
        super().__init__(f"{status}: {shown}" if status is not None else shown, model=model, status=status)
        self.status_code = status
        self.headers = dict(headers or {})
        self.body = {name: redact(said[:_READ]) for name, said in (body or {"message": problem}).items()}


class ProviderTimeoutError(ProviderCallError, TimeoutError):
    """No answer within the time allowed."""


class ProviderConnectionError(ProviderCallError, ConnectionError):
    """The connection failed, or broke before a readable answer was complete."""

    was_sent = True
    """False where no connection was made at all, so that nothing can be billed."""


def system_error(error: BaseException) -> OSError | None:
    """What the system said of a connection, without the addresses a library adds; None where it said nothing.

    The library's own exception is kept from logs: it may hold the credentials of a proxy.

    >>> system_error(OSError(111, "Connect call failed ('10.0.0.7', 443)"))
    ConnectionRefusedError(111, 'Connection refused')
    """
    for one in chain(error):
        if isinstance(one, socket.gaierror):
            return socket.gaierror(one.errno, one.strerror)
        if type(one).__module__ == "builtins" and isinstance(one, OSError) and one.errno:
            return OSError(one.errno, os.strerror(one.errno))
    return None


class ReplyCutOffError(ProviderCallError):
    """A reply that was too large, or still coming when its time was up. Asking again would be paid again."""


def check_no_redirect(status: int, headers: Mapping[str, str], *, model: str) -> None:
    """See that an answer does not point elsewhere: followed, it would carry documents and a key there.

    Raises:
        ProviderCallError: It does; nothing is sent on, and the run ends.
    """
    if not 300 <= status < 400:
        return
    to = host_of(headers.get("Location", "")) or "another path of its own"
    raise ProviderCallError(
        f"the address answers with a redirect to {to}, which is not followed: documents and key would go there; "
        "if that is where you mean to ask, name it as the base URL",
        model=model,
        status=status,
    )
