"""LangSmith: on when asked for with a key, silent otherwise, and never in the way.

The client is our own: a probe at the start, short timeouts, no retries, and a circuit that opens after a few
failures, with one warning. Runs carry task, document, run and prompt version; the verdict, the score and the
confidence go up as feedback. Nodes leave the document out of their own traces: the root run has it once.
"""

from __future__ import annotations

import re
import socket
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langchain_core.runnables.config import var_child_runnable_config
from langgraph.types import TracePolicy

from cupel.state import Outcome

if TYPE_CHECKING:
    from langsmith import Client

TIMEOUT_S = 2.0
MAX_FAILURES = 3
"""Failed batches after which nothing more is sent in this process."""

DEFAULT_ENDPOINT = "https://api.smith.langchain.com"
_ON = ("true", "1", "yes")
_LARGE = ("text", "attempts", "verdicts", "evidence", "record", "output_schema")

PERSONAL = (
    (r"[\w.+-]+@[\w-]+\.[\w.-]+", "<email>"),
    (r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}\b", "<iban>"),
    (r"(?<!\w)\+?\d[\d ()/-]{7,}\d(?!\w)", "<phone>"),
)
"""What `CUPEL_TRACE_MASK=personal` replaces before anything leaves; more by `CUPEL_TRACE_MASK=PATTERN`."""


_unwatched: ContextVar[bool] = ContextVar("cupel_unwatched", default=False)
"""A document of a batch without tracing: nobody reads what its nodes and calls would report."""


def _brief(state: Any) -> Any:
    """A node's state for its trace: sizes in place of what the root run already has."""
    if _unwatched.get() or not isinstance(state, Mapping):
        return state
    sizes = {
        name: f"({len(state[name])})" for name in _LARGE if isinstance(state.get(name), str | list | dict)
    }
    return {name: value for name, value in state.items() if name not in sizes} | sizes


def _brief_update(update: Any) -> Any:
    """A node's update for its trace: whole, but for a text it only hands on."""
    if _unwatched.get() or not isinstance(update, Mapping):
        return update
    return {k: v for k, v in update.items() if k != "text"}


NODE_TRACE = TracePolicy(process_inputs=_brief, process_outputs=_brief_update)
"""For `add_node(..., trace_policy=NODE_TRACE)`."""


class Tracer:
    """Traces the documents of one process, or does nothing.

    Args:
        env: `LANGSMITH_TRACING=true` and `LANGSMITH_API_KEY` switch it on; `LANGSMITH_ENDPOINT`,
            `LANGSMITH_PROJECT` and `CUPEL_TRACE_MASK` shape it.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._asked = _flag(env, "TRACING") or _flag(env, "TRACING_V2")
        self._client: Client | None = None
        self._failures = 0
        self._warned = False
        if self._asked and _key(env):
            self._open()

    @property
    def on(self) -> bool:
        """Whether runs are sent right now."""
        return self._client is not None and self._failures < MAX_FAILURES

    def _open(self) -> None:
        endpoint = (
            self._env.get("LANGSMITH_ENDPOINT") or self._env.get("LANGCHAIN_ENDPOINT") or DEFAULT_ENDPOINT
        )
        problem = reachable(endpoint)
        if problem is not None:
            self._failures = MAX_FAILURES
            self._warn(f"{endpoint} cannot be reached ({problem})")
            return
        self._client = _client(endpoint, self._env, self._failed)

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if self._failures >= MAX_FAILURES:
            self._warn(f"{type(error).__name__}: {str(error)[:120]}")

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            sys.stderr.write(f"LangSmith tracing is off for this run: {why}\n")

    @contextmanager
    def document(
        self, *, task: str, doc_id: str | None, run_id: str, identity: str
    ) -> Iterator[dict[str, Any]]:
        """Trace what is invoked inside; yields the config to invoke it with.

        Without tracing the config is empty, and LangChain's own tracing is held off where the environment
        asks for it without a key.
        """
        token = _unwatched.set(not self.on)
        try:
            with self._traced(task, doc_id, run_id, identity) as config:
                yield config
        finally:
            _unwatched.reset(token)

    @contextmanager
    def _traced(self, task: str, doc_id: str | None, run_id: str, identity: str) -> Iterator[dict[str, Any]]:
        if not self._asked:
            yield {}
            return
        from langsmith import tracing_context

        if not self.on:
            with tracing_context(enabled=False):
                yield {}
            return
        config = {
            "run_id": uuid.uuid4(),
            "run_name": "enrich",
            "tags": [f"task:{task}"],
            "metadata": {"task": task, "doc_id": doc_id, "cupel_run": run_id, "identity": identity},
        }
        project = self._env.get("LANGSMITH_PROJECT") or self._env.get("LANGCHAIN_PROJECT") or "cupel"
        with tracing_context(enabled=True, client=self._client, project_name=project):
            yield config

    def feedback(self, config: Mapping[str, Any], outcome: Outcome) -> None:
        """Send what became of the document as feedback on its trace; in the background, batched."""
        if not self.on or self._client is None or "run_id" not in config:
            return
        trace = config["run_id"]
        values = {"accepted": float(outcome["status"] == "accepted")}
        values |= {name: value for name in ("confidence", "score") if (value := outcome[name]) is not None}
        verdict = outcome["verdicts"][-1]["verdict"] if outcome["verdicts"] else None
        for key, score in values.items():
            self._client.create_feedback(trace, key=key, score=score, trace_id=trace)
        if verdict is not None:
            self._client.create_feedback(trace, key="verdict", value=verdict, trace_id=trace)

    def close(self) -> None:
        """Send what is waiting, within the timeout; then let go."""
        if self._client is not None:
            if self.on:
                self._client.flush(timeout=TIMEOUT_S)
            self._client.close(timeout=TIMEOUT_S)


def call_context(about: Mapping[str, Any]) -> tuple[Context, dict[str, Any] | None]:
    """The context and the config to make one model call in.

    The node's callbacks and metadata are not handed down where nobody watches: merging them for every call
    took a twentieth of the CPU of a run.

    Args:
        about: The call's config where it is traced.
    """
    context = copy_context()
    if not _unwatched.get():
        return context, dict(about)
    context.run(var_child_runnable_config.set, None)
    return context, None


def _flag(env: Mapping[str, str], name: str) -> bool:
    return any(env.get(f"{prefix}_{name}", "").lower() in _ON for prefix in ("LANGSMITH", "LANGCHAIN"))


def _key(env: Mapping[str, str]) -> str:
    return env.get("LANGSMITH_API_KEY") or env.get("LANGCHAIN_API_KEY") or ""


def reachable(endpoint: str) -> str | None:
    """Why an endpoint cannot be reached within `TIMEOUT_S`; None when it can. One TCP connection, no request."""
    parts = urlsplit(endpoint)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=TIMEOUT_S).close()
    except OSError as error:
        return str(error)
    return None


def _client(endpoint: str, env: Mapping[str, str], failed: Any) -> Client:
    from langsmith import Client
    from urllib3 import Retry

    masked = _mask(env)
    return Client(
        endpoint,
        api_key=_key(env),
        retry_config=Retry(total=0),
        timeout_ms=int(TIMEOUT_S * 1000),
        tracing_error_callback=failed,
        anonymizer=masked,
        hide_inputs=_brief_state if masked is None else None,
        info={  # pinned, so that no GET /info is sent
            "batch_ingest_config": {
                "use_multipart_endpoint": True,
                "size_limit": 100,
                "size_limit_bytes": 20_971_520,
                "scale_up_qsize_trigger": 1000,
                "scale_up_nthreads_limit": 4,
                "scale_down_nempty_trigger": 4,
            },
            "instance_flags": {"zstd_compression_enabled": True},
        },
    )


def _brief_state(inputs: dict[str, Any]) -> dict[str, Any]:
    """Inputs of a run; those that are the graph's whole state (a router's) without what the root run has."""
    return dict(_brief(inputs)) if "text" in inputs and "attempts" in inputs else inputs


def _mask(env: Mapping[str, str]) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
    """What replaces personal data in inputs and outputs; None without rules."""
    from langsmith.anonymizer import create_anonymizer

    rules = masking_rules(env.get("CUPEL_TRACE_MASK", ""))
    if not rules:
        return None
    replace = create_anonymizer(rules)  # type: ignore[arg-type]  # a list of rules
    return lambda data: replace(_brief_state(data))


def masking_rules(setting: str) -> list[dict[str, Any]]:
    """What is replaced before anything leaves: nothing, `personal` data, or one's own pattern.

    >>> masking_rules("")
    []
    >>> [rule["replace"] for rule in masking_rules("personal")]
    ['<email>', '<iban>', '<phone>']
    """
    if not setting:
        return []
    patterns = PERSONAL if setting == "personal" else ((setting, "<masked>"),)
    return [{"pattern": re.compile(pattern), "replace": shown} for pattern, shown in patterns]
