"""What one of our routes asks of the server it is part of: by the same door, as the same caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
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


NOBODY = ("0.0.0.0", 0)  # noqa: S104 # no address is listened on: this one is nobody's


@asynccontextmanager
async def ask_inside(request: Request) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose requests go through the whole application again, with the caller's headers and address.

    LangGraph's own client inside a server asks as nobody, past every rule of who owns what: whoever knew a thread's
    id could read it through a route of ours.
    """
    client = (request.client.host, request.client.port) if request.client else NOBODY
    async with ask_as_caller(request.app, client, passed_on(request.headers.raw)) as asking:
        yield asking


def passed_on(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Those of a request's headers that say who asks."""
    said = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    return {name: said[name] for name in _PASSED_ON if name in said}


@asynccontextmanager
async def ask_as_caller(
    app: Any, client: tuple[str, int], headers: Mapping[str, str]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an ASGI application in this process, for whoever came from an address with these headers."""
    transport = httpx.ASGITransport(app=app, client=client, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://inside", headers=dict(headers), timeout=_TIMEOUT_S
    ) as asking:
        yield asking
