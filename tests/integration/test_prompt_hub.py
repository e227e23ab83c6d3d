"""Prompts mirrored in LangSmith's hub: on a named parent, pulled by hash, against a stand-in for what the SDK calls."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from contextlib import closing

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.errors import InputError, SettingError
from cupel.improvement.campaign import ledger_of
from cupel.improvement.versions import version_of
from cupel.task.spec import load_task
from tests.integration.improvement import made_project
from tests.integration.server import free_port

TASK = "stance"
NAME = f"cupel-{TASK}-extract"
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


@pytest.fixture
def hub(monkeypatch):
    """The stand-in on a free loopback port."""
    made = Hub()
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(made.app, host="127.0.0.1", port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    monkeypatch.setenv("LANGSMITH_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("LANGSMITH_API_KEY", "x")
    yield made
    server.should_exit = True
    thread.join()


@pytest.fixture
def study(tmp_path, monkeypatch):
    made = made_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return made


def prompts(*args):
    """A `cupel prompts` command's JSON, or what it raised."""
    done = CliRunner().invoke(app, ["prompts", *args, "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return json.loads(done.stdout)


def edit(study, old, new):
    path = study.prompts / TASK / "extract.md"
    path.write_text(path.read_text().replace(old, new))
    return path


def test_a_prompt_is_pushed_on_its_parent_and_pulled_by_its_hash(study, hub):
    """Contract and rules come back word for word as a candidate with its lineage; nothing is promoted."""
    first = prompts("push", TASK)
    before = load_task(TASK, study.prompts)
    edit(study, "# user", "Take irony for what it means.\n\n# user")
    second = prompts("push", TASK)

    assert (first["parent_commit"], second["parent_commit"]) == (None, first["commit"])
    assert len(hub.commits[NAME]) == 2
    pulled = prompts("pull", TASK, "--commit", first["commit"])
    assert pulled["version"] == first["version"] == version_of(before)
    assert pulled["parent"] == version_of(load_task(TASK, study.prompts))
    assert pulled["origin"] == {"commit": first["commit"]}
    assert ledger_of(study.state).active(TASK) is None


def test_what_was_edited_in_the_hub_comes_back_as_edited(study, hub):
    """The messages count, not what they were pushed as."""
    commit = prompts("push", TASK)["commit"]
    system = hub.commits[NAME][0]["manifest"]["kwargs"]["messages"][0]["kwargs"]["prompt"]["kwargs"]
    system["template"] = system["template"].replace("Rules:", "Take irony for what it means.\n\nRules:")

    pulled = prompts("pull", TASK, "--commit", commit)

    assert pulled["version"] != pulled["parent"]
    with closing((study.folder / pulled["file"]).open()) as file:
        assert "Take irony" in file.read()


def test_a_hub_that_moved_on_is_not_overwritten(study, hub):
    """Neither on an outdated parent nor where no parent is known here."""
    prompts("push", TASK)
    hub.commits[NAME].append({**hub.commits[NAME][0], "commit_hash": "f" * 64})
    edit(study, "# user", "Mind irony.\n\n# user")

    with pytest.raises(SettingError, match="was changed in the hub since"):
        prompts("push", TASK)
    ledger_of(study.state).path.unlink()
    with pytest.raises(SettingError, match="no commit of it is known here"):
        prompts("push", TASK)
    assert prompts("push", TASK, "--parent", "f" * 64)["parent_commit"] == "f" * 64


def test_tags_and_broken_contracts_and_a_silent_endpoint_are_refused(study, hub, monkeypatch):
    """Each with its reason."""
    commit = prompts("push", TASK)["commit"]
    with pytest.raises(SettingError, match="pulled by hash, never by tag"):
        prompts("pull", TASK, "--commit", "production")
    user = hub.commits[NAME][0]["manifest"]["kwargs"]["messages"][1]["kwargs"]["prompt"]["kwargs"]
    user["template"] = user["template"].replace("{{topic}}", "it")
    with pytest.raises(Exception, match=r"lost a placeholder: \{\{topic\}\}"):
        prompts("pull", TASK, "--commit", commit)
    monkeypatch.setenv("LANGSMITH_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(SettingError, match="cannot be reached"):
        prompts("push", TASK)


def test_a_server_nobody_answers_is_named_with_the_way_to_start_it(study):
    """One clear text, where Studio's server was meant."""
    with pytest.raises(InputError, match=r"no LangGraph server answers there .* `make dev`"):
        prompts("pull-from-studio", TASK, "--assistant", "mine", "--url", f"http://127.0.0.1:{free_port()}")
