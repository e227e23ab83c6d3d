"""The project folder: its langgraph.json, prompts and state; or the starter inside the package."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cupel.errors import ProjectError, UntrustedError
from cupel.files import STATE, read_text
from cupel.project.trust import CONFIG, check_trusted, is_trusted, named_hash
from cupel.project.user import home_folder

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


def starter_folder() -> Path:
    """The starter project: inside an installed package, or this repository itself."""
    packaged = Path(__file__).parent.parent / "_starter"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent.parent


def find_project(start: Path | None = None) -> Project:
    """The nearest folder upwards with a langgraph.json and prompts; else the starter, read-only.

    State of a run outside any project goes to `.cupel/` of the folder it was started in. The search ends at the home
    folder, where the file system ends, and where somebody else owns the folder.

    Raises:
        UntrustedError: If the nearest one belongs to somebody else, and was not trusted.
    """
    here = (start or Path.cwd()).resolve()
    for folder in _upwards(here):
        if (folder / CONFIG).is_file() and (folder / "prompts").is_dir():
            _check_owner(folder)
            return Project(folder, _state_of(folder))
    return Project(starter_folder(), _state_of(here))


def _state_of(folder: Path) -> Path:
    """The state folder; where it is a link, to a larger disk say, this user must have laid it.

    Raises:
        UntrustedError: If nobody said so: what is written would go wherever whoever made the folder likes.
    """
    state = folder / STATE
    if state.is_symlink() and state.is_dir() and not is_trusted(folder):
        raise UntrustedError(
            f"{state} is a link to {state.readlink()}, and what is written would go there; remove it, or, if you laid "
            f"it, say so: `cupel trust {folder}`, or CUPEL_TRUST={folder} in your environment"
        )
    return state


def _upwards(here: Path) -> Iterator[Path]:
    """This folder and those above it, as far as a project may be looked for."""
    home = home_folder()
    home = home.resolve() if home is not None else None  # as the folders are
    for folder in (here, *here.parents):
        yield folder
        if folder == home or folder.is_mount() or not _is_ours(folder):
            return


def _is_ours(path: Path) -> bool:
    """Whether nobody but this user, or the machine's own root, can have put it there."""
    if not hasattr(os, "getuid"):
        return True
    status = path.stat()
    return status.st_uid in (os.getuid(), 0)


def _check_owner(folder: Path) -> None:
    if (_is_ours(folder) and _is_ours(folder / CONFIG)) or is_trusted(folder):
        return
    raise UntrustedError(
        f"{folder}: this project belongs to another user of this machine; work in a folder of your own, or, if you trust "
        f"whoever it is, `cupel trust {folder}`"
    )


def load_graph(project: Project, name: str = "enrich") -> Any:
    """The compiled graph a langgraph.json names, loaded as the LangGraph server does: by path.

    The folder is on `sys.path` while the graph loads. The names `graphs` and `nodes` are then given
    back, so that a `nodes.py` of the caller neither breaks the graph nor is hidden by it.

    Raises:
        ProjectError: If the graph is not named there or its file fails to load.
    """
    if not is_trusted(project.folder) and _is_as_installed(project):
        project = replace(
            project, folder=starter_folder()
        )  # the same code, from where nobody else can add to it
    path, variable = _entry(project, name)
    check_trusted(project.folder, path)
    with _LOADING, _application_on_path(project.folder):
        module = _execute(path, name)
    graph = getattr(module, variable, None)
    if graph is None:
        raise ProjectError(f"{path}: has no {variable!r}, which {project.folder / CONFIG} names")
    if not callable(getattr(graph, "ainvoke", None)):
        raise ProjectError(
            f"{path}: {variable} is no compiled graph, but {type(graph).__name__}; name what `compile()` returns"
        )
    return graph


def _is_as_installed(project: Project) -> bool:
    """Whether its graphs and nodes are those of the starter, to the letter."""
    starter = Project(starter_folder(), project.state)
    return named_hash(project.folder) == named_hash(starter.folder) and code_identity(
        project
    ) == code_identity(starter)


def graph_entries(project: Project) -> dict[str, str]:
    """What langgraph.json names: by a graph's name, `PATH:VARIABLE`.

    Raises:
        ProjectError: If there is none, or what stands there is of another shape.
    """
    config = project.folder / CONFIG
    try:
        graphs = json.loads(read_text(config))["graphs"]
        named = {name: entry if isinstance(entry, str) else entry["path"] for name, entry in graphs.items()}
    except FileNotFoundError as error:
        raise ProjectError(f"{config}: missing; `cupel init NAME` makes a project") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProjectError(f"{config}: needs a JSON object with graphs ({error})") from error
    for name, entry in named.items():
        if not isinstance(entry, str) or ":" not in entry or not entry.isprintable():
            raise ProjectError(f'{config}: graph {name}: {entry!r} is not of the form "./FILE.py:VARIABLE"')
    return named


def _entry(project: Project, name: str) -> tuple[Path, str]:
    graphs = graph_entries(project)
    if name not in graphs:
        raise ProjectError(
            f"{project.folder / CONFIG}: no graph {name!r}; it has {', '.join(graphs) or 'none'}"
        )
    path, _, variable = graphs[name].rpartition(":")
    return (project.folder / path).resolve(), variable


def _execute(path: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"__graphs__{name}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ProjectError(f"{path}: there is no such graph file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
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
        if path.is_file():  # a pipe would be waited for
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
