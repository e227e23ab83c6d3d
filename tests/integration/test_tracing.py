"""LangSmith as the real SDK speaks to it: a loopback stand-in that counts, and an endpoint nobody answers."""

from __future__ import annotations

import asyncio
import http.server
import json
import re
import threading
import time

import pytest
from langchain_core.runnables import RunnableLambda
from zstandard import ZstdDecompressor

from cupel.runs.job import failed_outcome
from cupel.tables.rows import Row
from cupel.testing.provider import ScriptedProvider
from cupel.tracing.tracer import Tracer, masking_rules, reachable
from tests.integration.bodies import body_of
from tests.integration.server import free_port
from tests.integration.test_run_cli import MODELS, answer, run


class StandIn(http.server.ThreadingHTTPServer):
    """Keeps every request's path and body; answers one status to all, or, with None, nothing for a while."""

    daemon_threads = True

    def __init__(self, status: int | None = 202) -> None:
        self.status = status
        self.seen: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.seen.append((self.path, body_of(self)))
        if self.server.status is None:
            time.sleep(2)
        self.send_response(self.server.status or 202)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_PATCH = do_POST  # noqa: N815  # http.server's names

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def langsmith():
    """A stand-in for the LangSmith endpoints the SDK calls."""
    server = StandIn()
    yield server
    server.shutdown()
    server.server_close()


def settings(url, **more):
    """Tracing on, towards this endpoint, bodies readable."""
    return {
        "LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "ls-key", "LANGSMITH_ENDPOINT": url,
        "LANGSMITH_DISABLE_RUN_COMPRESSION": "true", **more,
    }  # fmt: skip


def traced(folder, url, *args, **more):
    """A small run with tracing on."""
    with ScriptedProvider(answer) as provider:
        asked = ["in.jsonl", "--limit", "5", "--json", *MODELS, *args]
        return run(folder, *asked, provider=provider, **settings(url, **more))


def test_runs_arrive_tagged_with_feedback_and_carry_the_document_once(folder, langsmith):
    """Every root has task, document and run; verdict and score are feedback; nodes do not repeat the text."""
    done = traced(folder, langsmith.url)
    bodies = b"\n".join(body for path, body in langsmith.seen if path.startswith("/runs"))
    text = json.loads((folder / "in.jsonl").read_text().splitlines()[0])["text"].encode()

    assert done.returncode == 0, done.stderr
    assert b"task:arguments" in bodies
    assert b'"doc_id":"s0"' in bodies.replace(b": ", b":")
    assert any(b"verdict" in body for path, body in langsmith.seen)
    # the root run and the two model calls that were really sent the text; each sends its start and its end, together or not
    parts = re.finditer(rb'name="(?:post|patch)\.([0-9a-f-]{36})[^"]*".*?(?=\r\n--)', bodies, re.DOTALL)
    assert len({part[1] for part in parts if text in part[0]}) == 3


def test_personal_data_is_masked_before_anything_leaves(folder, langsmith):
    """`CUPEL_TRACE_MASK=personal` replaces addresses and numbers in inputs and outputs."""
    rows = (
        (folder / "in.jsonl")
        .read_text()
        .replace("Madam President", "Write to eva@example.org, Madam President")
    )
    (folder / "in.jsonl").write_text(rows)
    done = traced(folder, langsmith.url, CUPEL_TRACE_MASK="personal")
    bodies = b"\n".join(body for _, body in langsmith.seen)

    assert done.returncode == 0, done.stderr
    assert b"<email>" in bodies or b"\\u003cemail" in bodies
    assert b"eva@example.org" not in bodies


def followed(tracer, documents):
    """So many documents walked under a tracer, each with its feedback."""
    outcome = {
        **failed_outcome("t", Row(position=0, values={}, text="x", doc_id="d"), "no"),
        "score": 0.5,
        "confidence": 0.9,
        "verdicts": [{"verdict": "rejected"}],
    }

    async def walk():
        for n in range(documents):
            with tracer.document(task="t", doc_id=f"d{n}", run_id="r", identity="i") as config:
                await RunnableLambda(lambda text: text).ainvoke("a document", config)
            tracer.feedback(config, outcome)
            await asyncio.sleep(0.01)

    asyncio.run(walk())
    tracer.close()


@pytest.mark.parametrize(
    ("status", "why"), [(500, "HTTP 500"), (None, "Timeout"), (403, "the key was refused")]
)
def test_an_endpoint_that_fails_is_given_up_with_one_warning_and_holds_no_document(
    status, why, capsys, monkeypatch
):
    """Whether it fails, refuses or never answers: a few requests, one line, nothing raised, nothing left waiting."""
    monkeypatch.setattr("cupel.tracing.tracer.TIMEOUT_S", 0.2)
    server = StandIn(status)
    tracer = Tracer(settings(server.url))
    assert tracer.on

    followed(tracer, 30)
    server.shutdown()
    server.server_close()

    assert not tracer.on
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("LangSmith tracing is off")
    assert why in told
    assert 1 <= len(server.seen) <= 6
    assert tracer._client.tracing_queue.qsize() == 0


def test_an_endpoint_nobody_answers_costs_one_warning_and_is_not_asked(capsys):
    """After one probe the documents are walked as without tracing."""
    tracer = Tracer(settings(f"http://127.0.0.1:{free_port()}"))
    followed(tracer, 3)

    assert not tracer.on
    assert capsys.readouterr().err.count("LangSmith tracing is off") == 1


def test_feedback_is_sent_with_the_runs_and_never_waited_for(langsmith):
    """Feedback needs no request of its own: no endpoint holds the event loop up."""
    followed(Tracer(settings(langsmith.url)), 3)

    assert {path for path, _ in langsmith.seen} == {"/runs/multipart"}
    sent = [ZstdDecompressor().decompressobj().decompress(body) for _, body in langsmith.seen]
    for key in ("accepted", "score", "confidence", "verdict"):
        assert sum(body.count(f'"key":"{key}"'.encode()) for body in sent) == 3


def test_a_tracer_that_cannot_keep_up_leaves_documents_out(langsmith, monkeypatch):
    """Memory is not for traces."""
    monkeypatch.setattr("cupel.tracing.tracer.MOST_WAITING", 0)
    tracer = Tracer(settings(langsmith.url))
    followed(tracer, 3)

    assert langsmith.seen == []


def test_tracing_needs_both_the_wish_and_a_key(langsmith):
    """A key alone, or the wish alone, sends nothing."""
    alone = [{"LANGSMITH_API_KEY": "k", "LANGSMITH_ENDPOINT": langsmith.url}, {"LANGSMITH_TRACING": "true"}]

    assert [Tracer(env).on for env in alone] == [False, False]
    assert langsmith.seen == []


def test_an_unreachable_endpoint_is_told_apart(langsmith):
    """The probe is one TCP connection."""
    assert reachable(langsmith.url) is None
    assert "refused" in str(reachable(f"http://127.0.0.1:{free_port()}"))


def test_masking_knows_addresses_numbers_and_accounts():
    """It leaves years and amounts alone."""
    text = "eva@example.org, +32 2 284 21 11, BE71 0961 2345 6769, in 2025, 100 000 people"
    for rule in masking_rules("personal"):
        text = re.sub(rule["pattern"], rule["replace"], text)

    assert text == "<email>, <phone>, <iban>, in 2025, 100 000 people"
