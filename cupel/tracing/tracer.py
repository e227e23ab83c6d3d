"""LangSmith: on when asked for with a key, silent otherwise, and never in the way.

The client is our own: a probe at the start, short timeouts, and a circuit that opens after a few failures, with one
warning. Runs carry task, document, run and prompt version, calls their tokens and cost; the verdict, the score, the
confidence and what a person answered go up as feedback. Nodes leave the document out of their own traces: the root run
and the first call that asks about all of it have it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import socket
import sys
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from queue import Empty
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langchain_core.runnables.config import var_child_runnable_config
from langgraph.types import Command, TracePolicy

from cupel.errors import SettingError
from cupel.models import cost, price
from cupel.project import address_problem, announce_destination, announce_place
from cupel.redaction import mask_values, redact, remember_secrets
from cupel.state import Outcome
from cupel.tracing.commits import HubCommits
from cupel.tracing.mask import Mask
from cupel.tracing.served import is_asked_for
from cupel.tracing.transport import Sending

if TYPE_CHECKING:
    from langsmith import Client

    from cupel.tracing.document_tracer import DocumentTracer

TIMEOUT_S = 2.0
CLOSE_S = 1.5
"""What may be spent on sending what is waiting when the process ends."""

MOST_WAITING = 5_000
"""Runs waiting to be sent, a few hundred documents, beyond which a document goes untraced: memory is not for traces."""

_SPEAKS = "0.13.0"
"""Version of the server the SDK is told: from 0.8.10 on feedback is sent in the background with the runs."""

DEFAULT_ENDPOINT = "https://api.smith.langchain.com"
_LARGE = (
    "text", "attempts", "verdicts", "addenda", "evidence", "record", "output_schema", "meta", "windows", "settings",
    "held", "path",
)  # fmt: skip

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
    return {
        name: value for name, value in state.items() if name not in sizes and value not in (None, [], {})
    } | sizes


def _brief_update(update: Any) -> Any:
    """A node's update for its trace, without what the root or the call below it has; and where it sends the document."""
    if _unwatched.get():
        return update
    if isinstance(update, Command):
        return {**_brief_update(update.update), "next": update.goto}
    if not isinstance(update, Mapping):
        return update
    from cupel.tracing.document_tracer import brief_attempt, brief_verdict

    told = {k: v for k, v in update.items() if k not in ("text", "record", "evidence")}
    for name, brief in (("attempts", brief_attempt), ("verdicts", brief_verdict)):
        if name in told:  # a list, or one that takes the place of what was there
            told[name] = [brief(item) for item in getattr(told[name], "value", told[name])]
    return told


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
        ledger: Reads the ledger's entries, which say what commit of the hub a prompt is.

    Raises:
        SettingError: `CUPEL_TRACE_MASK` is no pattern.
    """

    def __init__(
        self, env: Mapping[str, str], ledger: Callable[[], Iterable[Mapping[str, Any]]] = tuple
    ) -> None:
        self._env = env
        self._commits = HubCommits(ledger)
        self._asked = is_asked_for(env)
        self._client: Client | None = None
        self._sending = Sending(TIMEOUT_S, self._give_up)
        if self._asked and _key(env):
            self._open()
            self._commits.read()

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
            "callbacks": [self._watcher()],
        }
        with tracing_context(enabled=True, client=self._client, project_name=self._project):
            yield config

    @property
    def _project(self) -> str:
        return self._env.get("LANGSMITH_PROJECT") or self._env.get("LANGCHAIN_PROJECT") or "cupel"

    def _watcher(self, on_end: Callable[[Any, Mapping[str, Any]], None] | None = None) -> DocumentTracer:
        from cupel.tracing.document_tracer import DocumentTracer, Trace

        assert self._client is not None
        trace = Trace(price=lambda about: call_costs(about, self._env), commit=self._commits.of)
        if on_end is not None:
            trace.on_end = on_end
        return DocumentTracer.of(trace, self._client, self._project)

    def serve(self, config: Mapping[str, Any] | None, about: Mapping[str, Any]) -> dict[str, Any]:
        """The config of a run that a server walks, watched where tracing is on.

        What `document` does for a batch: tags, the document's id, and its outcome as feedback once it is there.

        Args:
            config: As the server made it.
            about: What to say of the run: `task`, `doc_id` and whatever else is known at its start.
        """
        given = dict(config or {})
        if not self.on or not self._keeps_up():
            return given
        said = {name: value for name, value in about.items() if value}
        tags = [*(given.get("tags") or ()), *([f"task:{said['task']}"] if "task" in said else ())]
        callbacks = given.get("callbacks") or []
        watcher = self._watcher(self._note)
        if isinstance(callbacks, list):
            callbacks = [*callbacks, watcher]
        else:
            callbacks = callbacks.copy()
            callbacks.add_handler(watcher)
        metadata = {"cupel_run": "served", **(given.get("metadata") or {}), **said}
        return {**given, "tags": tags, "metadata": metadata, "callbacks": callbacks}

    def _note(self, trace: Any, outcome: Mapping[str, Any]) -> None:
        if outcome.get("status"):  # not where it stops for a person
            self.feedback({"run_id": trace}, outcome)

    def feedback(self, config: Mapping[str, Any], outcome: Outcome | Mapping[str, Any]) -> None:
        """Send what became of the document as feedback on its trace; in the background, batched."""
        if not self.on or self._client is None or "run_id" not in config:
            return
        trace, values = config["run_id"], feedback_of(outcome)
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


def feedback_of(outcome: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What became of a document, as LangSmith's feedback: a name → its score or value.

    A person's answer is one of accept, edit, respond and ignore; what they wrote stays here.

    >>> feedback_of({"status": "accepted", "score": 0.5, "verdicts": [{"verdict": "accepted"}], "review": {"action": "edit"}})
    {'accepted': {'score': 1.0}, 'score': {'score': 0.5}, 'verdict': {'value': 'accepted'}, 'person': {'value': 'edit'}}
    """
    values: dict[str, dict[str, Any]] = {"accepted": {"score": float(outcome["status"] == "accepted")}}
    values |= {
        name: {"score": outcome[name]} for name in ("confidence", "score") if outcome.get(name) is not None
    }
    if outcome.get("verdicts"):
        values["verdict"] = {"value": outcome["verdicts"][-1]["verdict"]}
    if outcome.get("review"):
        values["person"] = {"value": outcome["review"]["action"]}
    return values


@dataclass(frozen=True, slots=True)
class _Tokens:
    """A call's tokens, as a price is asked for."""

    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int


def call_costs(about: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, float]:
    """What a call cost, under the names LangSmith looks for in `usage_metadata`; nothing where the price is unknown.

    Args:
        about: `model`, `usage` as LangChain has it, and the reply's `details`, in which some providers say what they billed.
        env: Where prices of one's own are.
    """
    usage, details = about["usage"], about["details"]
    read, written = (
        (usage.get("input_token_details") or {}).get(name) or 0 for name in ("cache_read", "cache_creation")
    )
    asked, said = usage.get("input_tokens") or 0, usage.get("output_tokens") or 0
    rates = price(about["model"], env) if about.get("model") else None
    asking, saying = (
        cost(rates, _Tokens(*tokens)) for tokens in ((asked, read, written, 0), (0, 0, 0, said))
    )
    billed = details.get("cost_usd")
    if billed is not None:
        return {"total_cost": float(billed)}
    if asking is None or saying is None:
        return {}
    return {"input_cost": asking, "output_cost": saying, "total_cost": asking + saying}


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
        anonymizer=cleaned(env),
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


def cleaned(env: Mapping[str, str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What becomes of a run's inputs, outputs, metadata and error before they leave: no secret, and no personal data
    where there are rules for it.
    """  # noqa: D205
    rules = masking_rules(env.get("CUPEL_TRACE_MASK", ""))
    mask = Mask(rules) if rules else None

    def clean(data: dict[str, Any]) -> dict[str, Any]:
        shown = mask_values(_brief_state(data))
        if isinstance(shown.get("error"), str):  # an exception with its traceback
            shown["error"] = redact(shown["error"])
        if mask is None:
            return dict(shown)
        hidden: dict[str, Any] = _hide(shown, mask, lambda doc_id: pseudonym(doc_id, mask, _key(env)))
        return hidden

    return clean


def _hide(value: Any, mask: Callable[[str], str], name: Callable[[str], str]) -> Any:
    """A value with every text in it masked, and each document's id by the name that tells it from others."""
    match value:
        case str():
            return mask(value)
        case Mapping():
            return {
                mask(key) if isinstance(key, str) else key: name(inner)
                if key == "doc_id" and isinstance(inner, str)
                else _hide(inner, mask, name)
                for key, inner in value.items()
            }
        case list() | tuple() | set():
            return [_hide(inner, mask, name) for inner in value]
        case None | bool() | int() | float() | uuid.UUID():
            return value
        case _:
            return mask(str(value))


def pseudonym(doc_id: str, mask: Callable[[str], str], key: str) -> str:
    """A document's id, where nothing in it is masked; else a name by which it stays apart from all others.

    Args:
        doc_id: The id.
        mask: What hides personal data.
        key: Known here alone, so that nobody who sees the name can try all telephone numbers.

    >>> pseudonym("speech 7", lambda text: text, "k"), pseudonym("a@b.org", lambda _: "<email>", "k")
    ('speech 7', 'masked-59abf5ed32ec')
    """
    if mask(doc_id) == doc_id:
        return doc_id
    return f"masked-{hmac.new(key.encode(), doc_id.encode(), hashlib.sha256).hexdigest()[:12]}"


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
