"""The resources of one event loop, and which runtime a loop has."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cupel._memo import Kept
from cupel.context import RunContext
from cupel.engine.calls import Calls
from cupel.engine.policies import Policies
from cupel.engine.run import Asking
from cupel.judging import check_task
from cupel.limits import (
    DEFAULT_WAIT_S,
    PATIENCE_S,
    Circuits,
    Limiter,
    Limits,
    Patience,
    SharedGate,
    read_limits,
)
from cupel.models import (
    EngineSettings,
    TierModels,
    asked_of,
    is_stated,
    place_of,
    resolve_models,
    set_recordings_folder,
)
from cupel.project import Project, find_project, note_variables
from cupel.runlog import RunLog, open_run_log, read_cell, tables
from cupel.task import TaskSpec, ad_hoc_task, compact, load_task
from cupel.tracing import Tracer

DEFAULT_TASK = "arguments"
TASK_FRESH_S = 1.0

_PATIENT_S, _HURRIED_S = 60.0, 0.5
"""How long the run log may take to be closed, and how long where a run was ended."""


class Runtime:
    """The shared resources of one event loop.

    Args:
        project: Whose run log, prompts and policies they are.
        env: Environment variables; those of the process when left out.
        run_log: An open run log; the project's when left out.
        wait_s: Seconds a run waits for a provider that is down or at a daily limit; `math.inf` for ever.
    """

    def __init__(
        self,
        project: Project,
        env: Mapping[str, str] | None = None,
        run_log: RunLog | None = None,
        *,
        wait_s: float = DEFAULT_WAIT_S,
    ) -> None:
        self.project = project
        self.env = os.environ if env is None else env
        note_variables(project, self.env)
        # one more than are generated at once, so that the next begins as soon as one is done
        here = {"gguf": Limits(concurrency=EngineSettings.of(self.env).at_once + 1)}
        self.limits = here | read_limits(self.env.get("CUPEL_LIMITS", ""))
        self.run_log = run_log or open_run_log(project.state, self.env)
        set_recordings_folder(project.recordings)
        self._gate = _shared_gate(self.run_log)
        self.limiter = Limiter(limits=self.limits, longest_pause_s=min(wait_s, PATIENCE_S), shared=self._gate)
        self.tracer = Tracer(self.env, lambda: self.run_log.rows_of(tables.ledger))
        self.policies = Policies(project.state)
        # tried again several times within whatever time anybody waits
        self.patience = Patience(Circuits(rest_s=min(4.0, max(0.25, wait_s / 16))), wait_s=wait_s)
        self.calls = Calls(self.run_log, self.limiter, self.env, self.patience)
        self._models = Kept[TierModels]()
        self._learnt: set[str] = set()
        self._tasks: dict[str, tuple[float, TaskSpec]] = {}

    async def task(self, document: Mapping[str, Any], asking: Asking) -> TaskSpec:
        """The task a document names, or the one its own schema makes; an edited file is seen within a second.

        Raises:
            TaskError: If there is no such task, or a file of it is wrong.
        """
        schema, instructions = document.get("output_schema"), document.get("instructions") or ""
        name = document.get("task") or DEFAULT_TASK
        tried = asking.run.task
        if tried is not None and (tried.is_of(schema, instructions) if schema else tried.name == name):
            return tried
        key = compact([schema, instructions]) if schema else name
        held = self._tasks.get(key)
        if held is not None and time.monotonic() - held[0] < TASK_FRESH_S:
            return held[1]
        if schema:
            spec = await asyncio.to_thread(ad_hoc_task, schema, instructions, self.project.prompts)
        else:
            spec = await asyncio.to_thread(load_task, name, self.project.prompts)
        check_task(spec)
        self._tasks[key] = (time.monotonic(), spec)
        return spec

    def models(self, context: RunContext) -> TierModels:
        """The model of every role under this context, resolved once.

        Raises:
            SettingError: For an unknown profile or provider.
        """
        return self._models.of((context,), make=lambda: resolve_models(context, self.env))

    async def learn(self, model: str) -> None:
        """Read once in the run log what `cupel doctor --probe` found a server of one's own to do.

        A run sends no question of its own: what it was asked for is all that it asks.
        """
        if not model.startswith("local:") or model in self._learnt or is_stated(model, self.env):
            return
        from cupel.models import Findings

        kept = await self.run_log.endpoint(asked_of(model))
        found = None if kept is None else Findings.from_json(kept)
        if found is not None:
            found.apply(model)
        self._learnt.add(model)

    async def count_earlier(self, models: Iterable[str]) -> None:
        """Count what the run log says was sent in the last day against the daily limits a person set.

        What runs sent to the same model at another address does not count.
        """
        if not any(set_.rpd or set_.tpd for set_ in self.limits.values()):
            return
        since = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds")
        runs = await asyncio.to_thread(self.run_log.runs, trials=True)
        addresses = {
            run["run_id"]: read_cell(tables.runs.c.settings, run["settings"], run["run_id"]).get(
                "addresses", {}
            )
            for run in runs
        }
        for model in sorted(set(models)):
            place = place_of(model, self.env)
            elsewhere = [run_id for run_id, places in addresses.items() if places.get(model, "") != place]
            requests, tokens = await self.run_log.usage_since(model, since, without=elsewhere)
            self.limiter.count_earlier(model, requests=requests, tokens=tokens, key=place)

    async def aclose(self, *, is_last: bool = True) -> None:
        """Close the run log, and the model clients of this loop; at once where nothing is waited for any more.

        Args:
            is_last: Whether no other runtime of the loop needs its clients.
        """
        from cupel.models import aclose_models

        wait_s = _HURRIED_S if self.calls.dropped else _PATIENT_S
        if is_last:
            await aclose_models()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                if self._gate is not None:
                    await self._gate.aclose()
                await asyncio.to_thread(self.tracer.close)
        await asyncio.to_thread(self.run_log.close, wait_s)


def _shared_gate(run_log: RunLog) -> SharedGate | None:
    """Limits are shared by all processes on one PostgreSQL run log."""
    if not run_log.url.startswith("postgresql"):
        return None
    from cupel.limits import PostgresGate

    return PostgresGate(run_log.engine, patiently=run_log.persist)


_runtimes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[Runtime]] = weakref.WeakKeyDictionary()
"""Those that are open on each loop, the newest last."""

_own: ContextVar[Runtime | None] = ContextVar("cupel_runtime", default=None)
"""What the call under way has opened: several calls at once on one loop have one each, and so have the tasks they begin."""

_opening: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Awaitable[Runtime]] = (
    weakref.WeakKeyDictionary()
)
_closing: set[Runtime] = set()
"""Those that are just being closed: what they have not committed is still theirs."""

_HERE = Path.cwd()  # asked once at import: os.getcwd blocks, and a node may not


_stopping = threading.Event()
"""Set once this process was asked to stop: a runtime that is opened later sends nothing either."""


def install(runtime: Runtime) -> None:
    """Make this the runtime of the call under way, and the running loop's for whoever has none of their own."""
    _runtimes.setdefault(asyncio.get_running_loop(), []).append(runtime)
    _own.set(runtime)
    if _stopping.is_set():
        runtime.calls.stop()


def stop_asking(within_s: float) -> bool:
    """Have nothing new sent to a model by this process; from any thread.

    Args:
        within_s: Seconds after which what has not landed is dropped.

    Returns:
        Whether there was anything under way that could ask.
    """
    _stopping.set()
    opened = _opened()
    for loop, runtime in opened:
        runtime.calls.stopped = True  # at once, even where the loop is busy
        _tell(loop, partial(runtime.calls.stop, within_s))
    return bool(opened)


def drop_calls() -> None:
    """Have no call waited for any longer; from any thread."""
    for loop, runtime in _opened():
        _tell(loop, runtime.calls.drop)


def is_asking() -> bool:
    """Whether anything is under way in this process that could ask a model."""
    return bool(_runtimes)


def rescue_answers() -> int:
    """Keep in files what was paid for and is not committed yet, as the process has to end; returns how many."""
    opened = [runtime for _, runtime in _opened()]
    return sum(runtime.run_log.rescue() for runtime in [*_closing, *opened])


def sent_calls() -> int:
    """Calls of this process that are at a provider now."""
    return sum(runtime.calls.sent for _, runtime in _opened())


def _opened() -> list[tuple[asyncio.AbstractEventLoop, Runtime]]:
    """Every runtime of this process that is open, with its loop."""
    return [(loop, runtime) for loop, opened in list(_runtimes.items()) for runtime in list(opened)]


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # it has just been closed
        loop.call_soon_threadsafe(what)


async def current() -> Runtime:
    """The runtime of the call under way; else the running loop's, opened now if nobody did."""
    loop = asyncio.get_running_loop()
    if runtime := _held(loop):
        return runtime
    if loop not in _opening:
        _opening[loop] = asyncio.ensure_future(asyncio.to_thread(lambda: Runtime(find_project(_HERE))))
    opened = await _opening[loop]
    if opened not in (here := _runtimes.setdefault(loop, [])):
        here.append(opened)
    return opened


def _held(loop: asyncio.AbstractEventLoop) -> Runtime | None:
    here, own = _runtimes.get(loop), _own.get()
    if not here:
        return None
    return own if own in here else here[-1]


async def close_current() -> None:
    """Close the runtime of the call under way, else the running loop's, if there is one."""
    loop = asyncio.get_running_loop()
    runtime = _held(loop)
    if runtime is None:
        _opening.pop(loop, None)
        return
    if _own.get() is runtime:
        _own.set(None)
    here = _runtimes[loop]
    here.remove(runtime)
    if not here:
        del _runtimes[loop]
        _opening.pop(loop, None)
    _closing.add(runtime)
    try:
        await runtime.aclose(is_last=not here)
    finally:
        _closing.discard(runtime)
