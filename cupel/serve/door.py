"""The door of a server: who comes in, what of it is for callers, and how much they may bring.

It stands before every route, LangGraph's own as well, so that what a server of another version adds is closed
until somebody has looked at it.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid5

from cupel.cascade import LOCAL
from cupel.engine import Cap, current, give_back_documents
from cupel.project import Project, find_project, graph_entries
from cupel.serve.body import App, Message, Receive, Scope, Send, assistants_in, is_looked_at, measure
from cupel.serve.inside import NOBODY, ask_as_caller, passed_on
from cupel.serve.keys import Key, find_key, has_keys
from cupel.serve.policy import CLOSED, Policy, read_policy
from cupel.serve.record import note
from cupel.serve.refusal import Refusal

CALLER = "cupel.caller"
"""Under this name a scope says who was let in."""

PASSAGE: ContextVar[Passage | None] = ContextVar("cupel.passage", default=None)
"""The request that is on its way in, for hooks, which a server shows little of it."""

_INSIDE = "/noauth"
"""Root of what the server asks itself; no request can set it."""

_FORWARDED = (
    b"forwarded",
    b"x-forwarded-for",
    b"x-real-ip",
    b"x-forwarded-host",
    b"via",
    b"cf-connecting-ip",
)
_OPEN = ("/ok", "/cupel/ok", "/live", "/ready")
"""They say whether the server is well, and nothing else."""

_METRICS = ("/metrics", "/cupel/metrics")
_GRAPHS = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""The namespace in which LangGraph names a graph's own assistant."""

_KEYS_FRESH_S = 1.0

_ID = r"[^/]{1,80}"
_FOR_CALLERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("GET", re.compile(r"/(info|docs|openapi\.json)?")),
    ("POST", re.compile(r"/assistants/(search|count)")),
    ("GET", re.compile(rf"/assistants/{_ID}(/(graph|schemas|subgraphs(/{_ID})?))?")),
    ("POST", re.compile(r"/threads(/(search|count))?")),
    ("GET PATCH DELETE", re.compile(rf"/threads/{_ID}")),
    ("GET", re.compile(rf"/threads/{_ID}/state(/{_ID})?")),
    ("GET POST", re.compile(rf"/threads/{_ID}/history")),
    ("POST", re.compile(rf"/threads/{_ID}/copy")),
    ("POST", re.compile(r"/runs(/(wait|stream|batch|cancel))?")),
    ("GET POST", re.compile(rf"/threads/{_ID}/runs(/(wait|stream))?")),
    ("GET DELETE", re.compile(rf"/threads/{_ID}/runs/{_ID}")),
    ("GET", re.compile(rf"/threads/{_ID}/runs/{_ID}/(join|stream)")),
    ("GET", re.compile(rf"/threads/{_ID}/stream")),
    ("POST", re.compile(rf"/threads/{_ID}/runs/{_ID}/cancel")),
    ("GET POST DELETE", re.compile(r"/mcp/?")),
    ("GET", re.compile(r"/cupel/offer")),
    ("GET", re.compile(rf"/cupel/threads/{_ID}(/calls(/{_ID})?)?")),
)
_FOR_FORKS = (("POST", re.compile(rf"/threads/{_ID}/state(/checkpoint)?")),)
_FOR_ASSISTANTS = (
    ("POST", re.compile(rf"/assistants(/{_ID}/(versions|latest))?")),
    ("PATCH DELETE", re.compile(rf"/assistants/{_ID}")),
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who was let in.

    Attributes:
        id: Owner of what is made: a key's id, or `local`.
        policy: What they may do; None where everything is allowed.
        kind: `caller`, or `metrics`.
    """

    id: str
    policy: Policy | None
    kind: str = "caller"

    @property
    def owns(self) -> bool:
        """Whether what they make is theirs alone: on one's own machine, without keys, there is nobody else."""
        return self.id != LOCAL


@dataclass(frozen=True, slots=True)
class Passage:
    """One request on its way in.

    Attributes:
        caller: Who was let in.
        is_stateless: It asks for a run on no thread that stays.
        made: Assistants that callers made and it asks for runs of, by their ids: hooks cannot ask for them, as a server
            holds a connection of its database while they decide, and has few.
        taken: The caps a document of it was counted against, for each that was.
    """

    caller: Caller
    is_stateless: bool = False
    made: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    taken: list[Sequence[Cap]] = field(default_factory=list)


class Door:
    """Who may come in, by the keys of the run log and the `serve.toml` that was there at the start.

    Args:
        policy: The owner's; None without a file.
        graphs: Those of langgraph.json.
    """

    def __init__(self, policy: Policy | None, graphs: Iterable[str] = ()) -> None:
        self.policy = policy
        self._graphs = frozenset(graphs)
        self._assistants = {str(uuid5(_GRAPHS, name)): name for name in self._graphs}
        self._asks_keys: tuple[float, bool] = (-_KEYS_FRESH_S, False)

    def graph_of(self, assistant: str) -> str | None:
        """The graph whose own assistant this is, by its id or by the graph's name; None for one that somebody made."""
        return self._assistants.get(assistant.lower(), assistant if assistant in self._graphs else None)

    async def let_in(self, headers: Mapping[bytes, bytes], client: str | None) -> Caller | Refusal:
        """The caller, or why there is none.

        Args:
            headers: Of the request, names in small letters.
            client: The address it comes from, as the server sees it.
        """
        near = _is_near(client) and not any(name in headers for name in _FORWARDED)
        policy = self.policy if self.policy is not None or near else CLOSED
        shown = _key_in(headers)
        run_log = (await current()).run_log
        if not await self._ask_for_keys():
            if near:
                return Caller(LOCAL, policy)
            return Refusal(
                403,
                "this server has no keys, so it answers its own machine alone; its owner makes one with `cupel serve keys create NAME`",
            )
        if not shown:
            return Refusal(
                401, "this server asks for a key: send it as `x-api-key`, or as `authorization: Bearer …`"
            )
        key = await find_key(run_log, shown)
        return _admitted(key, policy)

    async def _ask_for_keys(self) -> bool:
        at, asks = self._asks_keys
        if not asks and time.monotonic() - at > _KEYS_FRESH_S:
            asks = await has_keys((await current()).run_log)
            self._asks_keys = (time.monotonic(), asks)
        return asks


def _admitted(key: Key | None, policy: Policy | None) -> Caller | Refusal:
    if key is None:
        return Refusal(401, "this key is not known here")
    if key.revoked_at is not None:
        return Refusal(401, f"this key was revoked on {key.revoked_at[:10]}")
    return Caller(key.id, policy, key.kind)


def _key_in(headers: Mapping[bytes, bytes]) -> str:
    scheme, _, bearer = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    shown = headers.get(b"x-api-key", b"").decode("latin-1").strip()
    return shown or (bearer.strip() if scheme.lower() == "bearer" else "")


def _is_near(client: str | None) -> bool:
    try:
        return ipaddress.ip_address(client or "").is_loopback
    except ValueError:
        return False


def place_fault(caller: Caller, method: str, path: str) -> Refusal | None:
    """Why a route is not for a caller; None where it is.

    >>> place_fault(Caller("k", Policy()), "POST", "/internal/truncate").status
    403
    """
    if caller.kind == "metrics":
        return None if path in _METRICS else Refusal(403, "this key reads /cupel/metrics and nothing else")
    if caller.policy is None:
        return None
    may = caller.policy.requests
    routes = [*_FOR_CALLERS, *(_FOR_FORKS if may.forks else ()), *(_FOR_ASSISTANTS if may.assistants else ())]
    method = "GET" if method == "HEAD" else method
    if any(method in methods.split() and pattern.fullmatch(path) for methods, pattern in routes):
        return None
    if path in _METRICS and not caller.owns:
        return None
    return Refusal(403, f"{method} {path[:80]} is not for callers of this server")


class DoorMiddleware:
    """The door, before an ASGI application."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        root = str(scope.get("root_path") or "")
        if scope["type"] not in ("http", "websocket") or root == _INSIDE or root.startswith(f"{_INSIDE}/"):
            await self.app(scope, receive, send)
            return
        path, method = str(scope["path"]), str(scope.get("method") or "GET")
        headers = dict(scope.get("headers") or ())
        asks_first = method == "OPTIONS" and b"access-control-request-method" in headers
        if path in _OPEN or asks_first:
            await self.app(scope, receive, send)
            return
        client, said = scope.get("client"), None
        caller = await door().let_in(headers, client[0] if client else None)
        refusal = caller if isinstance(caller, Refusal) else place_fault(caller, method, path)
        if refusal is None and isinstance(caller, Caller) and is_looked_at(method, path, caller.policy):
            brought = await measure(caller.policy, headers, receive, path)
            receive, refusal, said = brought.receive, brought.refusal, brought.said
        if isinstance(caller, Refusal) or refusal is not None:
            await _turn_away(refusal or Refusal(403, ""), scope, send)
            return
        scope[CALLER] = caller
        passage = Passage(caller, path.startswith("/runs"), await self._made_assistants(scope, said))
        token = PASSAGE.set(passage)
        try:
            await self.app(scope, receive, _giving_back(passage, send) if caller.policy is not None else send)
        finally:
            PASSAGE.reset(token)

    async def _made_assistants(self, scope: Scope, said: Any) -> dict[str, dict[str, Any]]:
        """Assistants that a body names and that are no graph's own, as the server shows them to this caller."""
        named = [name for name in assistants_in(said) if door().graph_of(name) is None]
        if not named:
            return {}
        app, client = scope.get("app") or self, scope.get("client") or NOBODY
        async with ask_as_caller(app, client, passed_on(scope.get("headers") or ())) as asking:
            answers = [await asking.get(f"/assistants/{quote(name, safe='')}") for name in set(named)]
        shown = [answer.json() for answer in answers if answer.is_success]
        return {
            str(one["assistant_id"]): one for one in shown if isinstance(one, dict) and "assistant_id" in one
        }


def _giving_back(passage: Passage, send: Send) -> Send:
    """The same `send`, but what a request took is given back where the server refuses it after all: no run began.

    Of a batch some may have, so its documents stay taken.
    """

    async def sent(message: Message) -> None:
        if (
            message["type"] == "http.response.start"
            and 400 <= message["status"] < 500
            and len(passage.taken) == 1
        ):
            await give_back_documents((await current()).run_log, passage.taken.pop(), 1)
        await send(message)

    return sent


async def _turn_away(refusal: Refusal, scope: Scope, send: Send) -> None:
    from starlette.responses import JSONResponse

    note("refused", status=refusal.status, path=str(scope["path"])[:80], why=refusal.why[:200])
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.why[:120]})
        return
    headers = {"www-authenticate": "Bearer"} if refusal.status == 401 else {}
    answer = JSONResponse({"detail": refusal.why}, status_code=refusal.status, headers=headers)
    await answer(scope, _nothing, send)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


_HERE = Path.cwd()  # asked once at import: os.getcwd blocks, and a request may not
_doors: list[Door] = []


def open_door(project: Project) -> None:
    """Read `serve.toml` once, so that all of a server's life is under one.

    Raises:
        SettingError: If the file is wrong: then the server does not start.
    """
    _doors[:] = [Door(read_policy(project), graph_entries(project))]


def door() -> Door:
    """This process's."""
    if not _doors:  # a server that knows no `lifespan` of ours
        open_door(find_project(_HERE))
    return _doors[0]
