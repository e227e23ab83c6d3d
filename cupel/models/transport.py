"""One HTTP session per event loop, and one way to post JSON through it.

A session belongs to the loop it was opened in: shared between loops, every second `asyncio.run` would
find its connections closed. It closes with its loop (`asyncio.run` closes asynchronous generators, and a
generator holds it), or earlier through `close_sessions`.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import os
import ssl
import urllib.request
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDict

from cupel import __version__
from cupel.models.endpoints import Endpoint
from cupel.models.failures import ProviderConnectionError, ProviderTimeoutError

_CONNECT_S = 30.0
_KEPT = ("x-ratelimit", "ratelimit", "retry-after", "x-request-id", "date")


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, read to its end."""

    status: int
    headers: dict[str, str]
    """Names in lower case; only those about limits, `date` and `x-request-id`."""

    content: bytes


_sessions: dict[asyncio.AbstractEventLoop, tuple[aiohttp.ClientSession, AsyncGenerator[None]]] = {}


async def post(where: Endpoint, path: str, body: bytes, *, timeout_s: float, model: str = "") -> Reply:
    """Post JSON and read the whole answer, whatever its status.

    Args:
        where: The API and its key.
        path: Below the address, such as `/chat/completions`.
        body: The JSON document.
        timeout_s: For everything together, from the connection to the last byte.
        model: Named in the error.

    Raises:
        ProviderTimeoutError: No answer in time.
        ProviderConnectionError: No connection, or it broke before the answer was complete.
    """
    session = await _session()
    try:
        async with session.post(
            where.url + path,
            data=body,
            headers=_headers(where),
            timeout=_timeout(timeout_s),
            proxy=_proxy(where.url),
        ) as response:
            return Reply(response.status, _kept(response.headers), await response.read())
    except TimeoutError:
        raise ProviderTimeoutError(f"no answer within {timeout_s:g} s", model=model) from None
    except (aiohttp.ClientError, OSError) as error:
        said = str(error) or type(error).__name__
        raise ProviderConnectionError(f"connection to {where.url} failed: {said}", model=model) from error


async def close_sessions() -> None:
    """Close this loop's connections; the next call opens new ones."""
    held = _sessions.get(asyncio.get_running_loop())
    if held is not None:
        await held[1].aclose()


async def _session() -> aiohttp.ClientSession:
    loop = asyncio.get_running_loop()
    held = _sessions.get(loop)
    if held is not None and not held[0].closed:
        return held[0]
    # no limit here: how many calls are in flight is decided by the limiter, for each model
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, keepalive_timeout=30, ssl=_tls())
    session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
    keeper = _close_with_the_loop(session)
    _sessions[loop] = (session, keeper)
    await anext(keeper)
    return session


async def _close_with_the_loop(session: aiohttp.ClientSession) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        # a session knows its loop: left here, it would keep a closed loop alive
        _sessions.pop(asyncio.get_running_loop(), None)
        await session.close()


@functools.lru_cache(maxsize=64)
def _headers(where: Endpoint) -> CIMultiDict[str]:
    headers = CIMultiDict({"content-type": "application/json", "user-agent": f"cupel/{__version__}"})
    if where.key:
        headers["authorization"] = f"Bearer {where.key}"
    return headers


@functools.lru_cache(maxsize=64)
def _timeout(timeout_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, _CONNECT_S))


@functools.lru_cache(maxsize=64)
def _proxy(url: str) -> str | None:
    """The proxy the environment names for this address; aiohttp would look it up on every call."""
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
def _tls() -> ssl.SSLContext:
    """The system's certificates and certifi's, unless SSL_CERT_FILE or SSL_CERT_DIR names one's own."""
    context = ssl.create_default_context()
    if not (os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")):
        try:
            import certifi
        except ImportError:
            return context
        context.load_verify_locations(certifi.where())
    return context


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {lower: value for name, value in headers.items() if (lower := name.lower()).startswith(_KEPT)}
