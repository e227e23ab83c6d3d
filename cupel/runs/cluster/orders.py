"""What a worker is told, and what it answers."""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cupel.errors
from cupel import __version__
from cupel.errors import CupelError, SettingError
from cupel.limits import DEFAULT_WAIT_S
from cupel.project import Project
from cupel.runs.cluster.parcels import Parcel, pack
from cupel.runs.job import Job, Work
from cupel.state import Outcome

_DATABASES = ("postgres://", "postgresql://", "postgresql+")


@dataclass(frozen=True, kw_only=True, eq=False)
class Order(Work):
    """A job for workers elsewhere: nothing secret in it."""

    parcel: Parcel
    task: str
    context: Mapping[str, Any]
    record_class: str | None = None
    """`module:Class` of the pydantic class a record has to stand."""
    inputs: tuple[str, ...] = ()
    """Of a one-off task."""

    wait_s: float = DEFAULT_WAIT_S
    run_id: str | None = None
    """What the worker's run has to be called; None to leave it to the workers."""

    version: str = __version__
    name: str = field(default_factory=lambda: secrets.token_hex(8))
    """Of this invocation."""


def order_of(
    job: Job, project: Project, *, wait_s: float = DEFAULT_WAIT_S, run_id: str | None = None
) -> Order:
    """The order that has workers do this job.

    Raises:
        SettingError: For batch jobs, which belong to one process, and a schema's class that no worker can import.
    """
    _check_of_one_process(batch=job.batch is not None)
    return Order(
        parcel=pack(project),
        task=job.task.name,
        context=job.context.model_dump(),
        record_class=None if job.record_class is None else job.record_class.import_path(),
        inputs=job.task.inputs,
        wait_s=wait_s,
        run_id=run_id,
        **Work.shared(job),
    )


def check_cluster(env: Mapping[str, str], *, batch: bool) -> None:
    """See that a cluster can do what is asked, before anything is opened.

    Raises:
        SettingError: Without Dask or a PostgreSQL run log, or for what one process has to keep.
    """
    if importlib.util.find_spec("distributed") is None:
        raise SettingError('Dask is not installed: pip install "cupel[dask]"')
    require_database(env)
    _check_of_one_process(batch=batch)


def _check_of_one_process(*, batch: bool) -> None:
    if batch:
        raise SettingError("batch APIs are used by one process: leave out --batch, or --engine dask")


def require_database(env: Mapping[str, str], *, where: str = "") -> None:
    """See that the run log is one that several machines can share.

    Raises:
        SettingError: If `CUPEL_DATABASE_URL` names no PostgreSQL.
    """
    url = env.get("CUPEL_DATABASE_URL", "")
    if url.startswith(_DATABASES):
        return
    present = f"it is {url.partition('://')[0]}://…" if url else "it is not set"
    raise SettingError(
        f"a Dask run needs one PostgreSQL run log for all workers{where}: set CUPEL_DATABASE_URL to "
        f"postgresql://USER@HOST/DATABASE, here and in the workers' environment ({present})"
    )


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error on its way home: the classes take arguments that do not survive pickling."""

    kind: str
    text: str
    exit_code: int

    @classmethod
    def of(cls, error: CupelError) -> Trouble:
        """What is told of an error."""
        return cls(type(error).__name__, str(error), error.exit_code)

    def error(self) -> CupelError:
        """As an error of the same class, as far as there is one."""
        kind = getattr(cupel.errors, self.kind, CupelError)
        error: CupelError = kind.__new__(kind)
        Exception.__init__(error, self.text)
        error.exit_code = self.exit_code
        return error


@dataclass(slots=True, kw_only=True)
class Part:
    """What became of one partition."""

    outcomes: list[Outcome | None]
    reused: int = 0
    """Outcomes that were in the run log already."""

    duplicates: int = 0
    """Outcomes taken over from an earlier row of the same part."""

    calls: dict[str, int] = field(default_factory=dict)
    cost_usd: dict[str, float] = field(default_factory=dict)
    unknown_price: set[str] = field(default_factory=set)
    cache_hits: int = 0
    trouble: Trouble | None = None
