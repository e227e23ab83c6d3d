"""Dask DataFrames: enriched partition by partition, on the workers, when they are computed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cupel.errors import InputError, SettingError
from cupel.limits import DEFAULT_WAIT_S
from cupel.models import check_models, resolve_models
from cupel.project import Project
from cupel.runs.cluster.orders import Order, order_of, require_database
from cupel.runs.cluster.worker import enrich_part
from cupel.runs.job import Job
from cupel.tables import InputSource, attach_columns, check_columns, frame_rows
from cupel.task import import_class

if TYPE_CHECKING:
    import pandas as pd

ROWS_A_PARTITION = 100_000
"""The most rows of one partition: a row's position is made of its partition's number and its place in it."""


def is_dask_frame(df: object) -> bool:
    """Whether this is a Dask DataFrame; Dask is not imported to find out.

    >>> is_dask_frame([])
    False
    """
    kind = type(df)
    return kind.__module__.split(".")[0] in {"dask", "dask_expr"} and hasattr(df, "map_partitions")


def enrich_frame(
    df: Any,
    job: Job,
    project: Project,
    *,
    text: str,
    doc_id: str | None,
    inputs: Mapping[str, InputSource],
    limit: int | None,
    lead: str = "",
    instances: bool = False,
    wait_s: float = DEFAULT_WAIT_S,
) -> Any:
    """A lazy Dask DataFrame with the task's columns; computing it again asks nothing again.

    Args:
        df: A Dask DataFrame. Ids are told apart within a partition.
        job: What is to be done to every row.
        project: What travels to the workers.
        text: Column with the text.
        doc_id: Column with ids.
        inputs: Further inputs of the task.
        lead: What the new columns begin with; the task's name where left out.
        instances: Records as instances of the pydantic class that was given as schema.
        limit: Not for Dask: take `df.head` or some partitions.
        wait_s: Seconds a worker waits for a provider that is down, or for a daily limit.

    Raises:
        SettingError: Without a PostgreSQL run log, or for a setting that one process has to keep.
        InputError: Naming a column that is not there.
    """
    if limit is not None:
        raise SettingError("limit is not for a Dask DataFrame; take df.partitions[:n], or df.head(n)")
    require_database(os.environ)
    lead = lead or job.task.name
    check_columns(df.columns, lead)
    meta = df._meta  # noqa: SLF001 - Dask's word for the empty frame that says its columns
    frame_rows(meta, text, id_column=doc_id, inputs=inputs, default_id="id")
    order = order_of(_resolve(job), project, wait_s=wait_s)
    columns = {"text": text, "id_column": doc_id, "inputs": dict(inputs), "default_id": "id"}
    return df.map_partitions(
        enrich_partition, order, columns, lead=lead, instances=instances, meta=attach_columns(meta, [], lead),
        enforce_metadata=False,
    )  # fmt: skip


def enrich_partition(
    df: pd.DataFrame,
    order: Order,
    columns: Mapping[str, Any],
    partition_info: Mapping[str, Any] | None = None,
    *,
    lead: str = "",
    instances: bool = False,
) -> pd.DataFrame:
    """One partition with the task's columns.

    Raises:
        CupelError: What ends the run; what was finished is in the run log.
    """
    number = (partition_info or {}).get("number", 0)
    if len(df) > ROWS_A_PARTITION:
        raise InputError(
            f"partition {number} has {len(df)} rows; repartition to at most {ROWS_A_PARTITION} rows each"
        )
    table = frame_rows(df, **columns)
    rows = [replace(row, position=number * ROWS_A_PARTITION + row.position) for row in table]
    part = enrich_part(order, rows)
    if part.trouble is not None:
        raise part.trouble.error()
    of_class = import_class(order.record_class) if instances and order.record_class is not None else None
    result: pd.DataFrame = attach_columns(
        df, part.outcomes, lead or order.task, record_of=None if of_class is None else of_class.instance
    )
    return result


def _resolve(job: Job) -> Job:
    """The job with its models named, so that no worker's environment chooses others."""
    models = resolve_models(job.context, os.environ)
    check_models(models, os.environ)
    named = {f"{role}_model": model for role, model in models.all().items() if not role.startswith("juror ")}
    return replace(job, context=job.context.model_copy(update=named))
