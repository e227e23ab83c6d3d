"""The project's `.env`, read as `langgraph dev` reads it; what is set already stands."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from cupel.project import CONFIG, Project, find_project, read_variables, tell_variables


def read_environment(env: MutableMapping[str, str] = os.environ) -> None:
    """Set what the project's `.env` says and nothing has set; outside a project nothing is read."""
    project = find_project()
    fresh = {name: value for name, value in read_by_project(project).items() if name not in env}
    env.update(fresh)
    tell_variables(project.folder / ".env", fresh)


def read_beside(file: Path) -> Path:
    """Set what a `.env` beside a file of documents says and nothing has set; returns the file."""
    read_variables(file.parent / ".env")
    return file


def read_by_project(project: Project) -> dict[str, str]:
    """The variables that `env` of the project's langgraph.json names: a file's, or its own.

    Only of the folder the command is given in or one above it, never of the starter.
    """
    if project.state.parent != project.folder:
        return {}
    env = _env_of(project.folder / CONFIG)
    if isinstance(env, Mapping):
        return {str(name): str(value) for name, value in env.items()}
    path = project.folder / env
    if not env or not path.is_file():
        return {}
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def _env_of(config: Path) -> str | Mapping[str, object]:
    try:
        env = json.loads(config.read_text(encoding="utf-8")).get("env", "")
    except (OSError, ValueError, AttributeError):
        return ""  # whatever needs that file says what is wrong with it
    return env if isinstance(env, str | Mapping) else ""
