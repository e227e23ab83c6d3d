"""GGUF files of a few hundred bytes, whole or spoiled, and an engine that is none: no weights are needed."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

PACKAGE = '''
"""Stands in for xllamacpp: what Server does is said by a line of the file it is given."""
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace


class CommonParams(SimpleNamespace):
    def __init__(self):
        super().__init__(model=SimpleNamespace(path=""), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace())


class Server:
    def __init__(self, params):
        with open(params.model.path, "rb") as file:
            about = file.read()
        if b"refuses" in about:
            print("llama_model_load: error loading model: unknown model architecture: 'odd'", file=sys.stderr)
            raise RuntimeError("Failed to init server")
        if b"aborts" in about:
            print("GGML_ASSERT failed", file=sys.stderr, flush=True)
            os.abort()
        key = "Bearer " + params.api_keys[0]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                said = "".join(each["content"] for each in body["messages"])
                if self.headers["Authorization"] != key:
                    return self.answer(401, {"error": {"message": "Invalid API Key"}})
                if self.path.endswith("input_tokens"):
                    return self.answer(200, {"input_tokens": len(said.split())})
                if "die" in said:
                    os._exit(3)
                told = json.dumps({"max_tokens": body.get("max_tokens"), "n_ctx": params.n_ctx, "pid": os.getpid()})
                choice = {"finish_reason": "stop", "index": 0, "message": {"role": "assistant", "content": told}}
                usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
                self.answer(200, {"choices": [choice], "usage": usage, "model": "m", "object": "chat.completion"})

            def answer(self, status, body):
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.listening_address = f"http://127.0.0.1:{server.server_port}"
'''


def text(value: str) -> bytes:
    """A string as the format has it."""
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def header(entries: dict[str, Any], tensors: int = 1, *, magic: bytes = b"GGUF", version: int = 3) -> bytes:
    """Magic, version, and entries of text, numbers and lists of text."""
    made = struct.pack("<4sIQQ", magic, version, tensors, len(entries))
    for name, value in entries.items():
        made += text(name)
        if isinstance(value, str):
            made += struct.pack("<I", 8) + text(value)
        elif isinstance(value, list):
            made += struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
        else:
            made += struct.pack("<II", 4, value)
    return made


ENTRIES: dict[str, Any] = {
    "general.architecture": "llama", "general.name": "Tiny", "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.tokens": ["a", "b", "ab"], "llama.block_count": 2, "llama.context_length": 512,
    "llama.embedding_length": 64, "llama.attention.head_count": 4, "llama.attention.head_count_kv": 2,
}  # fmt: skip


def whole(name: str = "Tiny", **changed: Any) -> bytes:
    """A whole file of one tensor of 64 numbers."""
    made = header({**ENTRIES, "general.name": name, **changed})
    made += text("w") + struct.pack("<IQIQ", 1, 64, 0, 0)
    return made + b"\0" * (-len(made) % 32) + b"\0" * 256


def stand_in(folder: Path) -> Path:
    """A folder with the stand-in for xllamacpp, for `PYTHONPATH`."""
    (folder / "xllamacpp").mkdir(parents=True)
    (folder / "xllamacpp" / "__init__.py").write_text(PACKAGE)
    return folder
