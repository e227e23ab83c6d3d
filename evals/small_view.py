"""An endpoint in front of another one that shows its model no more of a request than a small model takes in.

    python evals/small_view.py --port 8091 --behind http://127.0.0.1:8090/v1

Of the system part only the first line goes on, without definitions, rules and example; of the document its first 1,500
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
from urllib.request import Request, urlopen

SHOWN_CHARS = 1_500
_DOCUMENT = re.compile(r'(<document id="[^"]*">\n)(.*?)(\n</document>)', re.DOTALL)


def narrow(body: dict[str, Any], *, chars: int = SHOWN_CHARS) -> dict[str, Any]:
    """A chat request as a small model takes it in; one for another model as it is.

    >>> asked = {"model": "demo-cheap", "messages": [{"role": "system", "content": "Find names.\\n\\nRules: …"}]}
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

    def do_POST(self) -> None:  # noqa: N802  # http.server's name
        """Ask the endpoint behind."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = Request(  # noqa: S310  # the address is the caller's own
            f"{self.behind}/chat/completions",
            json.dumps(narrow(body)).encode(),
            {"Content-Type": "application/json"},
        )
        with urlopen(asked, timeout=self.timeout_s) as reply:  # noqa: S310  # as above
            answer = reply.read()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


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
