"""LangSmith as the real SDK speaks to it: a loopback stand-in that counts, and an endpoint nobody answers."""

from __future__ import annotations

import asyncio
import http.server
import re
import threading
import time

import pytest
from langchain_core.runnables import RunnableLambda
from zstandard import ZstdDecompressor

from cupel.improvement import ledger_of
from cupel.runs.job import failed_outcome
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from cupel.testing.models import reply
from cupel.tracing.served import is_asked_for, was_said
from cupel.tracing.tracer import Tracer, masking_rules, reachable
from tests.integration.bodies import body_of
from tests.integration.cascade import ACCEPTS, TEXT, job, models, record
from tests.integration.langsmith import LangSmith
from tests.integration.server import free_port


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


PRICES = {
    "CUPEL_PRICES": ",".join(f"scripted:{role}=1/2" for role in ("cheap", "strong", "judge", "refiner"))
}


@pytest.fixture
def kept():
    """A stand-in that keeps what arrives as LangSmith would."""
    with LangSmith() as server:
        yield server


async def walked(project, kept, documents, **env):
    """Documents of a batch, by id and text, extracted and judged with tracing on; the traces that arrived."""
    rows = [
        Row(position=n, values={}, text=text, doc_id=name) for n, (name, text) in enumerate(documents.items())
    ]
    cheap, judge = (reply(said, input_tokens=900) for said in (record(), ACCEPTS))
    with models(cheap=lambda *_: cheap, judge=lambda *_: judge):
        async with Runner(job(project), project, env={**kept.tracing, **PRICES, **env}) as runner:
            assert [o["status"] async for _, o in runner.outcomes(rows)] == ["accepted"] * len(rows)
    return kept.traces()


def of_calls(runs):
    return [run for run in runs if run.fields["run_type"] == "llm"]


async def test_runs_arrive_tagged_and_priced_and_carry_the_document_twice(project, kept):
    """The root has task, document, version and cost, each call its tokens' price, and the verdict is feedback."""
    documents = {
        f"d{n}": f"{TEXT} It is said {n} times. {'Some more is said of it. ' * 99}"[:2_000] for n in range(3)
    }
    traces = await walked(project, kept, documents)

    assert len(traces) == 3
    for runs in traces.values():
        root, calls = runs[0], of_calls(runs)
        text = documents[root.metadata["doc_id"]].encode()
        assert root.fields["tags"] == ["task:arguments"]
        assert root.metadata["prompt_version"] in {call.metadata["prompt_version"] for call in calls}
        assert root.metadata["cost_usd"] > 0
        assert {run.fields["name"] for run in runs} == {
            "enrich",
            "prepare",
            "extract",
            "verify",
            "judge",
            "finish",
        }
        for call in calls:
            usage = call.metadata["usage_metadata"]
            assert usage["total_cost"] == pytest.approx(
                (usage["input_tokens"] + 2 * usage["output_tokens"]) / 1e6
            )
        assert kept.feedback()[root.id] == {"accepted": 1.0, "score": 1.0, "verdict": "accepted"}
        assert sum(text in part for run in runs for part in run.parts) == 2
        assert sum(run.size for run in runs) <= 25_000


async def test_a_prompt_that_was_pushed_says_its_commit(project, kept):
    """The version of a call leads to the commit of the hub it is."""
    first = await walked(project, kept, {"a": TEXT})
    version = next(iter(first.values()))[0].metadata["prompt_version"]
    note = {"commit": "c0ffee", "parent_commit": None, "version": version, "hub": "cupel-arguments-extract"}
    ledger_of(project.state).append("note", task="arguments", key="pushed:c0ffee", at="2026-11-28", data=note)
    kept.seen.clear()
    [[root, *runs]] = (await walked(project, kept, {"b": f"{TEXT} Again."})).values()

    assert root.metadata["hub_commit"] == "c0ffee"
    commits = {
        run.metadata["prompt_version"]: run.metadata.get("lc_hub_commit_hash") for run in of_calls(runs)
    }
    assert commits.pop(version) == "c0ffee"
    assert set(commits.values()) == {None}


PERSONS = [
    *(f"{name}@example.org" for name in ("eva", "jo.doe", "x+y", "a_b", "m-n", "z9", "q.r.s")),
    *(f"+32 2 284 21 {n}" for n in range(11, 18)),
    *(f"BE{n} 0961 2345 6769" for n in range(71, 77)),
]


async def test_personal_data_is_masked_before_anything_leaves_and_documents_stay_apart(project, kept):
    """Of twenty planted none arrives, be it in a text or an id; no two documents become one."""
    documents = {person: f"Write to {person}. {TEXT}" for person in PERSONS}
    traces = await walked(project, kept, documents, CUPEL_TRACE_MASK="personal")

    bodies = kept.bodies()
    assert [person for person in PERSONS if person.encode() in bodies] == []
    assert bodies.count(b"<email>") >= 7
    names = {runs[0].metadata["doc_id"] for runs in traces.values()}
    assert len(names) == len(PERSONS) == 20
    assert names == {runs[0].fields["outputs"]["doc_id"] for runs in traces.values()}


@pytest.mark.parametrize(
    ("env", "before", "asked"),
    [
        ({"LANGSMITH_API_KEY": "k"}, {}, False),
        ({"LANGSMITH_API_KEY": "k", "LANGSMITH_TRACING": "true"}, {}, False),
        ({"LANGCHAIN_API_KEY": "k", "LANGSMITH_TRACING": "true"}, {"LANGCHAIN_API_KEY": "k"}, False),
        ({"LANGSMITH_API_KEY": "k", "LANGSMITH_TRACING": "true"}, {"LANGSMITH_TRACING": "true"}, True),
        ({"LANGSMITH_API_KEY": "k", "LANGSMITH_TRACING": "1"}, {}, True),
        ({"LANGSMITH_API_KEY": "k", "LANGCHAIN_TRACING_V2": "true"}, {}, True),
        (
            {"LANGSMITH_API_KEY": "k", "LANGSMITH_TRACING": "true", "LANGSMITH_CONTROL_PLANE_API_KEY": ""},
            {},
            True,
        ),
        (
            {"LANGSMITH_API_KEY": "k", "LANGSMITH_TRACING": "true", "LANGSMITH_CONTROL_PLANE_API_KEY": "k"},
            {},
            False,
        ),
        ({"LANGSMITH_API_KEY": "k", "LANGSMITH_TRACING": "false"}, {}, False),
        ({"LANGSMITH_TRACING": "true"}, {}, True),
    ],
)
def test_a_server_that_found_a_key_has_not_asked_for_tracing(env, before, asked):
    """What it writes into its environment where it finds a key is told from what a person wrote."""
    assert (is_asked_for(env) and was_said(env, before)) is asked


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
