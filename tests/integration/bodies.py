"""What the LangSmith SDK sends, whole: with a length, or in chunks."""

from __future__ import annotations

import http.server


def body_of(request: http.server.BaseHTTPRequestHandler) -> bytes:
    """The body of a request."""
    if length := request.headers.get("content-length"):
        return request.rfile.read(int(length))
    body = b""
    while size := int(request.rfile.readline().strip() or b"0", 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body
