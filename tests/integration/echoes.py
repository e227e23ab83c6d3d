"""A provider that echoes what it was sent in every way a server, a proxy or a framework's error page does."""

from __future__ import annotations

import base64
import gzip
import html
import http.server
import json
import re
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
Reply = tuple[int, dict[str, str], bytes]


def said(content: Any, **more: Any) -> Reply:
    """A good answer with this content."""
    message = {"role": "assistant", "content": content, **more.pop("message", {})}
    choice = {
        "message": message,
        "finish_reason": more.pop("finish_reason", "stop"),
        **more.pop("choice", {}),
    }
    return 200, {}, json.dumps({"choices": [choice], "usage": USAGE, "model": "x", **more}).encode()


def refused(status: int, message: str, **more: Any) -> Reply:
    """An error as most providers write it."""
    return status, {}, json.dumps({"error": {"message": message, "code": "bad", **more}}).encode()


def plain(status: int, text: str) -> Reply:
    """An answer that is no JSON."""
    return status, {"content-type": "text/html"}, text.encode()


def in_pieces(reply: Reply) -> Reply:
    """The same, a few bytes at a time: wherever a key stands, it is cut."""
    return reply[0], {**reply[1], "transfer-encoding": "chunked"}, reply[2]


def streamed(*pieces: str) -> str:
    """An answer as a stream of events, though none was asked for."""
    events = [json.dumps({"choices": [{"delta": {"content": piece}}]}) for piece in pieces]
    return "\n\n".join(f"data: {event}" for event in [*events, "[DONE]"])


def packed(reply: Reply) -> Reply:
    """The same in gzip."""
    return reply[0], {**reply[1], "content-encoding": "gzip"}, gzip.compress(reply[2])


ODD: dict[str, Callable[[str], Reply]] = {
    "echoed headers": lambda key: plain(200, f"POST /v1\r\nAuthorization: Bearer {key}\r\nHost: x"),
    "a list of headers": lambda key: (200, {}, json.dumps([["Authorization", f"Bearer {key}"]]).encode()),
    "a page": lambda key: plain(200, f"<html><pre>{html.escape(key)}</pre>"),
    "a page cut off": lambda key: plain(200, "x" * 190 + key),
    "python's repr": lambda key: plain(200, repr({"Authorization": f"Bearer {key}"})),
    "the answer": lambda key: said(f'{{"label": "{key}"}}'),
    "the answer as text": lambda key: said(f"your key is {key}"),
    "a good record": lambda key: said(json.dumps({"label": key})),
    "a record in base64": lambda key: said(json.dumps({"label": base64.b64encode(f"u:{key}".encode()).decode()})),
    "parts": lambda key: said([{"type": "text", "text": json.dumps({"label": key})}]),
    "escaped twice": lambda key: said(json.dumps({"label": json.dumps(key)})),
    "escaped as \\u": lambda key: (
        200, {}, said("K")[2].replace(b'"K"', ('"{\\"label\\": \\"' + "".join(f"\\u{ord(c):04x}" for c in key) + '\\"}"').encode()),
    ),
    "a record in \\u": lambda key: said('{"label": "' + "".join(f"\\u{ord(c):04x}" for c in key) + '"}'),
    "a refusal": lambda key: said(None, message={"refusal": f"no: {key}"}),
    "a tool call": lambda key: said(None, message={"tool_calls": [{"function": {"name": "f", "arguments": json.dumps({"label": key})}}]}),
    "reasoning": lambda key: said("", message={"reasoning": f"the key {key}"}),
    "how it ended": lambda key: said("{}", finish_reason=f"stopped {key}"),
    "the model's name": lambda key: said("{}", model=key),
    "an error behind 200": lambda key: (200, {}, json.dumps({"error": {"message": f"bad {key}", "code": 400}}).encode()),
    "a choice's error": lambda key: said("", choice={"error": {"message": key, "code": 400}}),
    "an error's message": lambda key: refused(400, f"Incorrect API key provided: {key}"),
    "an error's code": lambda key: refused(400, "no", code=key, type=key),
    "an error's raw": lambda key: refused(400, "Provider returned error", metadata={"raw": f"x-api-key: {key}"}),
    "what was held back": lambda key: refused(400, "no", code="json_validate_failed", failed_generation=f"{{{key}"),
    "an error as text": lambda key: plain(400, f"Authorization: Bearer {key}"),
    "basic": lambda key: plain(400, "Authorization: Basic " + base64.b64encode(f"me:{key}".encode()).decode()),
    "quoted": lambda key: plain(400, f"/v1?api_key={quote(key, safe='')}&other={quote_plus(key)}"),
    "html": lambda key: plain(400, f"<p>{html.escape(f'Bearer {key}')}</p>"),
    "a traceback": lambda key: plain(500, f"Traceback (most recent call last):\n  KeyError: {key!r}"),
    "a limit": lambda key: (429, {"retry-after": "0.01"}, refused(429, f"limit of {key} reached, try again in 10ms")[2]),
    "a header of limits": lambda key: (400, {"x-request-id": key, "retry-after": key}, b"{}"),
    "nothing but the key": lambda key: plain(400, key),
    "an answer in pieces": lambda key: in_pieces(said(f"your key is {key}")),
    "a record in pieces": lambda key: in_pieces(said(json.dumps({"label": key}))),
    "an error in pieces": lambda key: in_pieces(plain(400, f"Authorization: Bearer {key}")),
    "a page in pieces": lambda key: in_pieces(plain(200, f"<pre>{html.escape(key)}</pre>")),
    "an event stream": lambda key: plain(200, streamed('{"label": "', json.dumps(key)[1:6], json.dumps(key)[6:-1], '"}')),
    "another encoding": lambda key: (200, {}, said(json.dumps({"label": key}))[2].decode().encode("utf-16")),
    "compressed": lambda key: packed(said(json.dumps({"label": f"{key} {base64.b64encode(key.encode()).decode()}"}))),
    "a compressed error": lambda key: packed(plain(400, f"?api_key={quote(key, safe='')}")),
}  # fmt: skip
"""Of one document each; the run goes on."""

ENDING: dict[str, Callable[[str], Reply]] = {
    "refused": lambda key: refused(401, f"Incorrect API key provided: {key}"),
    "forbidden": lambda key: plain(403, f"<html>{html.escape(key)}"),
    "unknown": lambda key: plain(404, f"no route for key {key}"),
    "redirected": lambda key: (
        307,
        {"Location": f"http://me:{quote(key, safe='')}@127.0.0.1:9/?api_key={quote(key)}"},
        b"",
    ),
}
"""Of the whole run."""


class EchoServer(http.server.ThreadingHTTPServer):
    """Answers a request whose messages hold `<<NAME>>` in the way of that name."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked = 0
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.asked += 1
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        named = re.search(r"<<(.+?)>>", json.loads(body)["messages"][-1]["content"])
        key = self.headers["authorization"].removeprefix("Bearer ")
        status, headers, content = (ODD | ENDING)[named[1] if named else "nothing but the key"](key)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "transfer-encoding" in headers:
            self.end_headers()
            for start in range(0, len(content), 7):
                piece = content[start : start + 7]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""
