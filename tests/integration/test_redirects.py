"""Whoever is pointed elsewhere goes nowhere: every client there is, for every status that redirects."""

from __future__ import annotations

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cupel.cli.pull_prompts import _assistant
from cupel.improvement.hub import pull_prompt, push_prompt
from cupel.models.batch_api import BatchApi
from cupel.task import load_task
from cupel.tracing.transport import Sending
from cupel.tracing.upload import upload_examples
from tests.conftest import ROOT
from tests.integration.here import command

STATUSES = (300, 301, 302, 303, 304, 305, 306, 307, 308)


class Pointing(ThreadingHTTPServer):
    """Sends everybody on to another host; counts whoever comes."""

    daemon_threads = True

    def __init__(self, to: str = "", status: int = 204) -> None:
        self.to, self.status, self.came = to, status, 0
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.came += 1
        self.send_response(self.server.status)
        if self.server.to:
            self.send_header("location", f"{self.server.to}{self.path}")
        self.send_header("content-length", "0")
        self.end_headers()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815  # http.server's names

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def elsewhere():
    """The second host."""
    server = Pointing()
    yield server
    server.shutdown()
    server.server_close()


def through(model):
    """A command that asks a model."""

    def ask(url, folder):
        folder = folder / url.rpartition(":")[2]  # each with a run of its own
        folder.mkdir()
        (folder / "in.jsonl").write_text('{"id": "a", "text": "We must act now, for the sake of all."}\n')
        provider = model.partition(":")[0]
        name = {"local": "CUPEL_LOCAL_BASE_URL"}.get(provider, f"{provider.upper()}_BASE_URL")
        env = {name: f"{url}/v1", f"{provider.upper()}_API_KEY": "sk-s3ntinel4711"}
        asked = ["run", "in.jsonl", "--task", "sentiment", "--cheap-model", model, "--judge", "never", "--max-retries", "0", "--wait", "0"]  # fmt: skip
        done = command(folder, *asked, env=env)
        assert done.code not in (0, 70), done
        raise ConnectionError(done.stderr)

    return ask


def probing(url, folder):
    env = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "sk-s3ntinel4711"}
    done = command(folder, "doctor", "--probe", "--cheap-model", "openai:x", env=env)
    assert done.code not in (0, 70), done
    raise ConnectionError(done.said)


def batch(method, *args):
    """A call of the batch API."""

    async def call(api):
        asked = getattr(api, method)(*args)
        return [each async for each in asked] if method == "lines" else await asked

    def ask(url, _):
        api = BatchApi("openai:x", {"OPENAI_API_KEY": "sk-s3ntinel4711", "OPENAI_BASE_URL": f"{url}/v1"})
        asyncio.run(call(api))

    return ask


def langsmith(url):
    """The environment of a LangSmith there."""
    return {"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "lsv2_s3ntinel4711", "LANGSMITH_ENDPOINT": url}


TASK = load_task("sentiment", ROOT / "prompts")
CLIENTS = {
    "chat of openai": through("openai:x"),
    "chat of groq": through("groq:x"),
    "chat of openrouter": through("openrouter:x"),
    "chat of a local server": through("local:x"),
    "a probe": probing,
    "batch: upload": batch("upload", "name", "{}"),
    "batch: create": batch("create", "file-1", "job"),
    "batch: find": batch("find", "file-1", "job"),
    "batch: state": batch("state", "batch-1"),
    "batch: download": batch("lines", "file-1"),
    "traces": lambda url, _: Sending(2.0, lambda _: None).session().post(f"{url}/runs", data=b"{}"),
    "the hub: push": lambda url, _: push_prompt(langsmith(url), TASK, parent=None),
    "the hub: pull": lambda url, _: pull_prompt(langsmith(url), TASK, "a" * 40),
    "examples": lambda url, _: upload_examples(langsmith(url), "d", [{"inputs": {}, "outputs": {}}]),
    "a LangGraph server": lambda url, _: asyncio.run(_assistant("x", url)),
}


LONG = [name for name in CLIENTS if name.startswith("chat") and name != "chat of openai"]


@pytest.mark.parametrize(
    "client", [pytest.param(name, marks=pytest.mark.soak) if name in LONG else name for name in CLIENTS]
)
def test_no_client_follows_a_redirect(client, elsewhere, tmp_path, monkeypatch):
    """The first host was asked, the second never was, and whoever asked is told."""
    monkeypatch.chdir(tmp_path)
    for status in STATUSES:
        first = Pointing(elsewhere.url, status)
        try:
            with pytest.raises(Exception) as failed:  # each client has its own
                CLIENTS[client](first.url, tmp_path)
        finally:
            first.shutdown()
            first.server_close()

        assert not isinstance(failed.value, AssertionError), (status, failed.value)
        assert "s3ntinel" not in str(failed.value)
        assert first.came >= 1, status
    assert elsewhere.came == 0


def test_every_client_of_the_library_is_among_them():
    """Who opens a way out of this machine is known by name; a new one is added above."""
    found = set()
    for path in (ROOT / "cupel").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if any(word in text for word in ("aiohttp.ClientSession(", "requests.Session", "get_client(", "urlopen(", "httpx.Client", "httpx.AsyncClient", "HTTPConnection(")):  # fmt: skip
            found.add(path.relative_to(ROOT / "cupel").as_posix())

    # the client in inside goes to the application it is part of, and to no address; that of a deployed server is tried in
    # tests/unit/runs/server/test_connection.py
    assert found == {
        "cli/pull_prompts.py",
        "models/connections.py",
        "runs/server/connection.py",
        "serve/inside.py",
        "tracing/transport.py",
    }
