"""One engine per file and process: opened at the first call, told when it ended, closed with the process."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cupel.errors import SettingError, SetupError
from cupel.files import read_text
from cupel.models.endpoints import Endpoint
from cupel.models.gguf.file import GgufFile, find_file, read_file
from cupel.models.gguf.settings import DEFAULT_CONTEXT, EngineSettings
from cupel.redaction import remember_secrets

_PASSED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "SYSTEMROOT", "PYTHONPATH", "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GGML_VK_VISIBLE_DEVICES",
)  # fmt: skip
"""All of the environment that the engine sees: no key is its business."""

_SPARE_BYTES = 200_000_000
"""For what is computed between, beside weights and cache."""

_MOST_STARTS = 3
_CLOSE_S = 2.0
_ENDING_S = 0.5


class Engine:
    """A file that answers, in a process of its own.

    Args:
        model: `gguf:NAME`, for messages.
        file: The file.
        settings: How to run it.

    Raises:
        SetupError: It cannot be loaded, or there is too little memory; the text says what to do.
    """

    def __init__(self, model: str, file: GgufFile, settings: EngineSettings) -> None:
        self.model = model
        self.file = file
        self.settings = settings
        self.context = _context(file, settings)
        self.where = Endpoint("")
        self.tally = Tally()
        self._last_words: deque[str] = deque(maxlen=20)
        self._starting = threading.Lock()
        self._starts = 0
        self._is_loaded = False
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def is_up(self) -> bool:
        """Whether its process is there, and its file loaded."""
        return self._is_loaded and self._process is not None and self._process.poll() is None

    def see_end(self) -> None:
        """Wait a moment for a process that is ending: a connection breaks before the system says so."""
        if process := self._process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_ENDING_S)

    def start(self) -> None:
        """Start it, if it is not up; blocks until the file is loaded.

        Raises:
            SetupError: It cannot be loaded, or ended too often.
        """
        with self._starting:
            if self.is_up:
                return
            if self._starts >= _MOST_STARTS:
                raise SetupError(
                    f"{self.model}: the engine ended {self._starts} times{self._why()}; try a smaller CUPEL_GGUF_CONTEXT"
                )
            _check_memory(self.model, self.file, self.context, self.settings.at_once)
            self._starts += 1
            self.close()  # what is left of one that ended
            self.where = self._start()
            self._is_loaded = True

    def _start(self) -> Endpoint:
        key = secrets.token_hex(16)
        remember_secrets({"ENGINE_API_KEY": key})
        told = {
            "path": str(self.file.path), "key": key, "context": self.context, "at_once": self.settings.at_once,
            "threads": self.settings.threads or _cores(), "gpu_layers": self.settings.gpu_layers,
            "chat_template": self.settings.chat_template,
        }  # fmt: skip
        env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        self._process = process = subprocess.Popen(  # noqa: S603  # our own file
            [sys.executable, "-P", str(Path(__file__).with_name("child.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", env=env,
            start_new_session=True,  # a Ctrl-C is for who asks: it lets go of a reply, and the engine stops
        )  # fmt: skip
        self._listener = threading.Thread(target=self._listen, args=(process,), daemon=True)
        self._listener.start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(told) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline() or "{}")
        except (OSError, ValueError):
            answer = {}
        if "url" not in answer:
            self.close()
            raise SetupError(
                f"{self.model}: llama.cpp could not load {self.file.path} ({self.file.architecture}, "
                f"{self.file.bytes / 1e6:,.0f} MB){self._why(answer.get('error', ''))}; the file may be of a kind that this "
                "version of xllamacpp does not know, or memory was short"
            )
        return Endpoint(f"{answer['url']}/v1", key)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with suppress(ValueError):  # closed meanwhile
            for line in process.stderr:
                if line.strip():
                    self._last_words.append(line.strip())

    def _why(self, said: str = "") -> str:
        words = [line for line in self._last_words if "rror" in line or "fail" in line]
        why = (words[0] if words else "") or said or (self._last_words[-1] if self._last_words else "")
        return f": {why[:300]}" if why else ""

    def close(self) -> None:
        """End its process; what it was generating is lost."""
        self._is_loaded = False
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            process.stdin.close()  # type: ignore[union-attr]  # it was opened with one
        try:
            process.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._listener.join(_CLOSE_S)
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


class Tally:
    """What an engine has generated, and for how long anything was under way; from any thread."""

    def __init__(self) -> None:
        self.tokens = 0
        self._busy_s = 0.0
        self._under_way = 0
        self._since = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count the time of a call; those at once count once."""
        with self._lock:
            self._under_way += 1
            if self._under_way == 1:
                self._since = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                if self._under_way == 0:
                    self._busy_s += time.perf_counter() - self._since

    def count(self, tokens: int) -> None:
        """Add the tokens of a reply."""
        with self._lock:
            self.tokens += tokens

    @property
    def per_second(self) -> float:
        """Tokens generated in a second in which anything was under way; 0 before the first."""
        with self._lock:
            busy = self._busy_s + (time.perf_counter() - self._since if self._under_way else 0.0)
            return self.tokens / busy if busy else 0.0


_engines: dict[tuple[Path, EngineSettings], Engine] = {}
_opening = threading.Lock()


def open_engine(name: str, env: Mapping[str, str] = os.environ) -> Engine:
    """The engine of `gguf:NAME`, loaded now if nobody did; blocks meanwhile.

    Raises:
        SettingError: No such file, or a bad one; a setting that cannot be; xllamacpp is not installed.
        SetupError: It cannot be loaded.
    """
    file = check_file(name)
    key = file.path, EngineSettings.of(env)
    with _opening:
        if key not in _engines:
            _engines[key] = Engine(f"gguf:{name}", file, key[1])
        engine = _engines[key]
    engine.start()  # where it ended meanwhile
    return engine


def check_file(name: str) -> GgufFile:
    """Refuse a model that could not be asked, without loading it; from here on its weights are known without touching the file.

    Raises:
        SettingError: No such file, or a bad one; xllamacpp is not installed.
    """
    file = _read(name)
    weights_of(name)
    if find_spec("xllamacpp") is None:
        raise SettingError(f"gguf:{name}: xllamacpp is not installed; pip install 'cupel[gguf]'")
    return file


_read_files: dict[tuple[Path, int, int], GgufFile] = {}


def _read(name: str) -> GgufFile:
    path = find_file(name)
    about = path.stat()
    key = path, about.st_size, about.st_mtime_ns
    if key not in _read_files:
        _read_files[key] = read_file(path)
    return _read_files[key]


_weights: dict[tuple[str, str], str] = {}


def weights_of(name: str, env: Mapping[str, str] = os.environ) -> str:
    """What tells what `gguf:NAME` answers with from what another file under the same name would: weights and chat template.

    Read once in a process, as the engine is loaded once: keys are asked for on an event loop, where no file may be touched.

    Raises:
        SettingError: No such file, or a bad one; a chat template that cannot be read.
    """
    asked = name, env.get("CUPEL_GGUF_CHAT_TEMPLATE", "").strip()
    if asked not in _weights:
        template = EngineSettings.of(env).chat_template
        said = f"+{hashlib.sha256(template.encode()).hexdigest()[:6]}" if template else ""
        _weights[asked] = _read(name).fingerprint + said
    return _weights[asked]


def close_engines() -> None:
    """End every engine of this process; the next call loads anew."""
    _weights.clear()
    with _opening:
        while _engines:
            _engines.popitem()[1].close()


atexit.register(close_engines)


def speeds() -> dict[str, dict[str, Any]]:
    """By model, the tokens its engine generated and how many a second; empty where none did."""
    return {
        engine.model: {"tokens": engine.tally.tokens, "per_second": round(engine.tally.per_second, 1)}
        for engine in list(_engines.values())
        if engine.tally.tokens
    }


def _context(file: GgufFile, settings: EngineSettings) -> int:
    """Tokens of a prompt with its reply: as set, else a usual number; never more than it was trained on."""
    wanted = settings.context or DEFAULT_CONTEXT
    return min(wanted, file.trained_context) if file.trained_context else wanted


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_memory(model: str, file: GgufFile, context: int, at_once: int) -> None:
    needed = file.bytes + context * at_once * file.bytes_per_token + _SPARE_BYTES
    free = _free_bytes()
    if free is not None and needed > free:
        raise SetupError(
            f"{model}: it needs about {needed / 1e9:.1f} GB ({file.bytes / 1e9:.1f} GB of weights, the rest for {at_once} × "
            f"{context:,} tokens) and {free / 1e9:.1f} GB of memory are free; set CUPEL_GGUF_CONTEXT or CUPEL_GGUF_AT_ONCE lower, "
            "or take a smaller file"
        )


def _free_bytes() -> int | None:
    """Memory a process can have, where the system says so."""
    with suppress(OSError, ValueError):
        for line in read_text(Path("/proc/meminfo")).splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None
