"""What a server tells Prometheus after five hundred documents with faults, against the run log, its callers and its provider."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing

import httpx
import pytest

from cupel.testing.provider import ScriptedProvider
from tests.integration.cascade import ACCEPTS, CANNOT_TELL, REJECTS, TEXT, instructions, record
from tests.integration.server import langgraph_server
from tests.integration.test_server import ROLES, copied
from tests.unit.serve.test_metrics import parsed

pytestmark = [pytest.mark.door, pytest.mark.soak]
DOCUMENTS, AT_ONCE = 500, 24
FAULTS = {"http_429": 0.06, "http_503": 0.05, "close": 0.02, "invalid_json": 0.04}


def answer(body):
    """Records, verdicts of all three kinds, instructions; which, the document's number says."""
    schema, said = body["response_format"]["json_schema"]["schema"], str(body["messages"])
    if "told_apart" in schema["properties"]:
        return ACCEPTS if "9." not in said else REJECTS if "19." in said else CANNOT_TELL
    if "instructions" in schema["properties"]:
        return instructions("Read the last sentence too and decide whether it demands something.")
    return record()


def total(read, name, **named):
    """The sum of a metric's samples that have these labels."""
    wanted = set(named.items())
    return sum(number for (found, labels), number in read.items() if found == name and wanted <= labels)


async def test_five_hundred_documents_with_faults_are_counted_as_they_were(tmp_path):
    """Documents as callers saw them, calls and dollars as they were paid, 429s as the provider gave them."""
    folder = copied(tmp_path)
    config = folder / "langgraph.json"
    config.write_text(config.read_text().replace('"env": ".env"', '"env": {}'))
    (folder / "pyproject.toml").write_text('[project]\nname = "study"\nversion = "0"\n')
    prices = {
        "CUPEL_PRICES": ",".join(f"openai:{role}=1/2" for role in ("cheap", "strong", "judge", "refiner"))
    }
    with ScriptedProvider(answer, faults=FAULTS) as provider:
        with langgraph_server(folder, {**provider.environment(), **prices}, folder / "server.log") as url:
            outcomes, text = await serve(url)
        counts = provider.counts
    read = parsed(text)
    with closing(sqlite3.connect(folder / ".cupel" / "runlog.sqlite")) as connection:
        paid = connection.execute(
            "SELECT model, COUNT(*), SUM(input_tokens), SUM(output_tokens), SUM(cost_usd) FROM responses GROUP BY model"
        ).fetchall()

    statuses = Counter(one["status"] for one in outcomes)
    assert sum(statuses.values()) == DOCUMENTS
    for status, count in statuses.items():
        assert total(read, "cupel_documents_total", by="server", task="arguments", status=status) == count
    assert total(read, "cupel_escalations_total") == sum("escalate" in one["path"] for one in outcomes)
    assert total(read, "cupel_refinements_total") == sum(one["path"].count("refine") for one in outcomes)
    for model, calls, tokens_in, tokens_out, usd in paid:
        for name in ("cupel_calls_total", "cupel_served_calls_total"):
            assert total(read, name, model=model) == calls
        for name in ("cupel_tokens_total", "cupel_served_tokens_total"):
            assert total(read, name, model=model, direction="input") == tokens_in
            assert total(read, name, model=model, direction="output") == tokens_out
        for name in ("cupel_cost_usd_total", "cupel_served_cost_usd_total"):
            assert total(read, name, model=model) == pytest.approx(usd)
    assert total(read, "cupel_rate_limited_total") == counts.by_status[429] > 0
    assert total(read, "cupel_document_seconds_count") == DOCUMENTS
    assert total(read, "cupel_reviews_waiting") == 0
    verdicts = Counter(verdict["verdict"] for one in outcomes for verdict in one["verdicts"])
    for name, count in verdicts.items():
        assert total(read, "cupel_verdicts_total", verdict=name) == count


async def serve(url):
    """Every document's outcome, and the scrape after the last."""
    room = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=url, timeout=300) as client:

        async def one(number):
            given = {
                "text": f"{TEXT} This is speech number {number}.",
                "task": "arguments",
                "doc_id": str(number),
            }
            async with room:
                body = {"assistant_id": "enrich", "input": given, "context": {**ROLES, "max_refinements": 1}}
                return (await client.post("/runs/wait", json=body)).json()

        outcomes = await asyncio.gather(*(one(number) for number in range(DOCUMENTS)))
        scrape = await client.get("/cupel/metrics")
    assert scrape.headers["content-type"].startswith("text/plain; version=0.0.4")
    return outcomes, scrape.text
