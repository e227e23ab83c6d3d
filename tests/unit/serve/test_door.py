"""The door, before a small application: who comes in, by which routes, with how much."""

from __future__ import annotations

import asyncio
import json
import sys
from types import SimpleNamespace

import httpx
import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from cupel.engine import take_documents
from cupel.runlog import tables
from cupel.serve import door as door_module
from cupel.serve.body import most_bytes
from cupel.serve.door import CALLER, PASSAGE, Caller, Door, DoorMiddleware, place_fault
from cupel.serve.keys import caps_of, create_key, revoke_key
from cupel.serve.policy import Policy

POLICY = Policy.model_validate({"graphs": ["enrich"], "longest_text": 1_000})
ANYWHERE = "203.0.113.9"


async def tell(request):
    """Who was let in, and how much they brought."""
    body = await request.body()
    caller = request.scope.get(CALLER)
    return JSONResponse(
        {"caller": caller and caller.id, "limited": bool(caller and caller.policy), "bytes": len(body)}
    )


@pytest.fixture
def served(monkeypatch, run_log):
    """A client of the application under a policy, seen as coming from an address."""

    async def current():
        return SimpleNamespace(run_log=run_log)

    monkeypatch.setattr(door_module, "current", current)
    methods = ["GET", "POST", "PUT", "DELETE", "PATCH"]
    app = Starlette(
        routes=[Route("/{path:path}", tell, methods=methods)], middleware=[Middleware(DoorMiddleware)]
    )

    def ask(policy=None, address="127.0.0.1", root=""):
        monkeypatch.setattr(door_module, "_doors", [Door(policy)])
        transport = httpx.ASGITransport(app=app, client=(address, 1), root_path=root)
        return httpx.AsyncClient(transport=transport, base_url="http://server")

    return ask


async def test_without_keys_its_own_machine_may_do_everything_and_others_nothing(served):
    """Studio works; whoever comes from elsewhere, or through a proxy, gets a 403 that says why."""
    here = await served().post("/internal/truncate")
    there = await served(address=ANYWHERE).get("/info")
    strange = await served(address="not an address").get("/info")
    through = await served().get("/info", headers={"x-forwarded-for": "127.0.0.1"})

    assert here.json() == {"caller": "local", "limited": False, "bytes": 0}
    assert [one.status_code for one in (there, strange, through)] == [403, 403, 403]
    assert "cupel serve keys create" in there.json()["detail"]


async def test_a_policy_holds_on_its_own_machine_too(served):
    """With serve.toml what is not for callers is closed, whoever asks."""
    answers = [
        await served(POLICY).request(*asked)
        for asked in (("POST", "/runs/wait"), ("POST", "/internal/truncate"))
    ]

    assert [one.status_code for one in answers] == [200, 403]
    assert answers[0].json()["limited"]


async def test_with_keys_nobody_comes_in_without_one(served, run_log):
    """None, a wrong and a revoked one are 401s, each in words; a good one is let in under limits from anywhere."""
    _, ada = await create_key(run_log, "ada")
    _, bob = await create_key(run_log, "bob")
    await revoke_key(run_log, "bob")
    shown = [
        {},
        {"x-api-key": "cupel_x"},
        {"x-api-key": bob},
        {"authorization": f"Bearer {ada}"},
        {"x-api-key": ada},
    ]
    answers = [await served(address=ANYWHERE).post("/runs/wait", headers=headers) for headers in shown]

    assert [one.status_code for one in answers] == [401, 401, 401, 200, 200]
    said = [one.json()["detail"].partition(" on ")[0] for one in answers[:3]]
    assert [
        word in text for word, text in zip(("asks for a key", "not known", "revoked"), said, strict=True)
    ] == [True] * 3
    assert answers[4].json()["limited"]  # no file, and another address: the default is no
    assert not (await served().post("/runs/wait", headers={"x-api-key": ada})).json()["limited"]


async def test_a_key_for_metrics_reads_those_and_nothing_else(served, run_log):
    """Whoever scrapes sends no documents, and callers do not read what others did."""
    _, prom = await create_key(run_log, "prom", "metrics")
    _, ada = await create_key(run_log, "ada")
    asked = [(prom, "/cupel/metrics"), (prom, "/metrics"), (prom, "/threads"), (ada, "/cupel/metrics")]
    answers = [await served(POLICY).get(path, headers={"x-api-key": key}) for key, path in asked]

    assert [one.status_code for one in answers] == [200, 200, 403, 403]


async def test_what_is_too_long_is_refused_whether_it_says_so_or_not(served):
    """A stated length is believed, and one that is not stated is counted; a body that fits arrives whole."""

    async def parts(size):
        for _ in range(size // 1_000):
            yield b"x" * 1_000

    client, most = served(POLICY), most_bytes(POLICY)
    stated = await client.post("/runs/wait", content=b"x" * (most + 1))
    counted = await client.post("/runs/wait", content=parts(most + 2_000))
    fits = await client.post("/runs/wait", content=parts(20_000))
    lies = await client.post("/runs/wait", content=b"x", headers={"content-length": "1e3"})

    assert [one.status_code for one in (stated, counted, lies)] == [413, 413, 413]
    assert (fits.status_code, fits.json()["bytes"]) == (200, 20_000)


async def test_a_document_is_given_back_where_the_server_refuses_the_run_after_all(monkeypatch, run_log):
    """A 404 of somebody else's thread cost one; of a batch, of which a part may run, nothing comes back."""

    async def current():
        return SimpleNamespace(run_log=run_log)

    async def counted(request):
        passage = PASSAGE.get()
        for _ in range(int(request.query_params["documents"])):
            caps = caps_of(passage.caller.id, passage.caller.policy)
            assert await take_documents(run_log, caps, 1) is None
            passage.taken.append(caps)
        return JSONResponse({}, status_code=int(request.query_params["status"]))

    policy = Policy.model_validate(
        {"caps": {"documents_per_key": 9, "documents_per_day": 9, "usd_per_key": 1, "usd_per_day": 1}}
    )
    monkeypatch.setattr(door_module, "current", current)
    monkeypatch.setattr(door_module, "_doors", [Door(policy)])
    routes = [Route("/{path:path}", counted, methods=["POST"])]
    app = Starlette(routes=routes, middleware=[Middleware(DoorMiddleware)])
    kept = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://server") as client:
        for path, documents, status in (
            ("/runs", 1, 200),
            ("/threads/x/runs", 1, 404),
            ("/runs/batch", 2, 409),
            ("/runs", 1, 500),
        ):
            await client.post(path, params={"documents": documents, "status": status}, json={})
            query = select(tables.allowances.c.documents)
            kept.append(
                await run_log.transact(lambda found, query=query: found.execute(query).scalars().all())
            )
            assert PASSAGE.get() is None

    assert kept == [[1, 1], [1, 1], [3, 3], [4, 4]]


@pytest.fixture
def on_aegra(monkeypatch):
    """A process that is Aegra, as far as anybody looks."""
    monkeypatch.setitem(sys.modules, "aegra_api", SimpleNamespace())


async def test_on_aegra_a_webhook_is_refused_and_a_run_without_input_goes_on(on_aegra, monkeypatch, served):
    """It would pass over the one in silence, and ask for a checkpoint at the other; on LangGraph's server neither is touched."""
    told = {}
    for name, body in (
        ("webhook", {"input": {}, "webhook": "https://x"}),
        ("null", {"input": None}),
        ("an answer", {"command": {"resume": 1}}),
    ):
        answer = await served().post("/threads/t/runs/wait", json=body)
        told[name] = (
            answer.status_code,
            answer.json().get("bytes", 0) - len(json.dumps(body, separators=(",", ":"))),
        )
    assert told["webhook"][0] == 403
    assert told["null"][1] > 0
    assert told["an answer"] == (200, 0)
    assert (await served(POLICY).post("/runs", json={"webhook": "https://x"})).status_code == 403
    monkeypatch.delitem(sys.modules, "aegra_api")
    assert (await served().post("/threads/t/runs/wait", json={"input": None, "webhook": "x"})).json()[
        "bytes"
    ] == 28


async def test_an_assistant_of_the_callers_own_is_looked_up_before_the_run_is(monkeypatch, run_log):
    """As the server shows it to this caller; a graph's own is known, whichever way it is named, and one that is not there is left to the server."""

    async def current():
        return SimpleNamespace(run_log=run_log)

    asked, seen = [], []

    async def answer(request):
        path = request.url.path
        if path.startswith("/assistants/"):
            asked.append(path.rpartition("/")[2])
            found = {"assistant_id": "mine", "graph_id": "enrich", "context": {"task": "stance"}}
            return JSONResponse(found) if path.endswith("mine") else JSONResponse({}, status_code=404)
        seen.append(dict(PASSAGE.get().made))
        return JSONResponse({})

    policy = Policy.model_validate({"graphs": ["enrich"], "requests": {"assistants": True}})
    monkeypatch.setattr(door_module, "current", current)
    monkeypatch.setattr(door_module, "_doors", [Door(policy, ["enrich"])])
    app = Starlette(
        routes=[Route("/{path:path}", answer, methods=["GET", "POST"])],
        middleware=[Middleware(DoorMiddleware)],
    )
    enrich = "5bbc00e2-54d9-528e-8d84-9de6731a26f5"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://server") as client:
        for assistant in ("enrich", enrich, enrich.upper(), "mine", "gone"):
            await client.post("/runs/wait", json={"assistant_id": assistant, "input": {}})

    assert asked == ["mine", "gone"]
    assert [list(made) for made in seen] == [[], [], [], ["mine"], []]
    assert seen[3]["mine"]["context"] == {"task": "stance"}


async def test_health_and_a_browsers_first_question_are_answered_to_anybody(served, run_log):
    """A load balancer has no key, and a preflight cannot carry one."""
    await create_key(run_log, "ada")
    client = served(POLICY, address=ANYWHERE)
    asked_first = {"access-control-request-method": "POST", "origin": "https://x"}

    assert (await client.get("/ok")).status_code == 200
    assert (await client.options("/runs", headers=asked_first)).status_code != 401
    assert (await client.options("/runs")).status_code == 401


async def test_what_the_server_asks_itself_passes(served, run_log):
    """Its own requests stand under a root that no request can choose."""
    await create_key(run_log, "ada")

    assert (await served(POLICY, root="/noauth").post("/runs/wait")).status_code == 200
    assert (await served(POLICY).post("/noauth/runs/wait")).status_code == 401


async def test_a_socket_is_closed_with_a_reason(served, run_log):
    """What speaks no HTTP is no way around."""
    await create_key(run_log, "ada")
    served(POLICY)
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/threads/a/stream/events",
        "headers": [],
        "client": ("127.0.0.1", 1),
    }
    await DoorMiddleware(tell)(scope, asyncio.Event().wait, send)

    assert [(one["type"], one["code"]) for one in sent] == [("websocket.close", 1008)]


CLOSED = ["/internal/truncate", "/internal/debug/thread/x", "/deploy", "/store/items", "/a2a/x", "/runs/crons", "/threads/x/runs/crons", "/threads/prune", "/ui/enrich", "/profile", "/threads/x/state", "/assistants", "/docs/../runs", "/threads/a/b/c/d", "/metrics", "/cupel/metrics"]  # fmt: skip


@pytest.mark.parametrize("path", CLOSED)
def test_routes_that_nobody_looked_at_are_closed(path):
    """Whatever a server has beside what callers need: written, forked, deployed, emptied by nobody."""
    caller = Caller("k", POLICY)

    assert place_fault(caller, "POST", path).status == 403


def test_forks_and_assistants_are_open_where_the_owner_says_so():
    """One word in serve.toml opens one kind of route."""
    forks = Caller("k", Policy.model_validate({"requests": {"forks": True}}))
    assistants = Caller("k", Policy.model_validate({"requests": {"assistants": True}}))

    assert place_fault(forks, "POST", "/threads/x/state") is None
    assert place_fault(forks, "POST", "/assistants") is not None
    assert place_fault(assistants, "PATCH", "/assistants/x") is None
    assert place_fault(assistants, "POST", "/threads/x/state") is not None
