"""Schemathesis against the routes that are Cupel's own, on both servers: no request whatever may be answered by a 500.

    .venv/bin/python -m benchmarks.own_routes --examples 300

It cannot be locked beside LangGraph's server (they want different versions of jsonschema-rs), so it comes into a venv of its own, in a temporary folder. A key
that may do everything, a thread with a document, and what the routes take, as OpenAPI, are all it is given. Exits with 1 where a server failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from benchmarks.served_throughput import answer, laid_out
from cupel.runlog import RunLog
from cupel.serve import create_key
from cupel.testing.provider import ScriptedProvider
from tests.integration.cascade import TEXT
from tests.integration.server import aegra_fault, aegra_server, langgraph_server

ROOT = Path(__file__).parent.parent
SCHEMATHESIS = "schemathesis==4.32.5"
SERVERS = {"platform": langgraph_server, "aegra": aegra_server}


def schema_of(thread: str) -> dict[str, Any]:
    """What the routes take, as OpenAPI; the thread among the examples."""
    done = {"responses": {"default": {"description": "whatever is no fault of the server's"}}}
    of_thread = {
        "name": "thread_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "example": thread,
    }
    of_call = {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}}
    at = {"name": "checkpoint_id", "in": "query", "schema": {"type": "string"}}
    call = {
        "type": "object", "required": ["jsonrpc", "id", "method"],
        "properties": {
            "jsonrpc": {"const": "2.0"}, "id": {"type": ["string", "integer"]},
            "method": {"enum": ["initialize", "ping", "tools/list", "tools/call", "notifications/initialized"]},
            "params": {
                "type": "object",
                "properties": {
                    "name": {"enum": ["enrich", "compare", "improve", "x"]},
                    "context": {"type": "object", "properties": {"profile": {"enum": ["offline", "x"]}}},
                    "arguments": {
                        "type": "object",
                        "properties": {
                            "text": {"type": "string"}, "task": {"type": "string"}, "detail": {"enum": ["short", "full", "x"]},
                            "doc_id": {"type": ["string", "integer", "null"]}, "meta": {}, "output_schema": {}, "instructions": {},
                        },
                    },
                },
            },
        },
    }  # fmt: skip
    body = {"required": True, "content": {"application/json": {"schema": call}}}
    paths = {
        "/cupel/threads/{thread_id}": {"get": {"parameters": [of_thread, at], **done}},
        "/cupel/threads/{thread_id}/calls": {"get": {"parameters": [of_thread, at], **done}},
        "/cupel/threads/{thread_id}/calls/{key}": {"get": {"parameters": [of_thread, of_call, at], **done}},
        "/cupel/metrics": {"get": done},
        "/cupel/ok": {"get": done},
        "/mcp": {"post": {"requestBody": body, **done}, "get": done, "delete": done},
    }
    return {"openapi": "3.1.0", "info": {"title": "Cupel's own routes", "version": "1"}, "paths": paths}


async def make_key(folder: Path) -> str:
    """A key in the run log of a project whose server has not started yet."""
    log = await asyncio.to_thread(RunLog, f"sqlite:///{folder / '.cupel' / 'runlog.sqlite'}")
    shown = (await create_key(log, "schemathesis"))[1]
    await asyncio.to_thread(log.close)
    return shown


def make_thread(url: str, key: str) -> str:
    """A thread with a document."""
    with httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=60) as client:
        thread = str(client.post("/threads", json={}).json()["thread_id"])
        asked = {"assistant_id": "enrich", "input": {"text": TEXT}, "context": {"profile": "offline"}}
        client.post(f"/threads/{thread}/runs/wait", json=asked).raise_for_status()
        return thread


def main() -> int:
    """Each server in turn."""
    reading = argparse.ArgumentParser(description=__doc__)
    reading.add_argument("--examples", type=int, default=300)
    args, failed = reading.parse_args(), False
    with tempfile.TemporaryDirectory() as place, ScriptedProvider(answer) as provider:
        uv = shutil.which("uv") or str(ROOT / ".venv" / "bin" / "uv")
        python = Path(place) / "venv" / "bin" / "python"
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(python.parent.parent)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), SCHEMATHESIS], check=True)
        for name, server in SERVERS.items():
            if server is aegra_server and (fault := aegra_fault()):
                print(f"{name}: left out, {fault}")
                continue
            folder = Path(place) / name
            laid_out(folder)
            key = asyncio.run(make_key(folder))
            env = {**os.environ, **provider.environment(), "CUPEL_TRUST": place}
            with server(folder, env, folder / "server.log") as url:
                schema = Path(place) / f"{name}.json"
                schema.write_text(json.dumps(schema_of(make_thread(url, key))))
                command = [
                    python.parent / "st", "run", schema, "--url", url, "--header", f"x-api-key: {key}", "--checks", "not_a_server_error",
                    "--max-examples", str(args.examples), "--seed", "1", "--no-color", "--request-timeout", "60", "--phases", "examples,coverage,fuzzing",
                ]  # fmt: skip
                print(f"== {name}", flush=True)
                failed |= subprocess.run(command, cwd=place, check=False).returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
