"""Replies that spoil more than their own row where a program trusts them, each by its name."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any

from cupel.testing.replies import RawReply, completion
from tests.integration.cascade import record

_WRITTEN = json.dumps(record())
_BOMB = gzip.compress(b" " * 10_000_000) * 400
"""Four gigabytes in four megabytes, as a server may pack them."""


def _with(matter: str) -> str:
    """The record with this as the JSON of its `matter`."""
    return _WRITTEN.replace('"housing"', matter)


def _http(body: bytes, **more: Any) -> Callable[[dict[str, Any]], RawReply]:
    return lambda _: RawReply(body=body, **more)


def _says(text: str) -> Callable[[dict[str, Any]], RawReply]:
    """A completion that says this, without log-probabilities."""
    return lambda body: RawReply(body=completion(body | {"logprobs": False}, text, None))


POISONS: Mapping[str, Callable[[dict[str, Any]], RawReply]] = {
    "half a character": _says(_with('"\ud83d"')),
    "half a character, escaped": _says(_with('"\\ud83d"')),
    "NUL": _says(_with('"a\x00b"')),
    "NUL, escaped": _says(_with('"a\\u0000b"')),
    "10,000 levels": _says('{"matter":' * 10_000),
    "10,000 levels, closed": _says(_with("[" * 10_000 + "]" * 10_000)),
    "10,000 levels of HTTP": _http(b"[" * 10_000),
    "1 MB of spaces": _says("```" + " " * 1_000_000),
    "endless": _http(b" " * 65_536, drip_s=0),
    "endless, in drips": _http(b"x", drip_s=0.5),
    "gzip bomb": _http(_BOMB, headers={"Content-Encoding": "gzip"}),
    "8 MB of lists": _http(b"[" + b"[]," * 2_600_000 + b"[]]"),
    "5,000 digits": _says(_with("9" * 5_000)),
    "5,000 digits as a reference": _says(_WRITTEN.replace('"supports": 1', '"supports": ' + "9" * 5_000)),
    "1e999": _says(_with("1e999")),
    "NaN": _says(_with("NaN")),
    "a key twice": _says(_with('"housing", "matter": "homes"')),
}
"""From a request's body to the reply, by its name."""
