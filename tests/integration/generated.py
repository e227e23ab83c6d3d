"""Requests that nobody would write, of our own routes."""

from __future__ import annotations

import json
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

NAMES = (
    st.text(min_size=1, max_size=40)
    | st.uuids().map(str)
    | st.sampled_from(["..", "%00", "a/b", "\x00", "é" * 200])
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("text", "doc_id", "meta", "output_schema", "x"), VALUES)
    | {"task": st.sampled_from(["arguments", "stance", 1]), "detail": st.sampled_from(["short", "full", 1, None])},
)  # fmt: skip
CALLS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["enrich", "compare", "x", 1]),
        "arguments": ARGUMENTS | VALUES,
        "context": VALUES,
    }
)
METHODS = st.sampled_from(["initialize", "ping", "tools/list", "tools/call", "x"])
MESSAGES = VALUES | st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "id": VALUES, "method": METHODS | VALUES, "params": CALLS | VALUES}
)
PATHS = st.builds(
    lambda thread, key, tail: f"/cupel/threads/{quote(thread, safe='')}{tail.format(quote(key, safe=''))}",
    NAMES, NAMES, st.sampled_from(["", "/calls", "/calls/{}"]),
)  # fmt: skip
REQUESTS = st.one_of(
    st.tuples(st.just("GET"), PATHS, st.just({}) | st.fixed_dictionaries({"checkpoint_id": NAMES}), st.none()),
    st.tuples(st.just("POST"), st.just("/mcp"), st.just({}), MESSAGES.map(json.dumps) | st.text(max_size=30)),
    st.tuples(st.sampled_from(["GET", "DELETE", "PATCH", "HEAD"]), st.sampled_from(["/mcp", "/cupel/metrics"]), st.just({}), st.none()),
)  # fmt: skip


def ask_at_random(url: str, headers: dict[str, str], *, examples: int) -> list[str]:
    """Ask our routes for generated things; returns what a server of ours must not have answered.

    Args:
        url: The server.
        headers: A caller's key.
        examples: How many requests.
    """
    failures: list[str] = []
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:

        @settings(
            max_examples=examples, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(asked=REQUESTS)
        def ask(asked: tuple[str, str, dict[str, str], str | None]) -> None:
            method, path, query, body = asked
            answer = client.request(
                method, path, params=query, content=body and body.encode("utf-8", "replace")
            )
            if answer.status_code >= 500:
                failures.append(f"{asked}: {answer.status_code} {answer.text[:200]}")

        ask()
    return failures
