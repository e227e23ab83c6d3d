"""What a run will take, before anything is paid: `plan`, and `aplan` for code that is async already."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupel._format import Shown
from cupel.api.choices import (
    check_for_all,
    choose_bundle,
    choose_tasks,
    name_tasks,
    open_sources,
    warnings_of,
)
from cupel.api.loops import finish
from cupel.api.signatures import twin_of, with_settings
from cupel.engine import check_batchable, read_prerouter
from cupel.errors import SettingError
from cupel.limits import read_limits
from cupel.models import check_models, resolve_models, set_recordings_folder
from cupel.project import Project, find_project
from cupel.runlog import RunLog, existing_run_log, run_log_file

if TYPE_CHECKING:
    from pydantic import BaseModel

    from cupel.runs import Plan

SAMPLE, SEED = 200, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan(Shown):
    """What a run will take.

    Attributes:
        plan: Calls, tokens, cost and time, tier by tier, each with its interval; of several tasks their sum.
        max_usd: The cap that was asked about.
        warnings: What stands in the way, or is not counted.
        tasks: Of several tasks, the plan of each.
    """

    plan: Plan
    max_usd: float | None
    warnings: tuple[str, ...]
    tasks: tuple[Plan, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `cupel plan --json` prints."""
        each = {"tasks": {plan.task: plan.to_json() for plan in self.tasks}} if self.tasks else {}
        return self.plan.to_json() | each | {"max_usd": self.max_usd, "warnings": list(self.warnings)}


@with_settings
async def aplan(
    source: Any,
    task: str | None = None,
    *,
    tasks: Sequence[str] = (),
    text: str = "text",
    doc_id: str | None = None,
    inputs: Mapping[str, str | Path] | None = None,
    schema: Mapping[str, Any] | type[BaseModel] | Path | None = None,
    instructions: str = "",
    limit: int | None = None,
    concurrency: int = 16,
    max_usd: float | None = None,
    near_duplicates: float | None = None,
    packing: bool = False,
    bundle: str | Sequence[str] = "",
    limits: str = "",
    batch: bool = False,
    graph: str = "enrich",
    sample: int = SAMPLE,
    seed: int = SEED,
    project: Project | None = None,
    **settings: Any,
) -> RunPlan:
    """Estimate a run from a uniform sample of the rows and the run log's own history; no model is asked, nothing is paid.

    Args:
        source: The documents: a file's name, or a table of any kind `enrich` takes.
        task: A task of the project; `arguments` where left out and no schema is given.
        tasks: Several tasks of the project in one go: each is planned, and their sum.
        text: Column with the text.
        doc_id: Column with your own ids; `id` where there is one, else a hash of the text.
        inputs: Further inputs of the task: its name → your column, or a `Path` to a file whose text is every document's.
        schema: A JSON Schema, a `Path` of one, or a pydantic class, for a one-off task.
        instructions: What to extract, for a one-off task.
        limit: Only the first so many rows.
        concurrency: Documents worked on at once.
        max_usd: Say whether this cap would do.
        near_duplicates: Similarity from which a text takes over an earlier one's record.
        packing: Say that packing is not counted.
        bundle: Say that a bundle is not counted.
        limits: Your own limits, such as `groq:*=rpm:30,tpm:6000`; `CUPEL_LIMITS` where left out.
        batch: By the providers' batch APIs.
        graph: Graph of langgraph.json.
        sample: Rows to render, drawn from all of them.
        seed: Of the sample and the intervals.
        project: The project to use; the one around the current folder, else the starter.
        **settings: Any field of `RunContext`.

    Raises:
        InputError: For documents that cannot be read.
        SettingError: For an unknown profile, provider or price.
    """
    from cupel.runs import add_plans, plan_run

    project = project or find_project()
    choices = choose_tasks(
        name_tasks(task, tasks), project, schema=schema, instructions=instructions, inputs=inputs
    )
    tables = open_sources(source, choices, text=text, doc_id=doc_id, limit=limit)
    contexts = [choice.context(settings) for choice in choices]
    check_for_all(choices, contexts[0])
    with _history_of(project) as run_log:
        planned = [
            await plan_run(
                rows, choice.task, context, run_log=run_log, concurrency=concurrency, graph=graph,
                near_duplicates=near_duplicates, batch=batch,
                limits=read_limits(limits or os.environ.get("CUPEL_LIMITS", "")),
                router=read_prerouter(context.prerouter) if context.prerouter else None, sample=sample, seed=seed,
            )
            for choice, context, rows in zip(choices, contexts, tables, strict=True)
        ]  # fmt: skip
    warnings = warnings_of(tables)
    set_recordings_folder(project.recordings)
    try:
        models = resolve_models(contexts[0])
        check_models(models, os.environ)
        if batch:
            check_batchable(models.all().values())
    except SettingError as error:
        warnings.append(f"`cupel run` would stop at once: {error}")
    if packing:
        warnings.append(
            "--packing is not counted: the figures are for one request a document, packed ones take fewer"
        )
    if choose_bundle(bundle, choices, contexts) is not None:
        warnings.append(
            "--bundle is not counted: the figures are for one request a task, bundled ones send a document once"
        )
    each = tuple(planned) if len(planned) > 1 else ()
    return RunPlan(plan=add_plans(planned), max_usd=max_usd, warnings=tuple(warnings), tasks=each)


@twin_of(aplan)
def plan(source: Any, task: str | None = None, **settings: Any) -> RunPlan:
    """Estimate calls, tokens, cost and time of a run; no model is asked. Takes what `aplan` takes."""
    return finish(aplan(source, task, **settings))


@contextmanager
def _history_of(project: Project) -> Iterator[RunLog | None]:
    """The run log, or None where nothing was run yet: a plan is for before."""
    path = run_log_file(project)
    if path is not None and not path.is_file():
        yield None
        return
    with existing_run_log(project) as run_log:
        yield run_log
