"""The resources of one event loop, and which runtime a loop has."""

from __future__ import annotations

import asyncio
import os
import time
import weakref
from collections.abc import Awaitable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cupel._memo import Kept
from cupel.context import RunContext
from cupel.engine.calls import Calls
from cupel.engine.policies import Policies
from cupel.engine.run import Asking
from cupel.limits import Limiter, SharedGate, read_limits
from cupel.models import TierModels, resolve_models, set_recordings_folder
from cupel.project import Project, find_project
from cupel.runlog import RunLog, open_run_log
from cupel.task import TaskSpec, ad_hoc_task, check_prompts, compact, load_task
from cupel.tracing import Tracer
from cupel.trust import note_variables

DEFAULT_TASK = "arguments"
TASK_FRESH_S = 1.0


class Runtime:
    """The shared resources of one event loop."""

    def __init__(
        self,
        project: Project,
        env: Mapping[str, str] | None = None,
        run_log: RunLog | None = None,
        *,
        wait_for_limits: bool = False,
    ) -> None:
        self.project = project
        self.env = os.environ if env is None else env
        note_variables(project, self.env)
        self.limits = read_limits(self.env.get("CUPEL_LIMITS", ""))
        self.run_log = run_log or open_run_log(project.state, self.env)
        set_recordings_folder(project.recordings)
        self._gate = _shared_gate(self.run_log)
        self.limiter = Limiter(limits=self.limits, wait=wait_for_limits, shared=self._gate)
        self.tracer = Tracer(self.env)
        self.policies = Policies(project.state)
        self.calls = Calls(self.run_log, self.limiter, self.env)
        self._models = Kept[TierModels]()
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
        check_prompts(spec)
        self._tasks[key] = (time.monotonic(), spec)
        return spec

    def models(self, context: RunContext) -> TierModels:
        """The model of every role under this context, resolved once.

        Raises:
            SettingError: For an unknown profile or provider.
        """
        return self._models.of((context,), make=lambda: resolve_models(context, self.env))

    async def count_earlier(self, models: Iterable[str]) -> None:
        """Count what the run log says was sent in the last day against the daily limits a person set."""
        if not any(set_.rpd or set_.tpd for set_ in self.limits.values()):
            return
        since = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds")
        for model in sorted(set(models)):
            requests, tokens = await self.run_log.usage_since(model, since)
            self.limiter.count_earlier(model, requests=requests, tokens=tokens)

    async def aclose(self) -> None:
        """Close the model clients of this loop and the run log."""
        from cupel.models import aclose_models

        await aclose_models()
        if self._gate is not None:
            await self._gate.aclose()
        await asyncio.to_thread(self.tracer.close)
        await asyncio.to_thread(self.run_log.close)


def _shared_gate(run_log: RunLog) -> SharedGate | None:
    """Limits are shared by all processes on one PostgreSQL run log."""
    if not run_log.url.startswith("postgresql"):
        return None
    from cupel.limits import PostgresGate

    return PostgresGate(run_log.engine)


_runtimes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Runtime] = weakref.WeakKeyDictionary()
_opening: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Awaitable[Runtime]] = (
    weakref.WeakKeyDictionary()
)
_HERE = Path.cwd()  # asked once at import: os.getcwd blocks, and a node may not


def install(runtime: Runtime) -> None:
    """Make this the runtime of the running loop."""
    _runtimes[asyncio.get_running_loop()] = runtime


async def current() -> Runtime:
    """The runtime of the running loop, opened now if nobody did."""
    loop = asyncio.get_running_loop()
    runtime = _runtimes.get(loop)
    if runtime is not None:
        return runtime
    if loop not in _opening:
        _opening[loop] = asyncio.ensure_future(asyncio.to_thread(lambda: Runtime(find_project(_HERE))))
    opened = await _opening[loop]
    return _runtimes.setdefault(loop, opened)


async def close_current() -> None:
    """Close the running loop's runtime, if it has one."""
    loop = asyncio.get_running_loop()
    runtime = _runtimes.pop(loop, None)
    _opening.pop(loop, None)
    if runtime is not None:
        await runtime.aclose()
