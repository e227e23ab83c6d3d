"""The routes beside LangGraph's own, named as `http.app` in langgraph.json.

    GET /cupel/threads/{thread_id}                what became of its document, with every word
    GET /cupel/threads/{thread_id}/calls          every model call of it: the messages sent, the raw reply
    GET /cupel/threads/{thread_id}/calls/{key}    one of them

A thread is asked for with the caller's own headers: where the server lets people in by name, each reads their own.
"""

from __future__ import annotations

from typing import Any

from langgraph_sdk import get_client
from langgraph_sdk.errors import APIStatusError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cupel.cascade import calls_told, unfold
from cupel.engine import current
from cupel.errors import CupelError, tell_client

_PASSED_ON = ("authorization", "cookie", "x-api-key", "x-auth-scheme", "x-user-id", "x-tenant-id")


async def show_document(request: Request) -> Response:
    """The document of a thread as a batch would have it: records, evidence, findings, instructions, text."""
    return await _told(request, one=False, calls=False)


async def show_calls(request: Request) -> Response:
    """The calls of a thread's document, in the order they were made."""
    return await _told(request, one=False, calls=True)


async def show_call(request: Request) -> Response:
    """One call of a thread's document."""
    return await _told(request, one=True, calls=True)


async def _told(request: Request, *, one: bool, calls: bool) -> Response:
    try:
        whole = await unfold(await _state(request))
        if not calls:
            return JSONResponse(whole)
        told = await calls_told(whole, (await current()).run_log)
    except APIStatusError as error:  # not there, or not the caller's
        return _sorry(error.status_code, f"thread {request.path_params['thread_id']} cannot be read")
    except CupelError as error:
        return _sorry(410, tell_client(error))
    if not one:
        return JSONResponse(told)
    key = request.path_params["key"]
    found = next((call for call in told if call["key"] == key), None)
    known = ", ".join(call["key"][:12] for call in told[:5]) or "none"
    return JSONResponse(found) if found else _sorry(404, f"the thread has no call {key}; it has {known}")


async def _state(request: Request) -> dict[str, Any]:
    headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
    client = get_client(headers=headers)
    checkpoint = request.query_params.get("checkpoint_id")
    thread = request.path_params["thread_id"]
    state = await client.threads.get_state(thread, checkpoint_id=checkpoint, headers=headers)
    values = state["values"]
    return dict(values) if isinstance(values, dict) else {}


def _sorry(status: int, why: str) -> Response:
    return JSONResponse({"detail": why}, status_code=status)


app = Starlette(
    routes=[
        Route("/cupel/threads/{thread_id}", show_document),
        Route("/cupel/threads/{thread_id}/calls", show_calls),
        Route("/cupel/threads/{thread_id}/calls/{key}", show_call),
    ]
)
