"""Checks of what is on this machine: versions, project files, the run log, and what is around them."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from cupel.api.tasks import list_tasks
from cupel.context import RunContext
from cupel.errors import CupelError, UntrustedError
from cupel.files import read_text, readable_by_others
from cupel.project import Project, graph_entries, load_graph, read_by_project, starter_folder
from cupel.redaction import redact
from cupel.runlog import PART, open_run_log, run_log_file

Level = Literal["ok", "absent", "note", "trouble"]

EXTRAS = {
    "parquet": ("pyarrow", "Parquet files"),
    "postgres": ("psycopg", "a run log in PostgreSQL"),
    "calibrate": ("scikit-learn", "calibrated confidence"),
    "studio": ("langgraph-cli", "`langgraph dev` and Studio"),
    "dask": ("dask", "more than one machine"),
    "gepa": ("gepa", "the gepa engine of prompt refinement"),
}

LITTLE_DISK = 500_000_000

OTHER_VARIABLES = (
    "CUPEL_DATABASE_URL", "CUPEL_PRICES", "CUPEL_CAPABILITIES", "CUPEL_ENDPOINT_NAME", "CUPEL_LOCAL_BASE_URL", "CUPEL_RECORD_BASE_URL",
    "CUPEL_RECORD_API_KEY", "CUPEL_RUN_LOG_WAIT_S", "CUPEL_SERVER_KEY",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    area: str
    level: Level
    """`trouble` keeps a run from starting; a `note` is worth knowing; what is `absent` is not needed."""

    what: str
    fix: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", redact(self.what))

    def to_json(self) -> dict[str, str]:
        """Plain JSON."""
        return asdict(self)


def installation() -> Iterator[Check]:
    """Python, Cupel, what it needs, and its extras."""
    area = "installation"
    yield Check(area, "ok", f"Python {platform.python_version()} ({sys.executable})")
    required = [line for line in metadata.requires("cupel") or [] if "extra ==" not in line]
    wrong = [problem for line in required if (problem := _unmet(line))]
    yield Check(area, "ok", f"cupel {metadata.version('cupel')}, {len(required)} packages it needs")
    if wrong:
        yield Check(area, "trouble", f"not as required: {', '.join(wrong)}", "pip install --upgrade cupel")
    for extra, (package, purpose) in EXTRAS.items():
        version = _version(package)
        if version:
            yield Check(area, "ok", f"{extra}: {package} {version} (for {purpose})")
        else:
            yield Check(
                area, "absent", f'{extra}: not installed (for {purpose}: pip install "cupel[{extra}]")'
            )


def _unmet(line: str) -> str | None:
    """What is wrong with one required package; None when it is there in a fitting version."""
    from packaging.requirements import Requirement

    needed = Requirement(line)
    if needed.marker is not None and not needed.marker.evaluate():
        return None
    version = _version(needed.name)
    if version is None:
        return f"{needed.name} is missing"
    if not needed.specifier.contains(version, prereleases=True):
        return f"{needed.name} {version}, needed {needed.specifier}"
    return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def project_files(project: Project) -> Iterator[Check]:
    """The project, its tasks and its graphs."""
    yield from _folder(project)
    yield from _tasks(project)
    yield from _graphs(project)
    if project.folder != starter_folder():
        yield from _image(project)


def _folder(project: Project) -> Iterator[Check]:
    if project.folder == starter_folder() and project.state.parent != project.folder:
        yield Check(
            "project", "note", f"none around this folder; the starter in {project.folder} is used, read-only",
            "`cupel init NAME` makes one of your own",
        )  # fmt: skip
    else:
        yield Check("project", "ok", str(project.folder))
    if not _writable(project.state):
        yield Check(
            "project", "trouble", f"{project.state} cannot be written: no run log, no report",
            "go to a folder of yours, or change its permissions",
        )  # fmt: skip
    elif readable_by_others(project.state):
        yield Check(
            "project", "note", f"{project.state}, with documents and answers, can be read by others on this machine",
            f"chmod -R go-rwx {project.state}",
        )  # fmt: skip


def _writable(folder: Path) -> bool:
    """Whether a file could be made there, without making any."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists() or path.is_symlink())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _tasks(project: Project) -> Iterator[Check]:
    try:
        tasks = list_tasks(project)
    except CupelError as error:
        yield Check("tasks", "trouble", str(error))
        return
    good = [task.name for task in tasks if task.spec is not None]
    yield Check(
        "tasks", "ok" if good else "trouble", ", ".join(good) or f"none that works in {project.prompts}"
    )
    for task in tasks:
        if task.spec is None:
            yield Check("tasks", "trouble", f"{task.name} is broken: {task.error}", "mend that file")


def _graphs(project: Project) -> Iterator[Check]:
    try:
        names = list(graph_entries(project))
    except CupelError as error:
        yield Check("graphs", "trouble", str(error), "mend that file")
        return
    for name in names:
        try:
            graph = load_graph(project, name)
        except UntrustedError as error:  # nothing was run
            yield Check("graphs", "trouble", str(error))
            return
        except CupelError as error:
            yield Check("graphs", "trouble", str(error), "mend that file")
        else:
            nodes = getattr(graph, "nodes", {})
            yield Check(
                "graphs", "ok", f"{name}: {len([node for node in nodes if not node.startswith('__')])} nodes"
            )


def _image(project: Project) -> Iterator[Check]:
    """What `langgraph build` would stumble over, or take along."""
    try:
        graphs = json.loads(read_text(project.folder / "langgraph.json"))["graphs"].items()
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return  # told above
    torn = [
        name for name, entry in graphs if isinstance(entry, dict) and "'" in str(entry.get("description"))
    ]
    if torn:
        yield Check(
            "image", "note", f"langgraph.json: the description of {', '.join(torn)} has an apostrophe, which ends a line of the Dockerfile that `langgraph build` writes",
            "say it without one",
        )  # fmt: skip
    if not (project.folder / ".dockerignore").is_file():
        yield Check(
            "image", "note", "no .dockerignore: an image of this project would hold .env, .git and .cupel",
            "take over the one that `cupel init` lays out",
        )  # fmt: skip


def environment_file(project: Project, env: Mapping[str, str]) -> Iterator[Check]:
    """What the project's `.env` sets, by name; never a value."""
    variables = read_by_project(project)
    if not variables:
        yield Check("environment", "absent", "no .env in the project; one is read where there is one")
        return
    yield Check("environment", "ok", f".env: {', '.join(sorted(variables))}")
    if kept := sorted(name for name, value in variables.items() if env.get(name) != value):
        yield Check("environment", "note", f"set elsewhere, which stands: {', '.join(kept)}")


def run_log_place(project: Project) -> Iterator[Check]:
    """Where the run log is, and whether it answers."""
    try:
        path = run_log_file(project)
    except CupelError as error:
        yield Check("run log", "trouble", str(error))
        return
    if path is not None and not path.is_file():
        if _writable(path.parent) and not path.exists() and not path.is_symlink():
            yield Check("run log", "ok", f"will be made at {path}")
        else:
            yield Check(
                "run log", "trouble", f"cannot be made at {path}", "set CUPEL_DATABASE_URL to another place"
            )
        return
    try:
        run_log = open_run_log(project.state, {**os.environ, "CUPEL_RUN_LOG_WAIT_S": "0"})
    except CupelError as error:
        yield Check("run log", "trouble", str(error))
        return
    try:
        runs = [run for run in run_log.runs(trials=True) if run["kind"] != PART]
        yield Check("run log", "ok", f"{run_log.name}: {_count(len(runs), 'run')}{_size(path)}")
    except CupelError as error:
        yield Check("run log", "trouble", str(error))
    finally:
        run_log.close()


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _size(path: Path | None) -> str:
    return "" if path is None else f", {path.stat().st_size / 1e6:.1f} MB"


def surroundings(project: Project, env: Mapping[str, str]) -> Iterator[Check]:
    """What is easily overlooked: the terminal's encoding, room on the disk, misspelt variables."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    if encoding not in ("utf8", "utf8sig"):
        yield Check("around", "note", f"the output is encoded as {encoding}, not UTF-8", "set PYTHONUTF8=1")
    nearest = next(path for path in (project.state, *project.state.parents) if path.exists())
    free = shutil.disk_usage(nearest).free
    if free < LITTLE_DISK:
        yield Check(
            "around",
            "note",
            f"only {free / 1e6:.0f} MB free for {project.state}",
            "a run log takes about 30 kB a document",
        )
    yield from _misspelt(env)


def _misspelt(env: Mapping[str, str]) -> Iterator[Check]:
    names = [*OTHER_VARIABLES, *(f"CUPEL_{name.upper()}" for name in RunContext.model_fields)]
    for name in sorted(env):
        near: Any = get_close_matches(name, names, n=1, cutoff=0.85)
        if name.startswith("CUPEL_") and name not in names and near:
            yield Check("around", "note", f"{name} is set and means nothing", f"did you mean {near[0]}?")
