"""The project folder: its langgraph.json, prompts and state; or the starter inside the package."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cupel.errors import ProjectError

CONFIG = "langgraph.json"
_APPLICATION = ("graphs", "nodes")
_LOADING = threading.Lock()  # two threads would take each other's modules away


@dataclass(frozen=True, slots=True)
class Project:
    """Where a project's files are, and where its state may be written."""

    folder: Path
    state: Path
    """`.cupel/`: run log and reports; nothing is written elsewhere."""

    @property
    def prompts(self) -> Path:
        """The task folders."""
        return self.folder / "prompts"

    @property
    def recordings(self) -> Path:
        """Recorded answers for `recorded:` models."""
        return self.folder / "evals" / "recordings"


def read_variables(path: Path, env: MutableMapping[str, str] = os.environ) -> list[str]:
    """Set what a `.env` file says and nothing has set, and name it on stderr: the variables, never their values.

    Returns:
        The names that were set from it; none where there is no such file.

    Raises:
        ProjectError: If it is no text.
    """
    if not path.is_file():
        return []
    from dotenv import dotenv_values

    try:
        values = dotenv_values(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(
            f"{path}: cannot be read: {error}; save it as UTF-8, a line NAME=VALUE each"
        ) from None
    fresh = {name: value for name, value in values.items() if value is not None and name not in env}
    env.update(fresh)
    tell_variables(path, fresh)
    return list(fresh)


def tell_variables(source: Path, names: Iterable[str]) -> None:
    """Say on stderr which variables came from a file."""
    if told := ", ".join(names):
        sys.stderr.write(f"note: read {source} ({told})\n")


def starter_folder() -> Path:
    """The starter project: inside an installed package, or this repository itself."""
    packaged = Path(__file__).parent / "_starter"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent


def find_project(start: Path | None = None) -> Project:
    """The nearest folder upwards with a langgraph.json and prompts; else the starter, read-only.

    State of a run outside any project goes to `.cupel/` of the folder it was started in.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / CONFIG).is_file() and (folder / "prompts").is_dir():
            return Project(folder, folder / ".cupel")
    return Project(starter_folder(), here / ".cupel")


def load_graph(project: Project, name: str = "enrich") -> Any:
    """The compiled graph a langgraph.json names, loaded as the LangGraph server does: by path.

    The folder is on `sys.path` while the graph loads. The names `graphs` and `nodes` are then given
    back, so that a `nodes.py` of the caller neither breaks the graph nor is hidden by it.

    Raises:
        ProjectError: If the graph is not named there or its file fails to load.
    """
    path, variable = _entry(project, name)
    with _LOADING, _application_on_path(project.folder):
        module = _execute(path, name)
    try:
        return getattr(module, variable)
    except AttributeError as error:
        raise ProjectError(f"{path}: has no {variable!r}, which {project.folder / CONFIG} names") from error


def _entry(project: Project, name: str) -> tuple[Path, str]:
    config = project.folder / CONFIG
    try:
        graphs = json.loads(config.read_text(encoding="utf-8"))["graphs"]
    except FileNotFoundError as error:
        raise ProjectError(f"{config}: missing; `cupel init NAME` makes a project") from error
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ProjectError(f"{config}: needs a JSON object with graphs ({error})") from error
    if name not in graphs:
        raise ProjectError(f"{config}: no graph {name!r}; it has {', '.join(graphs)}")
    entry = graphs[name]
    path, _, variable = (entry if isinstance(entry, str) else entry["path"]).rpartition(":")
    return (project.folder / path).resolve(), variable


def _execute(path: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"__graphs__{name}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ProjectError(f"{path}: there is no such graph file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ProjectError(f"{path}: fails to load: {type(error).__name__}: {error}") from error
    return module


@contextmanager
def _application_on_path(folder: Path) -> Iterator[None]:
    mine = _take_application()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        _take_application()
        sys.modules.update(mine)


def _take_application() -> dict[str, Any]:
    """The modules of `graphs` and `nodes`, no longer known to the import system."""
    names = list(sys.modules)  # one step of the interpreter: other threads import while this goes on
    taken = {name: sys.modules.pop(name, None) for name in names if name.split(".")[0] in _APPLICATION}
    return {name: module for name, module in taken.items() if module is not None}


def code_identity(project: Project) -> str:
    """Hash of the project's graphs and nodes: an edited step is a new computation."""
    digest = hashlib.sha256()
    for path in sorted(path for part in _APPLICATION for path in (project.folder / part).glob("**/*.py")):
        digest.update(path.relative_to(project.folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
