"""A stand-in for LangSmith on a free loopback port: what the real SDK sends, kept, and what it asks for, answered."""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from zstandard import ZstdDecompressor

from tests.integration.bodies import body_of

AT = "2026-11-20T12:00:00+00:00"
_PART = re.compile(rb'name="(post|patch|feedback)\.([0-9a-f-]{36})(?:\.(\w+))?"[^\r]*\r\n(?:[^\r]+\r\n)*\r\n')


@dataclass
class Run:
    """One run, its start and its end together."""

    id: str
    fields: dict[str, Any] = field(default_factory=dict)
    size: int = 0
    """Bytes it took on the wire before compression."""

    parts: list[bytes] = field(default_factory=list)

    @property
    def metadata(self) -> dict[str, Any]:
        return self.fields.get("extra", {}).get("metadata", {})

    @property
    def is_root(self) -> bool:
        return not self.fields.get("parent_run_id")


class LangSmith(http.server.ThreadingHTTPServer):
    """Keeps everything in memory."""

    daemon_threads = True

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.lock = threading.Lock()
        self.datasets: dict[str, dict[str, Any]] = {}
        self.sessions: list[dict[str, Any]] = []
        self.examples: dict[str, dict[str, Any]] = {}
        self.said: list[dict[str, Any]] = []
        """Feedback that people gave on its pages."""

        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def env(self) -> dict[str, str]:
        return {"LANGSMITH_API_KEY": "ls-key", "LANGSMITH_ENDPOINT": self.url}

    @property
    def tracing(self) -> dict[str, str]:
        return {**self.env, "LANGSMITH_TRACING": "true"}

    def bodies(self) -> bytes:
        """All that was sent, as it was before compression."""
        with self.lock:
            return b"\n".join(body for _, _, body in self.seen)

    def _parts(self) -> list[tuple[str, str, str, bytes]]:
        found = []
        for piece in re.split(rb"\r?\n?--[0-9a-zA-Z_-]{8,}(?:--)?\r?\n", self.bodies()):
            head = _PART.search(piece)
            if head:
                kind, run, name = (part.decode() if part else "" for part in head.groups())
                found.append((kind, run, name, piece[head.end() :].rstrip(b"\r\n")))
        return found

    def runs(self) -> dict[str, Run]:
        """Every run that was sent, by id."""
        runs: dict[str, Run] = {}
        for kind, run_id, name, body in self._parts():
            if kind == "feedback":
                continue
            run = runs.setdefault(run_id, Run(run_id))
            run.size += len(body)
            run.parts.append(body)
            told = json.loads(body)
            if name:
                run.fields[name] = told
            else:
                run.fields |= {key: value for key, value in told.items() if value is not None}
        return runs

    def traces(self) -> dict[str, list[Run]]:
        """The runs of each trace, by its id; the root first."""
        traces: dict[str, list[Run]] = {}
        for run in self.runs().values():
            traces.setdefault(str(run.fields.get("trace_id")), []).append(run)
        return {trace: sorted(runs, key=lambda run: not run.is_root) for trace, runs in traces.items()}

    def feedback(self) -> dict[str, dict[str, Any]]:
        """By run, each key with its score or value."""
        found: dict[str, dict[str, Any]] = {}
        for kind, _, _, body in self._parts():
            if kind == "feedback":
                told = json.loads(body)
                said = told["score"] if told.get("score") is not None else told.get("value")
                found.setdefault(told["run_id"], {})[told["key"]] = said
        return found

    def say(self, run: str, key: str, **values: Any) -> None:
        """A person gives feedback on a run, on the web page."""
        own = {
            "id": str(uuid.uuid4()),
            "created_at": AT,
            "modified_at": AT,
            "feedback_source": {"type": "app"},
        }
        self.said.append({**own, "run_id": run, "trace_id": run, "key": key, **values})

    def listed_runs(self, sessions: list[str]) -> list[dict[str, Any]]:
        """The root runs of these experiments, as a query answers them."""
        names = {one["name"]: one["id"] for one in self.sessions if one["id"] in sessions}
        return [
            {**run.fields, "id": run.id, "session_id": names[run.fields["session_name"]], "app_path": ""}
            for run in self.runs().values()
            if run.is_root and run.fields.get("session_name") in names
        ]

    def settled(self, roots: int, within_s: float = 20.0) -> dict[str, list[Run]]:
        """The traces, once so many have ended with feedback."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if len(self.feedback().keys() & self.runs().keys()) >= roots:
                break
            time.sleep(0.2)
        return self.traces()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        body = body_of(self) if self.command in ("POST", "PATCH", "PUT") else b""
        if body[:4] == b"\x28\xb5\x2f\xfd":
            body = ZstdDecompressor().decompressobj().decompress(body)
        with self.server.lock:
            self.server.seen.append((self.command, path, body))
        self._say(*self._told(path, parse_qs(urlsplit(self.path).query), body))

    def _told(  # noqa: PLR0911  # one answer a path
        self, path: str, query: dict[str, list[str]], body: bytes
    ) -> tuple[Any, int]:
        server: LangSmith = self.server
        match self.command, path:
            case "GET", "/datasets":
                wanted = query.get("name", [""])[0]
                return [one for one in server.datasets.values() if wanted in ("", one["name"])], 200
            case "POST", "/datasets":
                told = json.loads(body)
                made = {"id": str(uuid.uuid4()), "name": told["name"], "created_at": AT, "data_type": "kv"}
                return server.datasets.setdefault(told["name"], made), 200
            case "POST", "/examples/bulk":
                told = json.loads(body)
                server.examples |= {one["id"]: one for one in told}
                return [{"id": one["id"]} for one in told], 200
            case "GET", "/examples":
                there = [e for e in server.examples.values() if e["dataset_id"] in query["dataset"]]
                start = int(query.get("offset", ["0"])[0])
                return there[start : start + 100], 200
            case "POST", "/sessions":
                told = json.loads(body)
                made = {
                    "id": told.get("id") or str(uuid.uuid4()),
                    "start_time": AT,
                    "tenant_id": str(uuid.uuid4()),
                }
                made |= {name: told.get(name) for name in ("name", "reference_dataset_id", "extra")}
                server.sessions.append(made)
                return made, 200
            case "GET", "/sessions":
                wanted = query.get("reference_dataset", [])
                return [one for one in server.sessions if one["reference_dataset_id"] in wanted], 200
            case "POST", "/runs/query":
                return {"runs": server.listed_runs(json.loads(body)["session"]), "cursors": {}}, 200
            case "GET", "/feedback":
                kinds, runs = query.get("source", ["app"]), query["run"]
                some = [
                    one
                    for one in server.said
                    if one["run_id"] in runs and one["feedback_source"]["type"] in kinds
                ]
                return some[int(query.get("offset", ["0"])[0]) :], 200
        return {}, 202

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815  # http.server's names

    def _say(self, told: Any, status: int = 200) -> None:
        written = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    def log_message(self, *_: object) -> None:
        """Quiet."""
