"""LangSmith: on when asked for with a key, silent otherwise, and never in the way.

The client is our own: a probe at the start, short timeouts, and a circuit that opens after a few failures, with one
warning. Runs carry task, document, run and prompt version; the verdict, the score and the
confidence go up as feedback. Nodes leave the document out of their own traces: the root run has it once.
"""

from __future__ import annotations

import logging
import re
import socket
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar, copy_context
from queue import Empty
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langchain_core.runnables.config import var_child_runnable_config
from langgraph.types import Command, TracePolicy

from cupel.errors import SettingError
from cupel.project import address_problem, announce_destination, announce_place
from cupel.redaction import mask_values, redact, remember_secrets
from cupel.state import Outcome
from cupel.tracing.mask import Mask
from cupel.tracing.transport import Sending

if TYPE_CHECKING:
    from langsmith import Client

TIMEOUT_S = 2.0
CLOSE_S = 1.5
"""What may be spent on sending what is waiting when the process ends."""

MOST_WAITING = 5_000
"""Runs waiting to be sent, a few hundred documents, beyond which a document goes untraced: memory is not for traces."""

_SPEAKS = "0.13.0"
"""Version of the server the SDK is told: from 0.8.10 on feedback is sent in the background with the runs."""

DEFAULT_ENDPOINT = "https://api.smith.langchain.com"
_ON = ("true", "1", "yes")
_LARGE = ("text", "attempts", "verdicts", "evidence", "record", "output_schema")

PERSONAL = (
    (r"[\w.+-]{1,128}+@[\w-]{1,128}+\.[\w.-]++", "<email>"),
    (r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b", "<iban>"),
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
    """A node's update for its trace: whole, but for a text it only hands on; and where it sends the document."""
    if _unwatched.get():
        return update
    if isinstance(update, Command):
        return {**_brief_update(update.update), "next": update.goto}
    return {k: v for k, v in update.items() if k != "text"} if isinstance(update, Mapping) else update


_SWITCHES = tuple(
    f"{family}_{name}"
    for family in ("LANGSMITH", "LANGCHAIN")
    for name in ("TRACING", "TRACING_V2", "API_KEY")
)
"""What turns tracing on, and says whose account it goes to."""

NODE_TRACE = TracePolicy(process_inputs=_brief, process_outputs=_brief_update)
"""For `add_node(..., trace_policy=NODE_TRACE)`."""


class Tracer:
    """Traces the documents of one process, or does nothing.

    Args:
        env: `LANGSMITH_TRACING=true` and `LANGSMITH_API_KEY` switch it on; `LANGSMITH_ENDPOINT`,
            `LANGSMITH_PROJECT` and `CUPEL_TRACE_MASK` shape it.

    Raises:
        SettingError: `CUPEL_TRACE_MASK` is no pattern.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._asked = _flag(env, "TRACING") or _flag(env, "TRACING_V2")
        self._client: Client | None = None
        self._sending = Sending(TIMEOUT_S, self._give_up)
        if self._asked and _key(env):
            self._open()

    @property
    def on(self) -> bool:
        """Whether runs are sent right now."""
        return self._client is not None and not self._sending.closed

    def _open(self) -> None:
        masking_rules(self._env.get("CUPEL_TRACE_MASK", ""))  # a person who asked for one must not go without
        endpoint = where(self._env)
        problem = reachable(endpoint)
        if problem is not None:
            self._sending.note_failure(f"{endpoint} cannot be reached ({problem})", for_good=True)
            return
        self._client = langsmith_client(endpoint, self._env, self._sending)

    def _give_up(self, why: str) -> None:
        """Say so once, and let go of what is waiting."""
        sys.stderr.write(f"LangSmith tracing is off for this run: {redact(why)}\n")
        queue = self._client.tracing_queue if self._client is not None else None
        with suppress(Empty):
            while queue is not None:
                queue.get_nowait()
                queue.task_done()

    def _keeps_up(self) -> bool:
        """Whether what is waiting is little enough for another document."""
        queue = self._client.tracing_queue if self._client is not None else None
        return queue is None or queue.qsize() < MOST_WAITING

    @contextmanager
    def document(
        self, *, task: str, doc_id: str | None, run_id: str, identity: str
    ) -> Iterator[dict[str, Any]]:
        """Trace what is invoked inside; yields the config to invoke it with.

        Without tracing the config is empty, and LangChain's own tracing is held off where the environment
        asks for it without a key.
        """
        token = _unwatched.set(not self.on or not self._keeps_up())
        try:
            with self._trace(task, doc_id, run_id, identity) as config:
                yield config
        finally:
            _unwatched.reset(token)

    @contextmanager
    def _trace(self, task: str, doc_id: str | None, run_id: str, identity: str) -> Iterator[dict[str, Any]]:
        if not self._asked:
            yield {}
            return
        from langsmith import tracing_context

        if not self.on or not self._keeps_up():
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
        values: dict[str, dict[str, Any]] = {"accepted": {"score": float(outcome["status"] == "accepted")}}
        values |= {
            name: {"score": outcome[name]} for name in ("confidence", "score") if outcome[name] is not None
        }
        if outcome["verdicts"]:
            values["verdict"] = {"value": outcome["verdicts"][-1]["verdict"]}
        # the SDK has been seen to raise here, and a document is not lost to that
        with suppress(Exception):
            for key, value in values.items():
                self._client.create_feedback(trace, key=key, trace_id=trace, **value)

    def close(self) -> None:
        """Send what is waiting, within `CLOSE_S`; then let go, whatever is left."""
        if self._client is None:
            return
        if self.on:
            self._sending.end_within(CLOSE_S)
            self._client.flush(timeout=CLOSE_S)
        self._sending.closed = True
        self._client.close(timeout=0)


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


def where(env: Mapping[str, str]) -> str:
    """The endpoint LangSmith is at."""
    return env.get("LANGSMITH_ENDPOINT") or env.get("LANGCHAIN_ENDPOINT") or DEFAULT_ENDPOINT


def reachable(endpoint: str) -> str | None:
    """Why an endpoint cannot be reached within `TIMEOUT_S`; None when it can. One TCP connection, no request."""
    if problem := address_problem(endpoint):
        return problem
    parts = urlsplit(endpoint)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=TIMEOUT_S).close()
    except (OSError, UnicodeError) as error:
        return str(error)
    return None


def langsmith_client(endpoint: str, env: Mapping[str, str], sending: Sending) -> Client:
    """A client of the SDK that is never in the way: what it sends is cut short, and it says nothing itself."""
    from langsmith import Client
    from urllib3 import Retry

    logging.getLogger("langsmith").addHandler(logging.NullHandler())
    # it would be found by one more request, and runs carry their project already
    warnings.filterwarnings("ignore", message="Creating feedback for a run without session_id")
    remember_secrets(env)
    key = "LANGSMITH_API_KEY" if env.get("LANGSMITH_API_KEY") else "LANGCHAIN_API_KEY"
    announce_destination(
        endpoint, env, names=("LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT"), key=key if _key(env) else "",
        default_url=DEFAULT_ENDPOINT,
    )  # fmt: skip
    announce_place("documents are traced to", endpoint, env, names=_SWITCHES)
    return Client(
        endpoint,
        api_key=_key(env),
        session=sending.session(),
        retry_config=Retry(total=0),
        anonymizer=_cleaned(env),
        omit_traced_runtime_info=True,
        info={  # pinned, so that no GET /info is sent
            "version": _SPEAKS,
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


def _cleaned(env: Mapping[str, str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What becomes of a run's inputs, outputs, metadata and error before they leave: no secret, and no personal data
    where there are rules for it.
    """  # noqa: D205
    from langsmith.anonymizer import create_anonymizer

    rules = masking_rules(env.get("CUPEL_TRACE_MASK", ""))
    replace = create_anonymizer(Mask(rules)) if rules else None  # type: ignore[arg-type]  # a function of the text alone

    def clean(data: dict[str, Any]) -> dict[str, Any]:
        shown = mask_values(_brief_state(data))
        if isinstance(shown.get("error"), str):  # an exception with its traceback
            shown["error"] = redact(shown["error"])
        return shown if replace is None else dict(replace(shown))

    return clean


def masking_rules(setting: str) -> list[dict[str, Any]]:
    """What is replaced before anything leaves: nothing, `personal` data, or one's own pattern.

    >>> masking_rules("")
    []
    >>> [rule["replace"] for rule in masking_rules("personal")]
    ['<email>', '<iban>', '<phone>']

    Raises:
        SettingError: It is no pattern.
    """
    if not setting:
        return []
    patterns = PERSONAL if setting == "personal" else ((setting, "<masked>"),)
    try:
        re.compile(patterns[0][0])
    except (re.error, OverflowError, RecursionError) as error:
        raise SettingError(
            f"CUPEL_TRACE_MASK: {setting!r} is no pattern ({error}); give `personal`, or a regular expression of Python"
        ) from error
    return [{"pattern": re.compile(pattern), "replace": shown} for pattern, shown in patterns]
