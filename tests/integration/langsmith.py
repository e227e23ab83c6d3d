"""A stand-in for LangSmith on a free loopback port: what the real SDK sends, kept, and what it asks for, answered."""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

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
        self._say({}, 202)

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
