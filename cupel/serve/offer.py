"""What a server offers a caller: its graphs and tasks, the models behind them, and what a request may come to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from cupel import __version__
from cupel.context import RunContext
from cupel.errors import CupelError
from cupel.models import resolve_models
from cupel.project import Project, graph_entries
from cupel.serve.policy import Policy
from cupel.task import TaskSpec, load_task, task_names


def make_offer(
    project: Project, policy: Policy | None, env: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """What `GET /cupel/offer` answers: enough for a client to read a file by, and to know a task that changed.

    Prompts and examples are not in it; what cannot be read is not offered.

    Args:
        project: The server's.
        policy: The caller's; None where everything is allowed.
        env: Environment variables, for the models.
    """
    graphs = list(graph_entries(project)) if policy is None else list(policy.graphs)
    names = task_names(project.prompts) if policy is None else policy.tasks
    return {
        "cupel": __version__,
        "graphs": graphs,
        "tasks": [_shown(task) for task in _readable(names, project)],
        "models": _models(policy, env),
        "schemas": policy is None or policy.requests.schemas,
        "longest_text": None if policy is None else policy.longest_text,
        "usd_per_request": None if policy is None else policy.caps.usd_per_request,
    }


def _readable(names: Iterable[str], project: Project) -> list[TaskSpec]:
    tasks = []
    for name in names:
        try:
            tasks.append(load_task(name, project.prompts))
        except CupelError:  # whoever asks for it is told by its outcome
            continue
    return tasks


def _shown(task: TaskSpec) -> dict[str, Any]:
    """What of a task decides how rows are read, written and held against gold."""
    return {
        "name": task.name, "title": task.title, "description": task.description, "identity": task.identity,
        "schema": task.schema, "inputs": list(task.inputs), "optional_inputs": sorted(task.optional_inputs), "output_language": task.output_language, "metric": task.metric,
        "wrong_below": task.wrong_below, "labels": {name: dict(labels) for name, labels in task.labels.items()},
    }  # fmt: skip


def _models(policy: Policy | None, env: Mapping[str, str]) -> dict[str, str]:
    """Role → model, of a request that names none; empty where the server's own settings name none."""
    profile = policy.profiles[0] if policy is not None and policy.profiles else "auto"
    try:
        return resolve_models(RunContext(profile=profile), env).all()  # type: ignore[arg-type]  # checked as it was read
    except CupelError:
        return {}
