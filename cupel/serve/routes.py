"""The routes beside LangGraph's own, named as `http.app` in langgraph.json, and the door before all of them.

    GET  /cupel/threads/{thread_id}                what became of its document, with every word
    GET  /cupel/threads/{thread_id}/calls          every model call of it: the messages sent, the raw reply
    GET  /cupel/threads/{thread_id}/calls/{key}    one of them
    GET  /cupel/offer                              what the caller may ask for
    GET  /cupel/metrics                            counts for Prometheus
    GET  /cupel/ok                                 whether the run log can be written
    POST /mcp                                      the graphs as tools

A thread is asked for by the same door with the caller's own headers: each reads their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from cupel.cascade import calls_told, keep_door, unfold
from cupel.engine import current
from cupel.errors import CupelError, tell_client
from cupel.project import find_project
from cupel.serve.door import CALLER, DoorMiddleware, door, open_door
from cupel.serve.exposition import CONTENT_TYPE
from cupel.serve.health import Health
from cupel.serve.inside import ask_inside
from cupel.serve.keeper import Keeper
from cupel.serve.metrics import read_metrics
from cupel.serve.offer import make_offer
from cupel.serve.tools import serve_tools
from cupel.tracing import is_aegra


async def show_document(request: Request) -> Response:
    """The document of a thread as a batch would have it: records, evidence, findings, instructions, text."""
    return await _told(request, one=False, calls=False)


async def show_calls(request: Request) -> Response:
    """The calls of a thread's document, in the order they were made."""
    return await _told(request, one=False, calls=True)


async def show_call(request: Request) -> Response:
    """One call of a thread's document."""
    return await _told(request, one=True, calls=True)


async def show_offer(request: Request) -> Response:
    """What whoever asks may have done here."""
    caller = request.scope.get(CALLER)
    policy = caller.policy if caller is not None else door().policy
    return JSONResponse(await asyncio.to_thread(lambda: make_offer(find_project(), policy)))


async def show_metrics(_request: Request) -> Response:
    """What was done and what it cost, as the run log has it, in Prometheus' text format."""
    runtime = await current()
    told = await asyncio.to_thread(read_metrics, runtime.run_log, runtime.limiter)
    return PlainTextResponse(told, headers={"content-type": CONTENT_TYPE})


async def show_health(_request: Request) -> Response:
    """200 where runs can be paid and counted, 503 with the reason where not; open to anybody."""
    fault = await _health.fault()
    return JSONResponse(
        {"ok": not fault, **({"detail": fault} if fault else {})}, status_code=503 if fault else 200
    )


async def _told(request: Request, *, one: bool, calls: bool) -> Response:
    state = await _state(request)
    if isinstance(state, Response):
        return state
    try:
        whole = await unfold(state)
        if not calls:
            return JSONResponse(whole)
        told = await calls_told(whole, (await current()).run_log)
    except CupelError as error:
        return _sorry(410, tell_client(error))
    if not one:
        return JSONResponse(told)
    key = request.path_params["key"]
    found = next((call for call in told if call["key"] == key), None)
    known = ", ".join(call["key"][:12] for call in told[:5]) or "none"
    return JSONResponse(found) if found else _sorry(404, f"the thread has no call {key[:80]}; it has {known}")


async def _state(request: Request) -> dict[str, Any] | Response:
    """The state of the thread; where the caller may not read it, or it is not there, what to answer."""
    thread = request.path_params["thread_id"]
    checkpoint = request.query_params.get("checkpoint_id")
    place = f"/threads/{quote(thread, safe='')}/state" + (
        f"/{quote(checkpoint, safe='')}" if checkpoint else ""
    )
    async with ask_inside(request) as client:
        answer = await client.get(place)
    if not answer.is_success:  # a slash in a name leads elsewhere: what there is a redirect is nothing here
        status = answer.status_code if answer.status_code >= 400 else 404
        return _sorry(min(status, 499), f"thread {thread[:80]} cannot be read")
    values = answer.json()["values"]
    return dict(values) if isinstance(values, dict) else {}


def _sorry(status: int, why: str) -> Response:
    return JSONResponse({"detail": why}, status_code=status)


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """The door is open as long as the server runs; a `serve.toml` that is wrong lets it not start."""
    await asyncio.to_thread(lambda: open_door(find_project()))
    keep_door(Keeper())
    yield


_health = Health()
_routes = [
    Route("/cupel/threads/{thread_id}", show_document),
    Route("/cupel/threads/{thread_id}/calls", show_calls),
    Route("/cupel/threads/{thread_id}/calls/{key}", show_call),
    Route("/cupel/offer", show_offer),
    Route("/cupel/metrics", show_metrics),
    Route("/cupel/ok", show_health),
    Route("/mcp", serve_tools, methods=["GET", "POST", "DELETE"]),
]
_door = [Middleware(DoorMiddleware)]


def _make_app() -> Starlette:
    """The application, as the server that imports this file takes one."""
    if is_aegra():
        from cupel.serve.aegra import make_app

        return make_app([*_routes, Route("/ok", show_health)], _door, lifespan)
    return Starlette(lifespan=lifespan, routes=_routes, middleware=_door)


app = _make_app()
