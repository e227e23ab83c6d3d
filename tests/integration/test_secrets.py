"""A sentinel in every key and address, and every odd way of failing: none of it is in anything that stays or is seen."""

from __future__ import annotations

import base64
import html
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import requests
from sqlalchemy import create_engine, inspect

from cupel import redaction
from cupel.context import RunContext
from cupel.models.batch_api import BatchApi
from cupel.models.errors import ProviderCallError
from cupel.models.replies import parse
from cupel.redaction import mask_bytes, remember_secrets
from cupel.runs import Job, Runner
from cupel.tables.rows import Row
from cupel.task import load_task
from cupel.testing.clusters import dask_workers
from cupel.tracing import Sending
from tests.conftest import ROOT
from tests.integration import forked
from tests.integration.echoes import ENDING, ODD, EchoServer
from tests.integration.server import langgraph_server
from tests.integration.test_dask_run import url as own_database
from tests.integration.test_run_cli import environment
from tests.integration.test_tracing import StandIn, settings

KEYS = {
    "plain": "sk-proj-S3ntinelAbCdEf0123456789",
    "nasty": "S3nt\"in'el/47+11=<&>\\x%41 {0}é".encode("ascii", "ignore").decode(),
}
PASSWORD = "pr0xy/S3ntinel+77"
SCHEMA = {"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}


def written(secret: str) -> set[bytes]:
    """A secret, whole and its middle alone, as it may stand anywhere; made without the code that is tested."""
    middle = secret[len(secret) // 4 : -len(secret) // 4]
    forms = set()
    for part in (secret, middle):
        forms |= {
            part,
            json.dumps(part)[1:-1],
            json.dumps(json.dumps(part))[1:-1],
            html.escape(part),
            repr(part)[1:-1],
        }
        forms |= {quote(part), quote(part, safe=""), quote_plus(part)}
    for before in ("", "u:", "me:"):
        encoded = base64.b64encode((before + secret).encode()).decode()
        forms |= {encoded, encoded[8:-8], encoded[8:-8].replace("+", "-").replace("/", "_")}
    return {form.encode() for form in forms}


def left_in(where: dict[str, bytes], *secrets: str) -> list[tuple[str, bytes, bytes]]:
    """Where a secret stands: what it stands in, how it is written, and what is around it."""
    found = []
    for secret in secrets:
        for name, content in where.items():
            for form in written(secret):
                at = content.find(form)
                if at >= 0:
                    found.append((name, form, content[max(0, at - 80) : at + 80]))
    return found


def artefacts(folder: Path) -> dict[str, bytes]:
    """All that a command left behind."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def cupel(folder: Path, *args: str, **env: str) -> dict[str, bytes]:
    """A command's two streams and its exit code."""
    done = forked.run(["cupel", *args], cwd=folder, env=environment(None, **env), timeout=300)
    return {
        f"{args[0]} stdout": done.stdout.encode(),
        f"{args[0]} stderr": done.stderr.encode(),
        "code": str(done.returncode).encode(),
    }


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    """No sentinel is known in another test."""
    monkeypatch.setattr(redaction, "_known", redaction._Known())


@pytest.fixture
def echo():
    """The echoing provider."""
    server = EchoServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def langsmith():
    """A stand-in for LangSmith."""
    server = StandIn()
    yield server
    server.shutdown()
    server.server_close()


def study(folder: Path, ways: list[str]) -> list[str]:
    """A document for each way of failing; the arguments of a run over them."""
    rows = [{"id": str(n), "text": f"<<{way}>> is how it fails."} for n, way in enumerate(ways)]
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    models = [
        part
        for role in ("cheap", "strong", "judge", "refiner")
        for part in (f"--{role}-model", f"openai:{role}")
    ]
    return [
        "in.jsonl",
        "--schema",
        "schema.json",
        "--out",
        "out.jsonl",
        "--max-retries",
        "0",
        "--wait",
        "1",
        "--judge",
        "always",
        *models,
    ]


def keys(key: str, url: str) -> dict[str, str]:
    """A sentinel in every key and address there is, each another."""
    return {
        "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": key, "GROQ_API_KEY": f"gsk_{key}", "OPENROUTER_API_KEY": f"or-{key}",
        "HTTPS_PROXY": f"http://me:{quote(PASSWORD, safe='')}@127.0.0.1:9", "NO_PROXY": "127.0.0.1",
        "OPENAI_CUSTOM_HEADERS": f"X-Gateway: Token {key}9",
    }  # fmt: skip


OUTAGES = [
    way
    for way in ODD
    if ODD[way]("k")[0] in (429, 500)
    or way in ("echoed headers", "a list of headers", "a page", "a page cut off", "python's repr")
]
GROUPS = {
    "answers and errors": [way for way in ODD if way not in OUTAGES],
    "outages": OUTAGES[:4],
    "more outages": OUTAGES[4:],
}
"""So many outages in a row as open no circuit."""


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("kind", [pytest.param("plain", marks=pytest.mark.soak), "nasty"])
def test_no_odd_reply_brings_a_key_into_rows_report_log_traces_or_terminal(
    tmp_path, echo, langsmith, kind, group
):
    """Nearly forty ways to echo a key, each to a document of its own, with tracing on; then all that reads the log."""
    key = KEYS[kind]
    env = {**keys(key, echo.url), **settings(langsmith.url, LANGSMITH_API_KEY=f"lsv2_{key}")}
    seen = cupel(tmp_path, "run", *study(tmp_path, GROUPS[group]), **env)
    # a provider that answers nobody is away: the run ends, and says so
    # an error that speaks of the key, met as a model's first answer, ends the run
    # and on a slow machine its errors may look like an outage for longer than is waited
    assert seen["code"] in ((b"0", b"4", b"5") if group == "answers and errors" else (b"4",)), seen
    for command in (["show", "3"], ["report"], ["failures"]):
        seen |= cupel(tmp_path, *command, **keys(key, echo.url))
    sent = {f"trace {n}": body for n, (_, body) in enumerate(langsmith.seen)}

    assert echo.asked >= len(GROUPS[group])
    assert any(b"is how it fails" in body for body in sent.values())
    assert left_in(artefacts(tmp_path) | seen | sent, key, PASSWORD) == []


@pytest.mark.parametrize("way", ENDING)
def test_what_ends_a_run_says_so_without_the_key(tmp_path, echo, way):
    """A refusal and a redirect are the run's error, exit 5, in `doctor` too; the key is in neither."""
    key = KEYS["nasty"]
    seen = cupel(tmp_path, "run", *study(tmp_path, [way]), **keys(key, echo.url))

    assert seen["code"] == b"5", seen
    assert left_in(artefacts(tmp_path) | seen, key, PASSWORD) == []


def test_doctor_probes_without_showing_a_key(tmp_path, echo):
    """Keys are set or not, addresses are shown without credentials, and a provider's echo is redacted."""
    key = KEYS["nasty"]
    env = keys(key, echo.url) | {
        "GROQ_BASE_URL": f"http://me:{quote(PASSWORD, safe='')}@127.0.0.1:9",
        "CUPEL_DATABASE_URL": f"postgresql://me:{PASSWORD}@h:x/db",
    }
    models = ["--cheap-model", "openai:x", "--strong-model", "groq:x"]
    seen = cupel(tmp_path, "doctor", "--probe", *models, **env)

    assert b"OPENAI_API_KEY: set" in seen["doctor stdout"]
    assert echo.asked == 1
    assert left_in(artefacts(tmp_path) | seen, key, PASSWORD) == []


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(
    "way", ["escaped as \\u", "escaped twice", "an event stream", "another encoding", "a good record"]
)
def test_what_is_whole_only_once_it_is_parsed_is_masked_there(way, kind):
    """What LangChain gets, streams and listeners see: not only what is stored."""
    remember_secrets({"OPENAI_API_KEY": KEYS[kind]})
    _, _, content = ODD[way](KEYS[kind])
    answer = parse(mask_bytes(content))

    assert answer["choices"]
    assert KEYS[kind] not in unescaped(answer)
    assert "****" in repr(answer)


def unescaped(value: object) -> str:
    """What stands in it, JSON in texts read too."""
    text = json.dumps(value, ensure_ascii=False)
    return (
        text
        + text.encode().decode("unicode_escape")
        + text.encode().decode("unicode_escape").encode().decode("unicode_escape", "replace")
    )


class _Batches(BaseHTTPRequestHandler):
    """Echoes the key to whoever uploads, or points elsewhere."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        status, to = self.server.answer
        content = b"" if to else f"<pre>Authorization: {self.headers['authorization']}</pre>".encode()
        self.send_response(status)
        if to:
            self.send_header("location", to)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST  # noqa: N815  # http.server's names

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def batches():
    """Where files of a batch go."""
    server = HTTPServer(("127.0.0.1", 0), _Batches)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a_batch_api_that_echoes_says_nothing_of_the_key(batches, status):
    """The error is what a batch run stores and prints."""
    batches.answer = (status, "")
    api = BatchApi(
        "openai:x",
        {"OPENAI_API_KEY": KEYS["nasty"], "OPENAI_BASE_URL": f"http://127.0.0.1:{batches.server_port}/v1"},
    )

    with pytest.raises(ProviderCallError) as error:
        await api.upload("name", "{}")
    assert left_in({"error": f"{error.value} {error.value.body}".encode()}, KEYS["nasty"]) == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirected_upload_goes_nowhere(batches, echo, status):
    """A file of documents is not posted again elsewhere."""
    batches.answer = (status, f"{echo.url}/v1/files")
    api = BatchApi(
        "openai:x",
        {"OPENAI_API_KEY": KEYS["plain"], "OPENAI_BASE_URL": f"http://127.0.0.1:{batches.server_port}/v1"},
    )

    with pytest.raises(
        ProviderCallError, match=f"a redirect to 127.0.0.1:{echo.server_port}, which is not followed"
    ):
        await api.upload("name", "{}")
    assert echo.asked == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_trace_goes_nowhere(batches, echo, status):
    """Tracing ends with the host it was pointed to; so do uploads and the hub, which use the same session."""
    batches.answer = (status, f"{echo.url}/runs")
    said: list[str] = []
    sending = Sending(2.0, said.append)

    with pytest.raises(requests.ConnectionError, match="is not followed"):
        sending.session().post(
            f"http://127.0.0.1:{batches.server_port}/runs", data=b"{}", headers={"x-api-key": KEYS["plain"]}
        )
    assert said == [f"HTTP {status}, a redirect to 127.0.0.1:{echo.server_port}, which is not followed"]
    assert (sending.closed, echo.asked) == (True, 0)


async def test_a_fault_of_a_graph_is_told_without_what_it_quotes(tmp_path, project):
    """An exception of somebody's node is text from outside too."""
    remember_secrets({"OPENAI_API_KEY": KEYS["nasty"]})

    class Graph:
        async def ainvoke(self, *_: object, **__: object) -> None:
            raise RuntimeError(f"POST http://me:{PASSWORD}@h/ with {KEYS['nasty']}")

    job = Job(task=load_task("sentiment", project.prompts), context=RunContext(profile="offline"))
    async with Runner(job, project, graph=Graph()) as runner:
        [(_, outcome)] = [
            each async for each in runner.outcomes([Row(position=0, values={}, text="x", doc_id="d")])
        ]

    assert outcome["reasons"][0].startswith("the graph failed: RuntimeError: POST http://me:***")
    assert left_in(artefacts(tmp_path) | {"outcome": json.dumps(outcome).encode()}, KEYS["nasty"]) == []


def test_a_hostile_env_file_sends_no_key_in_silence(tmp_path, echo):
    """A line on stderr names the host, before anything is sent there; its other tricks are left out."""
    shutil.copytree(ROOT / "prompts", tmp_path / "prompts")
    (tmp_path / "langgraph.json").write_text(
        json.dumps({"graphs": {"enrich": f"{ROOT}/graphs/enrich.py:graph"}, "env": ".env"})
    )
    (tmp_path / ".env").write_text(
        f"OPENAI_BASE_URL={echo.url}/v1\nPYTHONPATH=/tmp/evil\nPATH=/tmp/evil\nSSLKEYLOGFILE=/tmp/evil.log\n"
    )
    seen = cupel(tmp_path, "run", *study(tmp_path, ["a good record"]), OPENAI_API_KEY=KEYS["plain"])
    told = seen["run stderr"].decode()

    assert (
        f"note: OPENAI_API_KEY goes to 127.0.0.1:{echo.server_port}, which the project's .env names (OPENAI_BASE_URL)"
        in told
    )
    assert "PYTHONPATH" in told
    assert "SSLKEYLOGFILE" in told
    assert told.count("OPENAI_API_KEY goes to") == 1


database = own_database
"""A fixture: a database of the test's own, or a skip."""

ROLES = {f"{role}_model": f"openai:{role}" for role in ("cheap", "strong", "judge", "refiner")}


@pytest.mark.soak
@pytest.mark.skipif(find_spec("langgraph_cli") is None, reason="needs cupel[studio]")
@pytest.mark.parametrize("kind", KEYS)
async def test_a_server_keeps_keys_out_of_its_log_streams_and_checkpoints(tmp_path, echo, kind):
    """`langgraph dev`, every way of failing on a thread of its own: what is streamed, kept, written down."""
    from langgraph_sdk import get_client

    key = KEYS[kind]
    for name in ("graphs", "nodes", "prompts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    config = (ROOT / "langgraph.json").read_text().replace('"env": ".env"', '"env": {}')
    (tmp_path / "langgraph.json").write_text(config)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "study"\nversion = "0"\n')
    seen: dict[str, bytes] = {}
    with langgraph_server(tmp_path, keys(key, echo.url), tmp_path / "server.log") as url:
        async with get_client(url=url, api_key=None) as client:
            for way in (*ODD, *ENDING):
                thread = (await client.threads.create())["thread_id"]
                given = {"text": f"<<{way}>> is how it fails.", "output_schema": SCHEMA}
                settings = {**ROLES, "max_retries": 0, "judge": "always"}
                streamed = client.runs.stream(
                    thread, "enrich", input=given, context=settings, stream_mode=["values", "updates", "debug", "messages-tuple", "custom"],
                )  # fmt: skip
                seen[f"stream {way}"] = b"\n".join(
                    [repr(part).encode() + json.dumps(part.data).encode() async for part in streamed]
                )
                state = [await client.threads.get_state(thread), await client.threads.get_history(thread)]
                seen[f"state {way}"] = json.dumps(state).encode()

    assert echo.asked >= len(ODD)
    assert all(seen.values())
    assert any(path.endswith(".pckl") for path in artefacts(tmp_path))
    assert left_in(artefacts(tmp_path) | seen, key, PASSWORD) == []


@pytest.mark.soak
@pytest.mark.parametrize("kind", KEYS)
def test_dask_workers_keep_keys_out_of_their_log_and_the_shared_run_log(tmp_path, echo, database, kind):
    """Scheduler, workers, driver and every table in PostgreSQL."""
    key = KEYS[kind]
    env = {**keys(key, echo.url), "CUPEL_DATABASE_URL": database}
    asked = [*study(tmp_path, GROUPS["answers and errors"]), "--engine", "dask", "--concurrency", "4"]
    with dask_workers(2, tmp_path, environment(None, **env), threads=1) as (address, _):
        seen = cupel(tmp_path, "run", *asked, "--scheduler", address, **env)
    seen |= cupel(tmp_path, "show", "3", **env)
    engine = create_engine(database)
    with engine.connect() as connection:
        for name in inspect(engine).get_table_names():
            rows = connection.exec_driver_sql(f'SELECT * FROM "{name}"').fetchall()
            seen[f"table {name}"] = repr([tuple(row) for row in rows]).encode() + b"".join(
                bytes(cell) for row in rows for cell in row if isinstance(cell, bytes | memoryview)
            )
    engine.dispose()

    assert echo.asked >= len(GROUPS["answers and errors"])
    assert b"is how it fails" in b"".join(seen.values()) + b"".join(artefacts(tmp_path).values())
    assert left_in(artefacts(tmp_path) | seen, key, PASSWORD) == []
