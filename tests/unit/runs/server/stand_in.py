"""A deployed server on a free loopback port, as far as a client sees one: threads, runs, joins, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from uuid import uuid4

from aiohttp import web

from tests.unit.runs.stand_in import call, outcome

SCHEMA = {"type": "object", "properties": {"reason": {"type": "string"}}}
STANCE = {"name": "stance", "title": "Stance", "identity": "abc", "schema": SCHEMA, "inputs": ["topic"]}
OFFER = {
    "cupel": "0", "graphs": ["enrich"], "tasks": [STANCE], "models": {"cheap": "openai:small"}, "schemas": False,
    "longest_text": 1000, "usd_per_request": 0.02,
}  # fmt: skip


class StandIn:
    """The server; what a text says is what becomes of it.

    Attributes:
        seen: Requests by method and route.
        keys: Every key that was shown.
        threads: By id, their status and values.
        begun: Texts in the order a run was begun with them.
        contexts: The settings that came with each run.
        faults: Statuses (or `close`) that the next requests to begin a run get, first to last.
        after: Headers of those.
    """

    def __init__(self, **offer):
        self.offer = {**OFFER, **offer}
        self.seen, self.keys = Counter(), set()
        self.threads, self.begun, self.contexts = {}, [], []
        self.faults, self.after = [], {}
        self.release = asyncio.Event()
        self.release.set()

    async def open(self, port=0):
        """Listen; the address is `url`."""
        app = web.Application(middlewares=[self._count])
        app.add_routes(
            [
                web.get("/cupel/offer", self._offer),
                web.post("/threads", self._thread),
                web.post("/threads/{thread}/runs/wait", self._run),
                web.get("/threads/{thread}/runs", self._runs),
                web.get("/threads/{thread}/runs/{run}/join", self._join),
                web.get("/cupel/threads/{thread}", self._show),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    async def close(self):
        """Be gone."""
        await self._runner.cleanup()

    @web.middleware
    async def _count(self, request, handler):
        self.seen[f"{request.method} {request.match_info.route.resource.canonical}"] += 1
        self.keys.add(request.headers.get("x-api-key"))
        if request.headers.get("x-api-key") == "wrong":
            return web.json_response({"detail": "this key is not known here"}, status=401)
        return await handler(request)

    async def _offer(self, _request):
        return web.json_response(self.offer)

    async def _thread(self, request):
        thread = (await request.json())["thread_id"]
        return web.json_response(
            {"thread_id": thread, **self.threads.setdefault(thread, {"status": "idle", "metadata": {}})}
        )

    async def _run(self, request):
        thread, body = request.match_info["thread"], await request.json()
        if self.faults and (fault := self.faults.pop(0)) is not None:
            if fault == "close":
                request.transport.close()
                return web.Response()
            return web.json_response({"detail": f"so it is: {fault}"}, status=fault, headers=self.after)
        text = body["input"]["text"]
        self.begun.append(text)
        self.contexts.append(body["context"])
        if "too long" in text:
            return web.json_response({"detail": "too long"}, status=413)
        self.threads[thread] = {"status": "busy", "metadata": {"graph_id": "enrich"}, "run": str(uuid4())}
        if ("lost on the way" in text or "forgotten" in text) and self.begun.count(text) == 1:
            request.transport.close()
            if "lost on the way" in text:
                self._finish(thread, body)
            return web.Response()
        await self.release.wait()
        if "graph fails" in text:
            self.threads[thread]["status"] = "error"
            return web.json_response({"__error__": {"error": "ValueError", "message": "a fault in a node"}})
        self._finish(thread, body)
        return web.json_response({})

    def _finish(self, thread, body):
        cost = 0.004 if "dear" in body["input"]["text"] else 0.001
        made = outcome(body["input"].get("doc_id", "?"))
        made["attempts"] = [attempt(calls=[call(model="openai:small", cost_usd=cost)])]
        made["cost_usd"] = cost
        if "hopeless" in body["input"]["text"] and "ask_afresh" not in body["context"]:
            made |= {"status": "failed", "record": None, "reasons": ["cheap: nothing came back"]}
        self.threads[thread] |= {"status": "idle", "values": made}

    async def _runs(self, request):
        shown = self.threads[request.match_info["thread"]]
        return web.json_response([{"run_id": shown["run"], "status": "running"}] if "run" in shown else [])

    async def _join(self, request):
        while self.threads[request.match_info["thread"]]["status"] == "busy":  # a stand-in may look
            await asyncio.sleep(0.01)
        return web.json_response({})

    async def _show(self, request):
        shown = self.threads.get(request.match_info["thread"])
        if shown is None:
            return web.json_response({"detail": "not found"}, status=404)
        return web.Response(text=json.dumps(shown.get("values") or {}), content_type="application/json")


def attempt(**more):
    """An attempt as an outcome has it."""
    return {
        "number": 1, "tier": "cheap", "round": 0, "model": "openai:small", "fallback_for": None, "prompt_version": "p",
        "record": {}, "error": None, "error_kind": None, "evidence": [], "calls": [], "signals": {}, "score": 1.0,
        "confidence": None, "calibrated": False, "in_doubt": False, "doubts": [], **more,
    }  # fmt: skip


@asynccontextmanager
async def standing_in(**offer):
    """A server while it is needed."""
    server = StandIn(**offer)
    await server.open()
    try:
        yield server
    finally:
        server.release.set()
        await server.close()
