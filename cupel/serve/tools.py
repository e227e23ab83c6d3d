"""The graphs as tools of the Model Context Protocol: those a caller may use, and answers short enough for a model to read.

POST /mcp     initialize, ping, tools/list, tools/call (Streamable HTTP, one JSON answer each)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cupel import __version__
from cupel.errors import tell_client
from cupel.serve.inside import ask_inside
from cupel.serve.policy import Policy

MOST_BYTES = 3_000
VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
_INVALID_REQUEST, _NO_METHOD, _BAD_PARAMS = -32600, -32601, -32602
_QUOTE_CHARS = 80
_DETAIL = {
    "type": "string", "enum": ["short", "full"], "default": "short",
    "description": "`short` is record, status, reasons and evidence; `full` is all there is: attempts, verdicts, calls, costs.",
}  # fmt: skip
_OF_SCHEMAS = ("output_schema", "instructions")


class _ToolError(Exception):
    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why


async def serve_tools(request: Request) -> Response:
    """One message of the protocol, answered."""
    if request.method != "POST":
        return Response(status_code=405, headers={"allow": "POST"})
    try:
        message = json.loads(await request.body())
    except (ValueError, RecursionError):
        return _error(None, _INVALID_REQUEST, "the message is no JSON", 400)
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return _error(None, _INVALID_REQUEST, "give one message of JSON-RPC 2.0", 400)
    number, method = message.get("id"), message.get("method")
    if number is None or not isinstance(method, str):  # a notification, or an answer to nothing we asked
        return Response(status_code=202)
    params = message.get("params")
    try:
        result = await _answer(request, method, params if isinstance(params, dict) else {})
    except _ToolError as fault:
        return _error(number, fault.code, fault.why)
    return JSONResponse({"jsonrpc": "2.0", "id": number, "result": result})


def _error(number: Any, code: int, why: str, status: int = 200) -> Response:
    fault = {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": why}}
    return JSONResponse(fault, status_code=status)


async def _answer(request: Request, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        asked = params.get("protocolVersion")
        return {
            "protocolVersion": asked if asked in VERSIONS else VERSIONS[0],
            "capabilities": {"tools": {"listChanged": False}},
            "serverInfo": {"name": "cupel", "version": __version__},
        }
    if method == "ping":
        return {}
    if method == "tools/list":
        return {"tools": await _list(request)}
    if method == "tools/call":
        return await _call(request, params)
    raise _ToolError(
        _NO_METHOD, f"there is no method {method[:80]}; there are initialize, ping, tools/list, tools/call"
    )


async def _list(request: Request) -> list[dict[str, Any]]:
    from cupel.serve.door import CALLER

    caller = request.scope.get(CALLER)
    policy = caller.policy if caller is not None else None
    async with ask_inside(request) as client:
        found = (
            await client.post("/assistants/search", json={"metadata": {"created_by": "system"}, "limit": 100})
        ).json()
        shown = [one for one in found if isinstance(one, dict) and _is_shown(str(one["graph_id"]), policy)]
        return [
            await _tool(client, one, policy) for one in sorted(shown, key=lambda one: str(one["graph_id"]))
        ]


def _is_shown(graph: str, policy: Policy | None) -> bool:
    return policy is None or (graph in policy.graphs and (graph != "improve" or policy.requests.improve))


async def _tool(client: Any, assistant: Mapping[str, Any], policy: Policy | None) -> dict[str, Any]:
    schemas = (await client.get(f"/assistants/{assistant['assistant_id']}/schemas")).json()
    form = fit_form(dict(schemas.get("input_schema") or {}), policy)
    return {
        "name": assistant["graph_id"],
        "title": assistant["name"],
        "description": assistant.get("description") or f"the graph {assistant['graph_id']}",
        "inputSchema": {"type": "object", **form},
    }


def fit_form(form: dict[str, Any], policy: Policy | None) -> dict[str, Any]:
    """A tool's form as its caller sees it: what they may not give is not there, the task is one of theirs.

    >>> fit_form({"properties": {"task": {"type": "string"}}}, Policy(tasks=("stance",)))["properties"]["task"]["enum"]
    ['stance']
    """
    fields = dict(form.get("properties") or {})
    if policy is not None:
        if not policy.requests.schemas:
            fields = {name: field for name, field in fields.items() if name not in _OF_SCHEMAS}
        if "task" in fields:
            fields["task"] = {**fields["task"], "enum": list(policy.tasks)}
    required = [name for name in form.get("required", ()) if name in fields]
    return {**form, "properties": {**fields, "detail": _DETAIL}, "required": required}


async def _call(request: Request, params: Mapping[str, Any]) -> dict[str, Any]:
    name, given = params.get("name"), params.get("arguments")
    tools = {str(tool["name"]) for tool in await _list(request)}
    if name not in tools:
        raise _ToolError(
            _BAD_PARAMS,
            f"there is no tool {str(name)[:80]!r}; there are {', '.join(sorted(tools)) or 'none'}",
        )
    given = dict(given) if isinstance(given, Mapping) else {}
    detail = given.pop("detail", "short")
    if detail not in _DETAIL["enum"]:
        raise _ToolError(_BAD_PARAMS, f"detail is {str(detail)[:80]!r}; give short or full")
    body = {
        "assistant_id": name,
        "input": given,
        "context": params.get("context") or {},
        "raise_error": False,
    }
    async with ask_inside(request) as client:
        answer = await client.post("/runs/wait", json=body)
    value = _read(answer)
    failed = answer.status_code >= 400 or not isinstance(value, dict) or "__error__" in value
    text = (
        _complaint(value)
        if failed
        else json.dumps(value, ensure_ascii=False)
        if detail == "full"
        else shorten(value)
    )
    return {"isError": failed, "content": [{"type": "text", "text": text}]}


def _read(answer: Any) -> Any:
    try:
        return json.loads(answer.content)
    except ValueError:
        return {"detail": f"the server answered {answer.status_code}"}


def _complaint(value: Any) -> str:
    """Why there is no answer, in words, and no longer than an answer."""
    said = value.get("__error__", value) if isinstance(value, dict) else value
    why = said.get("message") or said.get("detail") or said.get("error") if isinstance(said, dict) else said
    return tell_client(str(why))[: MOST_BYTES // 4]


def shorten(outcome: Mapping[str, Any]) -> str:
    """An outcome as JSON of at most 3 kB: record, status, reasons, evidence. What has no room is counted, not cut in two.

    >>> json.loads(shorten({"status": "accepted", "record": {"a": 1}, "attempts": []}))
    {'status': 'accepted', 'record': {'a': 1}}
    """
    names = ("status", "record", "reasons", "doc_id", "task", "preferred", "result")
    said: dict[str, Any] = {name: outcome[name] for name in names if outcome.get(name) not in (None, [])}
    evidence = [_quote(one) for one in outcome.get("evidence") or ()]
    if "outcomes" in outcome:
        said["outcomes"] = {side: {"record": one.get("record")} for side, one in outcome["outcomes"].items()}
    for whole in _ever_less(said, evidence):
        text = json.dumps(whole, ensure_ascii=False)
        if len(text.encode()) <= MOST_BYTES:
            return text
    return json.dumps(
        {"status": outcome.get("status"), "left_out": "all else has no room; ask with detail: full"}
    )


def _quote(one: Mapping[str, Any]) -> dict[str, Any]:
    quote = str(one.get("quote") or "")
    cut = f"{quote[:_QUOTE_CHARS]}…" if len(quote) > _QUOTE_CHARS else quote
    return {
        "path": one.get("path"),
        "quote": cut,
        "match": one.get("match"),
        "span": [one.get("start"), one.get("end")],
    }


def _ever_less(said: dict[str, Any], evidence: Sequence[Any]) -> Any:
    """The answer whole, then with half of the evidence, and half again; then with a reason; then without the record."""
    kept = len(evidence)
    while True:
        left = f"{len(evidence) - kept} of {len(evidence)} pieces of evidence; ask with detail: full"
        shown = {"evidence": list(evidence[:kept])} if kept else {}
        yield {**said, **shown, **({"left_out": left} if kept < len(evidence) else {})}
        if not kept:
            break
        kept //= 2
    reasons = [str(reason)[:_QUOTE_CHARS] for reason in said.get("reasons", ())[:1]]
    few = {**said, **({"reasons": reasons} if reasons else {})}
    yield {**few, "left_out": "evidence, and reasons in full; ask with detail: full"}
    short = {name: few[name] for name in ("status", "reasons", "preferred", "result") if name in few}
    yield {**short, "left_out": "the record, which has no room; ask with detail: full"}
