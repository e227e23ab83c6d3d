"""llama.cpp's server engine in a process of its own: settings in by standard input, its address out, then it serves.

It ends with its standard input, so that it never outlives who started it, kill -9 included. Loading holds Python's lock
for as long as it takes, and a file that makes llama.cpp abort takes a process with it: neither happens to the run.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def _serve(told: dict[str, Any]) -> str:
    from xllamacpp import CommonParams, Server

    params = CommonParams()
    params.model.path = told["path"]
    params.n_ctx = told["context"] * told["at_once"]
    params.n_parallel = told["at_once"]
    params.api_keys = [told["key"]]
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.ui = params.fit_params = params.endpoint_slots = params.warmup = False
    params.n_threads_http = told["at_once"] + 4
    params.cache_ram_mib = 0  # else every prompt's state is kept beside the slots', up to 8 GB; a slot keeps the shared beginning itself
    params.verbosity = 1  # errors alone
    params.chat_template = told["chat_template"]
    if told["threads"]:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = told["threads"]
    if told["gpu_layers"] >= 0:
        params.n_gpu_layers = told["gpu_layers"]
    server = Server(params)
    globals()["_server"] = server  # for as long as the process is there
    return str(server.listening_address)


def main() -> None:
    """Serve until standard input ends."""
    told = json.loads(sys.stdin.readline())
    try:
        answer = {"url": _serve(told)}
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told to who started this
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)  # noqa: T201  # the address, or why there is none
    if "url" in answer:
        sys.stdin.read()
    os._exit(0)  # the engine's own end may wait for a generation


if __name__ == "__main__":
    main()
