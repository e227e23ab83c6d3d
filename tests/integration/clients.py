"""Callers of a deployed server as docs and examples have them: each run as a stranger would, with a key and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from aiohttp import web
from langgraph_sdk.errors import UnprocessableEntityError

from tests.conftest import ROOT
from tests.integration.cascade import CLAIM, TEXT
from tests.integration.server import free_port

EXAMPLES = ("sdk.py", "remote_graph.py", "mcp_tool.py", "curl.sh")
OWNERS = {"CUPEL_CHEAP_MODEL": "openai:cheap", "CUPEL_STRONG_MODEL": "none", "CUPEL_JUDGE_MODEL": "openai:judge",
          "CUPEL_REFINER_MODEL": "none"}  # fmt: skip
"""What a server's owner sets, so that callers need name no model."""


async def command(folder, *args, key):
    """A command to its end: exit code, standard output and error."""
    process = await asyncio.create_subprocess_exec(
        *args, cwd=folder, env={**os.environ, "CUPEL_SERVER_KEY": key},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, told = await asyncio.wait_for(process.communicate(), 180)
    return process.returncode, out.decode(), told.decode()


async def examples_do_a_document_each(url, key, folder, subtest):
    """The files of examples/clients, as they are."""
    for name in EXAMPLES:
        if name.endswith(".sh") and shutil.which("curl") is None:
            continue
        with subtest(f"the example {name}"):
            runs = ["sh"] if name.endswith(".sh") else [sys.executable]
            code, out, told = await command(
                folder, *runs, str(ROOT / "examples" / "clients" / name), url, key=key
            )
            assert code == 0, told
            assert "accepted" in out
            assert "we must build more homes" in out


async def a_file_goes_through_and_is_resumed(url, key, folder, subtest):
    """`cupel run --server`: rows as ever; the same again asks nothing; a wrong key and another task in a sentence."""
    (folder / "speeches.jsonl").write_text(
        "".join(
            json.dumps({"id": n, "text": f"{TEXT} It is the speech of caller {n}."}) + "\n" for n in "abc"
        )
    )
    run = (
        str(Path(sys.executable).with_name("cupel")),
        "run",
        "speeches.jsonl",
        "--server",
        url,
        "--no-report",
        "--json",
    )
    with subtest("a file through the server"):
        code, out, told = await command(folder, *run, "--task", "arguments", key=key)
        assert code == 0, told
        summary = json.loads(out)
        assert summary["statuses"] == {"accepted": 3}
        assert summary["calls"] == {"openai:cheap": 3, "openai:judge": 3}
        rows = [json.loads(line) for line in (folder / "speeches.arguments.jsonl").read_text().splitlines()]
        assert [row["arguments_doc_id"] for row in rows] == ["a", "b", "c"]
        assert rows[0]["arguments"]["claims"][0]["quote"] == "we must build more homes"
    with subtest("the same command again"):
        code, out, told = await command(folder, *run, "--task", "arguments", key=key)
        assert (code, json.loads(out)["calls"], json.loads(out)["reused"]) == (0, {}, 3)
    for name, args, shown, status, word in (
        ("another task", ("--task", "stance"), key, 2, "it has arguments"),
        ("a wrong key", ("--task", "arguments"), "cupel_" + "x" * 43, 5, "not known here"),
        (
            "another model",
            ("--task", "arguments", "--cheap-model", "openai:strong"),
            key,
            5,
            "not for callers",
        ),
    ):
        with subtest(f"a file and {name}"):
            code, _, told = await command(folder, *run, *args, "--out", "other.jsonl", key=shown)
            assert code == status, told
            assert word in told
            assert shown not in told


async def a_webhook_is_told_of_a_runs_end(client, context):
    """Where the owner lets it go to: the run, what was asked and what came of it, and nothing of who asked but an id."""
    told = asyncio.Queue()

    async def hear(request):
        told.put_nowait((request.headers, await request.json()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/told", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    thread = (await client.threads.create())["thread_id"]
    address = f"http://127.0.0.1:{port}/told"
    run = await client.runs.create(
        thread, "enrich", input={"text": TEXT, "doc_id": "told"}, context=context, webhook=address
    )
    headers, body = await asyncio.wait_for(told.get(), 60)
    await runner.cleanup()

    assert (body["run_id"], body["thread_id"], body["status"]) == (run["run_id"], thread, "success")
    assert body["values"]["status"] == "accepted"
    assert body["values"]["record"]["claims"][0]["quote"] == CLAIM
    assert "x-api-key" not in headers
    assert "x-api-key" not in json.dumps(body)
    with pytest.raises(UnprocessableEntityError, match=r"blocked|oopback"):
        await client.runs.create(
            thread, "enrich", input={"text": TEXT}, webhook="http://169.254.169.254/latest/meta-data"
        )
