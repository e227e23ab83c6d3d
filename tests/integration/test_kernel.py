"""A real Jupyter kernel: a cell shows its bar, is interrupted, and run again goes on."""

from __future__ import annotations

import asyncio
import json

import pytest

from cupel.testing.provider import ScriptedProvider
from tests.integration.stops import answer
from tests.integration.test_run_cli import environment

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

OPEN = """
import pandas as pd
import cupel
frame = pd.read_json("in.jsonl", lines=True)
told = dict(judge="never", cheap_model="openai:cheap", strong_model="openai:strong", concurrency=4)
"""
ENRICH = 'done = cupel.enrich(frame, "arguments", **told)'
TELL = """
import json
reasons = done["arguments_reasons"].str[0]
print(json.dumps([int(done["arguments_status"].eq("accepted").sum()), int(reasons.eq("not run: interrupted").sum())]))
"""


def notebook(folder):
    """A client of a notebook of these cells, in a folder."""
    cells = [nbformat.v4.new_code_cell(source) for source in (OPEN, ENRICH, TELL)]
    resources = {"metadata": {"path": str(folder)}}
    return nbclient.NotebookClient(
        nbformat.v4.new_notebook(cells=cells), timeout=120, kernel_name="python3", resources=resources
    )


async def run(client, number):
    """Run a cell; what it showed last."""
    cell = await client.async_execute_cell(client.nb.cells[number], number)
    shown = [output.get("text") or output["data"]["text/plain"] for output in cell["outputs"]]
    return shown[-1] if shown else ""


async def test_a_cell_that_is_stopped_gives_what_is_done_and_run_again_goes_on(folder, monkeypatch):
    """The stop button: the frame is there, its other rows say why they have no outcome, and nothing is paid twice."""
    with ScriptedProvider(answer, latency_s=0.5) as provider:
        for name, value in environment(provider).items():
            monkeypatch.setenv(name, value)
        client = notebook(folder)
        async with client.async_setup_kernel():
            await run(client, 0)
            cell = asyncio.create_task(run(client, 1))
            while provider.counts.requests < 6:
                await asyncio.sleep(0.02)
            await client.km.interrupt_kernel()
            stopped_line = await cell
            done, not_run = json.loads(await run(client, 2))
            provider.latency_s = 0.0
            again_line = await run(client, 1)
            whole = json.loads(await run(client, 2))
            idle_line = await run(client, 1)

        assert (done + not_run, whole) == (40, [40, 0])
        assert done >= 4
        assert not_run
        assert provider.counts.billed_repeats == 0
    assert "interrupted" in stopped_line
    assert again_line.startswith("40 rows: 40 accepted")
    assert "nothing was asked" in idle_line
