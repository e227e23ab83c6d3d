"""What a request brings to the door: not more than may come, and of some routes nothing but what is looked at first."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from cupel.serve.policy import Policy
from cupel.serve.refusal import Refusal
from cupel.tracing import is_aegra

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


@dataclass(frozen=True, slots=True)
class Brought:
    """What a request brings.

    Attributes:
        receive: Where its body comes from, whether or not it was read here.
        refusal: Why it may not be brought.
        said: The body, of routes that are read here; None of others.
    """

    receive: Receive
    refusal: Refusal | None = None
    said: Any = None


def is_looked_at(method: str, path: str, policy: Policy | None) -> bool:
    """Whether more of a request is looked at than its route: always under a policy, and where a server would pass over what it asks."""
    return policy is not None or (method == "POST" and is_aegra() and _RUNS.fullmatch(path) is not None)


async def measure(
    policy: Policy | None, headers: Mapping[bytes, bytes], receive: Receive, path: str
) -> Brought:
    """What a request brings, once it is known not to be more than may come.

    Args:
        policy: The owner's; None where anything may come.
        headers: Of the request.
        receive: Where its body comes from.
        path: The route: of some bodies more is looked at than their length.
    """
    policy, most = policy or Policy(), most_bytes(policy) if policy is not None else sys.maxsize
    length, look = headers.get(b"content-length"), _look_for(path, policy)
    if length is not None and not (length.isdigit() and len(length) < 20 and int(length) <= most):
        return Brought(receive, _too_long(policy))
    if length is not None and look is None:
        return Brought(receive)
    body = b""
    while len(body) <= most:  # it does not say how much it brings, or of what: then it is looked at whole
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            if look is None:
                return Brought(_replayed(body, receive))
            said = _read(body)
            if goes_on(path, said):
                body = json.dumps({**said, "checkpoint": {}}).encode()
            return Brought(_replayed(body, receive), look(said, policy), said)
    return Brought(receive, _too_long(policy))


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None  # the route says what is wrong with it


def goes_on(path: str, said: Any) -> bool:
    """Whether a run is asked to go on from where its thread stands: clients leave out an input that is null, and Aegra then wants a checkpoint named."""
    if (
        not is_aegra()
        or not isinstance(said, dict)
        or not path.startswith("/threads/")
        or not _RUNS.fullmatch(path)
    ):
        return False
    return all(said.get(name) is None for name in ("input", "command", "checkpoint", "checkpoint_id"))


def _count(said: Any, policy: Policy) -> Refusal | None:
    most = policy.caps.documents_per_request
    if not isinstance(said, list) or len(said) <= most:
        return None
    return Refusal(413, f"the request has {len(said)} documents; at most {most} documents are taken at once")


def _writes_state(said: Any, policy: Policy) -> Refusal | None:
    if policy.requests.forks or not isinstance(said, dict) or not said.get("supersteps"):
        return None
    return Refusal(403, "the state of a thread is not written by callers here, as it is made neither")


def _asks_for_webhook(said: Any, _policy: Policy) -> Refusal | None:
    """What Aegra would pass over in silence, and somebody would wait for."""
    if not is_aegra() or not isinstance(said, dict) or not said.get("webhook"):
        return None
    why = "Aegra tells nobody of a run's end; wait for the run, or look at its thread"
    return Refusal(403, f"webhooks are not taken from requests here: {why}")


_LOOKS: Mapping[str, Look] = {"/runs/batch": _count, "/threads": _writes_state}
"""Routes of which a server would do a part before it asks anybody, and what of their bodies is looked at here."""

_RUNS = re.compile(r"(/threads/[^/]{1,80})?/runs(/(wait|stream))?")


def _look_for(path: str, policy: Policy) -> Look | None:
    """What of a route's body is looked at here; None where its length is enough."""
    if (is_aegra() or policy.requests.assistants) and _RUNS.fullmatch(path):
        return _asks_for_webhook
    return _LOOKS.get(path)


def assistants_in(said: Any) -> list[str]:
    """Whom the runs are to be of that a body asks for."""
    runs = said if isinstance(said, list) else [said]
    named = [run.get("assistant_id") for run in runs if isinstance(run, dict)]
    return [name for name in named if isinstance(name, str)]


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _too_long(policy: Policy) -> Refusal:
    return Refusal(413, f"the request is too long; its text may have {policy.longest_text} characters here")
