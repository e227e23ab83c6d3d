"""What an address is, and where it leads, told by its letters alone: nothing is looked up."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from cupel.redaction import redact

_AT_HOME = (".local", ".internal", ".lan", ".home.arpa", ".localhost", ".svc", ".test")


def address_problem(url: str) -> str | None:
    """Why nothing can be asked at an address; None where it is one, whether or not anybody answers there.

    >>> address_problem("http://127.0.0.1:8000/v1"), address_problem("http://host:port/v1")
    (None, 'its port is no number from 1 to 65535')
    """
    if not url.isprintable() or " " in url:
        return "it has a space, or a character that no address has, in it"
    if not url.startswith(("http://", "https://")):
        return "it must begin with http:// or https://"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        ends_well = host.encode("idna") if _ip(host) is None else host
    except (ValueError, UnicodeError):
        return "its host cannot be read"
    if not ends_well:
        return "it names no host"
    try:
        port = parts.port
    except ValueError:
        port = 0
    return "its port is no number from 1 to 65535" if port == 0 else None


def host_of(url: str) -> str:
    """An address's host with its port, without credentials; what is no address is its own name, redacted."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return redact(url)
    host = parts.hostname or ""
    return f"[{host}]{port}" if ":" in host else host + port


def is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine.

    >>> is_loopback("127.0.0.1:8000"), is_loopback("localhost"), is_loopback("10.0.0.1")
    (True, True, False)
    """
    address = _ip(host)
    return address.is_loopback if address is not None else _name(host) == "localhost"


def is_nearby(host: str) -> bool:
    """Whether a host is this machine or in a private network, by its number or by its name; nothing is looked up.

    >>> is_nearby("192.168.0.7:8000"), is_nearby("vllm"), is_nearby("gpu.lan"), is_nearby("api.example.com")
    (True, True, True, False)
    """
    address = _ip(host)
    if address is not None:
        return address.is_private or address.is_loopback or address.is_link_local
    name = _name(host)
    return "." not in name or name.endswith(_AT_HOME)


def _name(host: str) -> str:
    return (host.rpartition(":")[0] if host.count(":") == 1 else host).lower().rstrip(".")


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    for text in (host, _name(host), host.rpartition(":")[0]):
        try:
            return ipaddress.ip_address(text.strip("[]"))
        except ValueError:
            continue
    return None
