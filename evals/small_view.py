"""An endpoint in front of another one that shows its model no more of a request than a small model takes in.

    python evals/small_view.py --port 8091 --behind http://127.0.0.1:8090/v1

Of the system part only the first line goes on, without definitions, rules and example; of the document its first 1,200
characters, silently, as some local servers cut what their context does not hold. Only requests for a model whose name
ends in `-cheap` are cut; all else passes as it came. So the demo's cheap tier is recorded (evals/recordings/README.md): one
model in every role, that sees less in this one.
"""

from __future__ import annotations

import argparse
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

SHOWN_CHARS = 1_200
_DOCUMENT = re.compile(r'(<document id="[^"]*">\n)(.*?)(\n</document>)', re.DOTALL)


def narrow(body: dict[str, Any], *, chars: int = SHOWN_CHARS) -> dict[str, Any]:
    r"""A chat request as a small model takes it in; one for another model as it is.

    >>> asked = {"model": "demo-cheap", "messages": [{"role": "system", "content": "Find names.\n\nRules: …"}]}
    >>> narrow(asked)["messages"][0]["content"]
    'Find names.'
    """
    if not str(body["model"]).endswith("-cheap"):
        return body
    return {**body, "messages": [{**each, "content": _cut(each, chars)} for each in body["messages"]]}


def _cut(message: dict[str, Any], chars: int) -> str:
    content = str(message["content"])
    if message["role"] == "system":
        return content.partition("\n")[0]
    return _DOCUMENT.sub(lambda found: f"{found[1]}{found[2][:chars]}{found[3]}", content, count=1)


class Handler(BaseHTTPRequestHandler):
    """Passes a request on, cut, and its answer back."""

    behind: str
    timeout_s = 3_600.0

    def do_POST(self) -> None:  # http.server's name
        """Ask the endpoint behind; what it says goes back as it is, a refusal too."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {"Content-Type": "application/json"}
        if key := self.headers.get("Authorization"):
            headers["Authorization"] = key
        url = f"{self.behind}/chat/completions"
        asked = Request(url, json.dumps(narrow(body)).encode(), headers)  # noqa: S310  # the caller's own address
        try:
            with urlopen(asked, timeout=self.timeout_s) as reply:  # noqa: S310  # the same
                self._answer(reply.status, reply.read())
        except HTTPError as refusal:
            with refusal:
                self._answer(refusal.code, refusal.read())

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    """Serve on the loopback until interrupted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=8091)
    parser.add_argument("--behind", required=True, help="address of the endpoint that answers, with /v1")
    options = parser.parse_args()
    Handler.behind = options.behind.rstrip("/")
    ThreadingHTTPServer(("127.0.0.1", options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
