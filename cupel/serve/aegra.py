"""The same routes and the same door on Aegra, which takes an application of FastAPI, and looks less closely itself."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cupel import __version__
from cupel.errors import SettingError
from cupel.serve.auth import auth
from cupel.serve.door import PASSAGE
from cupel.serve.turns import turns

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def make_app(routes: Sequence[Route], door: Sequence[Middleware], lifespan: Lifespan) -> Starlette:
    """An application to which Aegra adds its own routes, behind the same door.

    Args:
        routes: Ours.
        door: What stands before all routes.
        lifespan: What is open as long as the server runs.
    """
    from fastapi import FastAPI, HTTPException

    _hush()

    @asynccontextmanager
    async def checked(app: Starlette) -> AsyncIterator[None]:
        _check_hooks()
        _take_turns()
        async with lifespan(app):
            yield

    made: Starlette = FastAPI(
        title="Cupel", version=__version__, routes=list(routes), middleware=list(door), lifespan=checked,
        exception_handlers={HTTPException: _tell},
    )  # fmt: skip
    return made


def _check_hooks() -> None:
    """See that Aegra keeps our rules of whose a thread is: where it cannot load them it goes on without any.

    Raises:
        SettingError: If it does not; then the server does not start.
    """
    from aegra_api.core.auth_middleware import get_auth_instance

    if get_auth_instance() is not auth:
        raise SettingError(
            'this server does not keep the rules of who owns what: langgraph.json needs "auth": {"path": "cupel.serve.auth:auth"}; what it says above tells why they were not loaded'
        )


def _take_turns() -> None:
    """Have each run that Aegra begins in this process entered: two at once would write one thread's state between each other.

    With Redis, Aegra's workers begin them, in whichever process.
    """
    from aegra_api.core.active_runs import active_runs
    from aegra_api.services.executor import executor

    submit = executor.submit

    async def entered(job: Any) -> None:
        passage = PASSAGE.get()
        if passage is not None and passage.is_stateless and job.execution.durability is None:
            # its thread goes with it: that it can be asked to go on is enough, every step of it is not needed
            job = job.model_copy(
                update={"execution": job.execution.model_copy(update={"durability": "exit"})}
            )
        await submit(job)
        at = job.identity
        task = active_runs.get(at.run_id)
        if task is not None:
            turns.enter(at.thread_id, at.run_id, task, job.behavior.multitask_strategy)

    executor.submit = entered


def _hush() -> None:
    """Leave out the seven lines that Aegra writes of every run, unless `LOG_VERBOSITY` is `verbose`: ours say what they say."""
    from aegra_api.settings import settings

    if settings.app.LOG_VERBOSITY != "verbose":
        for name in ("aegra_api", "app.access_logs"):
            logging.getLogger(name).setLevel(logging.WARNING)


async def _tell(_request: Request, error: Any) -> Response:
    """A refusal as LangGraph's server has it, with the two names that Aegra's clients look for."""
    from aegra_api.models.errors import get_error_type

    said = {"detail": error.detail, "error": get_error_type(error.status_code), "message": error.detail}
    return JSONResponse(said, status_code=error.status_code, headers=error.headers)
