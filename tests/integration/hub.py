"""A stand-in for LangSmith's prompt hub: what the SDK calls, on a free loopback port."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
import uuid

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.integration.server import free_port

AT = "2026-11-20T12:00:00+00:00"


class Hub:
    """Prompts and their commits in memory, refusing a commit whose parent is not the newest."""

    def __init__(self):
        self.commits: dict[str, list[dict]] = {}
        self.asked: list[str] = []
        self.app = Starlette(
            routes=[
                Route("/settings", self.settings),
                Route("/repos", self.create, methods=["POST"]),
                Route("/repos/-/{name}", self.prompt),
                Route("/commits/-/{name}", self.commit, methods=["POST"]),
                Route("/commits/-/{name}", self.listed),
                Route("/commits/-/{name}/{commit}", self.pulled),
            ]
        )

    async def settings(self, request):
        return JSONResponse(
            {"id": str(uuid.uuid4()), "display_name": "x", "created_at": AT, "tenant_handle": None}
        )

    async def create(self, request):
        name = (await request.json())["repo_handle"]
        self.commits[name] = []
        return JSONResponse({"repo": self.described(name)})

    async def prompt(self, request):
        name = request.path_params["name"]
        if name not in self.commits:
            return JSONResponse({"detail": "not found"}, 404)
        return JSONResponse({"repo": self.described(name)})

    def described(self, name):
        return {
            "repo_handle": name, "description": "", "readme": "", "id": str(uuid.uuid4()), "tenant_id": str(uuid.uuid4()),
            "created_at": AT, "updated_at": AT, "is_public": False, "is_archived": False, "tags": [], "original_repo_id": None,
            "upstream_repo_id": None, "owner": None, "full_name": f"-/{name}", "num_likes": 0, "num_downloads": 0, "num_views": 0,
            "liked_by_auth_user": False, "last_commit_hash": None, "num_commits": len(self.commits[name]),
            "original_repo_full_name": None, "upstream_repo_full_name": None,
        }  # fmt: skip

    async def listed(self, request):
        self.asked.append("newest")
        return JSONResponse({"commits": self.commits[request.path_params["name"]][::-1][:1]})

    async def commit(self, request):
        told, made = await request.json(), self.commits[request.path_params["name"]]
        if told["parent_commit"] != (made[-1]["commit_hash"] if made else None):
            return JSONResponse({"detail": "conflict"}, 409)
        digest = hashlib.sha256(json.dumps([told, len(made)]).encode()).hexdigest()
        made.append({**told, "commit_hash": digest, "id": str(uuid.uuid4()), "examples": []})
        return JSONResponse({"commit": made[-1]})

    async def pulled(self, request):
        wanted = request.path_params["commit"]
        for made in self.commits.get(request.path_params["name"], ()):
            if made["commit_hash"].startswith(wanted):
                return JSONResponse(made)
        return JSONResponse({"detail": "not found"}, 404)


@contextlib.contextmanager
def running_hub():
    """The stand-in and the environment that leads to it."""
    hub, port = Hub(), free_port()
    server = uvicorn.Server(uvicorn.Config(hub.app, host="127.0.0.1", port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield hub, {"LANGSMITH_ENDPOINT": f"http://127.0.0.1:{port}", "LANGSMITH_API_KEY": "x"}
    server.should_exit = True
    thread.join()
