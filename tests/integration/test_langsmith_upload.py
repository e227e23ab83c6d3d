"""Data sets and experiments sent to LangSmith when asked for, against a loopback stand-in for what the SDK calls."""

from __future__ import annotations

import http.server
import json
import threading
import uuid

import pytest
from typer.testing import CliRunner
from zstandard import ZstdDecompressor

from cupel.cli._app import app
from cupel.errors import SettingError
from cupel.testing.models import scripted
from cupel.tracing.upload import upload_examples, upload_experiment
from tests.integration.bodies import body_of
from tests.integration.improvement import extractor, made_project, speeches, write
from tests.integration.server import free_port

AT = "2026-11-20T12:00:00+00:00"


class LangSmith(http.server.ThreadingHTTPServer):
    """Keeps data sets and requests in memory."""

    def __init__(self) -> None:
        self.datasets: dict[str, dict] = {}
        self.seen: list[tuple[str, str, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def env(self) -> dict[str, str]:
        return {"LANGSMITH_API_KEY": "x", "LANGSMITH_ENDPOINT": f"http://127.0.0.1:{self.server_port}"}

    def paths(self, method: str) -> list[str]:
        return [path for verb, path, _ in self.seen if verb == method]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append(("GET", self.path, b""))
        self._say(list(self.server.datasets.values()) if self.path.startswith("/datasets") else [])

    def do_POST(self) -> None:
        body = body_of(self)
        self.server.seen.append(("POST", self.path, body))
        if self.path == "/datasets":
            told = json.loads(body)
            made = {"id": str(uuid.uuid4()), "name": told["name"], "created_at": AT, "data_type": "kv"}
            self.server.datasets[told["name"]] = made
            self._say(made)
        elif self.path.startswith("/sessions"):
            told = json.loads(body)
            own = {"id": str(uuid.uuid4()), "start_time": AT, "tenant_id": str(uuid.uuid4())}
            self._say({**own, "name": told["name"], "reference_dataset_id": told["reference_dataset_id"]})
        elif "/bulk" in self.path:
            self._say([{"id": item["id"]} for item in json.loads(body)])
        else:
            self._say({})

    do_PATCH = do_POST  # noqa: N815  # http.server's names

    def _say(self, told) -> None:
        written = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def langsmith():
    server = LangSmith()
    yield server
    server.shutdown()
    server.server_close()


EXAMPLES = [{"id": f"d{n}", "inputs": {"text": f"speech {n}"}, "outputs": {"gold": None}} for n in range(3)]


def test_a_data_set_is_made_with_its_examples(langsmith):
    """A data set is made once: it is found again by its name."""
    first = upload_examples(langsmith.env, "hard ones", EXAMPLES)
    again = upload_examples(langsmith.env, "hard ones", EXAMPLES)

    assert first == again
    assert langsmith.paths("POST").count("/datasets") == 1
    assert any(b"speech 2" in body for _, path, body in langsmith.seen if "examples" in path)


def test_an_experiment_is_a_project_of_that_data_set_with_a_run_each(langsmith):
    """Runs refer to their examples; figures are the project's metadata."""
    rows = {item["id"]: {"status": "accepted"} for item in EXAMPLES}
    name = upload_experiment(
        langsmith.env,
        dataset="hard ones",
        experiment="small",
        examples=EXAMPLES,
        rows=rows,
        figures={"right": 0.5},
    )

    assert name.startswith("small-")
    session = next(
        json.loads(body)
        for verb, path, body in langsmith.seen
        if verb == "POST" and path.startswith("/sessions")
    )
    assert session["reference_dataset_id"] == langsmith.datasets["hard ones"]["id"]
    assert session["extra"]["metadata"]["right"] == 0.5
    assert any("runs" in path for path in langsmith.paths("POST"))


def test_an_evaluation_becomes_a_data_set_with_gold_and_an_experiment_with_scores(
    langsmith, tmp_path, monkeypatch
):
    """`cupel eval --langsmith` shows the local result first, then its copy."""
    study = made_project(tmp_path)
    write(study.folder / "speeches.jsonl", speeches(4))
    (study.folder / "e.toml").write_text(
        'task = "stance"\ndataset = "speeches.jsonl"\n[models.small]\ncheap_model = "scripted:cheap"\njudge = "never"\n'
    )
    monkeypatch.chdir(study.folder)
    for name, value in langsmith.env.items():
        monkeypatch.setenv(name, value)
    with scripted({"scripted:cheap": extractor}):
        result = CliRunner().invoke(app, ["eval", "e.toml", "--langsmith", "--json"])

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["variants"][0]["figures"]["right"]["value"] == 0.5
    sent = [(path, body) for verb, path, body in langsmith.seen if verb == "POST"]
    assert any(
        b'"gold": {"stance": "favor"}' in body or b'"gold":{"stance":"favor"}' in body for _, body in sent
    )
    written = b"".join(
        unpacked(body) for path, body in sent if path.endswith("/multipart") and "runs" in path
    )
    assert written.count(b'"key":"right"') == 4
    assert written.count(b'"key":"metric_') == 4


def unpacked(body):
    """A body as it was before compression."""
    return ZstdDecompressor().decompressobj().decompress(body) if body[:4] == b"\x28\xb5\x2f\xfd" else body


def test_an_endpoint_nobody_answers_is_an_error_and_the_local_result_stands():
    """The error comes at once."""
    env = {"LANGSMITH_API_KEY": "x", "LANGSMITH_ENDPOINT": f"http://127.0.0.1:{free_port()}"}

    with pytest.raises(SettingError, match=r"cannot be reached .* local data set stands"):
        upload_examples(env, "x", EXAMPLES)
