"""One aiohttp session per event loop, for everything that goes to a provider.

A session belongs to the loop it was opened in: shared between loops, every second `asyncio.run` would
find its connections closed. It closes with its loop (`asyncio.run` closes asynchronous generators, and a
generator holds it), or earlier through `close_sessions`. The SDKs' own HTTP clients take several times the CPU, and
the one below langchain-groq grows with the square of the connections.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import os
import ssl
import urllib.request
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from cupel import __version__
from cupel.errors import LEAST_CONNECTIONS, connections_at_once

CONNECT_S = 30.0
AGENT = f"cupel/{__version__}"


@dataclass(slots=True)
class _Session:
    """What one event loop holds open."""

    client: aiohttp.ClientSession
    keeper: AsyncGenerator[None]


_sessions: dict[asyncio.AbstractEventLoop, _Session] = {}


async def session_of_this_loop() -> aiohttp.ClientSession:
    """The running loop's connections; opened now if it is the first call."""
    held = _sessions.get(asyncio.get_running_loop())
    if held is None or held.client.closed:
        held = await _open()
    return held.client


async def close_sessions() -> None:
    """Close this loop's connections; the next call opens new ones."""
    held = _sessions.get(asyncio.get_running_loop())
    if held is not None:
        await held.keeper.aclose()


async def _open() -> _Session:
    # how many calls are in flight is decided by the limiter, for each model; here only what this process may open
    at_once = connections_at_once()
    limit = 0 if at_once is None else max(at_once, LEAST_CONNECTIONS)
    connector = aiohttp.TCPConnector(limit=limit, ttl_dns_cache=300, keepalive_timeout=30, ssl=tls())
    client = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
    keeper = _close_with_the_loop(client)
    held = _sessions[asyncio.get_running_loop()] = _Session(client, keeper)
    await anext(keeper)
    return held


async def _close_with_the_loop(session: aiohttp.ClientSession) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        # a session knows its loop: left here, it would keep a closed loop alive
        _sessions.pop(asyncio.get_running_loop(), None)
        await session.close()


@functools.lru_cache(maxsize=64)
def proxy_for(url: str) -> str | None:
    """The proxy the environment names for this address; none on the loopback."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@functools.cache
def tls() -> ssl.SSLContext:
    """The system's certificates and certifi's, unless SSL_CERT_FILE or SSL_CERT_DIR names one's own."""
    context = ssl.create_default_context()
    if not (os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")):
        try:
            import certifi
        except ImportError:
            return context
        context.load_verify_locations(certifi.where())
    return context
