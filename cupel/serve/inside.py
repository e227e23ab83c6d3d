"""What one of our routes asks of the server it is part of: by the same door, as the same caller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.requests import Request

_PASSED_ON = (
    "authorization",
    "cookie",
    "x-api-key",
    "x-auth-scheme",
    "forwarded",
    "x-forwarded-for",
    "x-real-ip",
    "via",
)
_TIMEOUT_S = 3600.0
"""A run may wait for a provider; whoever called decides how long that is worth."""


@asynccontextmanager
async def ask_inside(request: Request) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose requests go through the whole application again, with the caller's headers and address.

    LangGraph's own client inside a server asks as nobody, past every rule of who owns what: whoever knew a thread's
    id could read it through a route of ours.
    """
    headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
    client = (request.client.host, request.client.port) if request.client else ("0.0.0.0", 0)  # noqa: S104 # no address is listened on: this one is nobody's
    app: Any = request.app
    transport = httpx.ASGITransport(app=app, client=client, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://inside", headers=headers, timeout=_TIMEOUT_S
    ) as asking:
        yield asking
