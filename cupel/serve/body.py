"""What a request brings to the door: not more than may come, and of some routes nothing but what is looked at first."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from cupel.serve.policy import Policy
from cupel.serve.refusal import Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Look = Callable[[Any, Policy], Refusal | None]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


_SPARE_BYTES = 262_144
_MOST_BYTES_A_CHARACTER = 12
"""JSON may write a character as two escapes of six."""


def most_bytes(policy: Policy) -> int:
    """Longest body of a request, in bytes."""
    return _SPARE_BYTES + _MOST_BYTES_A_CHARACTER * policy.longest_text * policy.caps.documents_per_request


async def measure(
    policy: Policy, headers: Mapping[bytes, bytes], receive: Receive, path: str
) -> tuple[Receive, Refusal | None]:
    """What a request brings, once it is known not to be more than may come.

    Args:
        policy: The owner's.
        headers: Of the request.
        receive: Where its body comes from.
        path: The route: of some bodies more is looked at than their length.
    """
    most, length, read = most_bytes(policy), headers.get(b"content-length"), _LOOKS.get(path)
    if length is not None and not (length.isdigit() and len(length) < 20 and int(length) <= most):
        return receive, _too_long(policy)
    if length is not None and read is None:
        return receive, None
    body = b""
    while len(body) <= most:  # it does not say how much it brings, or of what: then it is looked at whole
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            return _replayed(body, receive), _look(body, policy, read)
    return receive, _too_long(policy)


def _look(body: bytes, policy: Policy, read: Look | None) -> Refusal | None:
    try:
        return read(json.loads(body), policy) if read is not None else None
    except (ValueError, RecursionError):
        return None  # the route says what is wrong with it


def _count(said: Any, policy: Policy) -> Refusal | None:
    most = policy.caps.documents_per_request
    if not isinstance(said, list) or len(said) <= most:
        return None
    return Refusal(413, f"the request has {len(said)} documents; at most {most} documents are taken at once")


def _writes_state(said: Any, policy: Policy) -> Refusal | None:
    if policy.requests.forks or not isinstance(said, dict) or not said.get("supersteps"):
        return None
    return Refusal(403, "the state of a thread is not written by callers here, as it is made neither")


_LOOKS: Mapping[str, Look] = {"/runs/batch": _count, "/threads": _writes_state}
"""Routes of which a server would do a part before it asks anybody, and what of their bodies is looked at here."""


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _too_long(policy: Policy) -> Refusal:
    return Refusal(413, f"the request is too long; its text may have {policy.longest_text} characters here")
