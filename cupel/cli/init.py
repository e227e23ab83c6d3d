"""What `cupel init` does: lay the starter out as a project that its owner edits."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cupel.errors import OutputPathError, ProjectError
from cupel.files import SHARED, write_whole
from cupel.project import CONFIG, expand, starter_folder, trust

COPIED = ("graphs", "nodes", "prompts", "evals")
_LEFT_OUT = ("__pycache__", ".cupel", ".langgraph_api")
DEMO = "evals/datasets/speeches-demo.jsonl"

PYPROJECT = """\
[project]
name = "{name}"
version = "0.1.0"
description = "Documents to structured, grounded records, with Cupel."
requires-python = ">=3.11"
dependencies = ["cupel"]

[project.optional-dependencies]
dev = ["cupel[studio]"]
postgres = ["cupel[postgres]"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["graphs", "nodes"]
"""

GITIGNORE = """\
.cupel/
.env
.langgraph_api/
.venv/
__pycache__/
"""

DOCKERIGNORE = """\
# what no image holds: secrets, history, answers that were paid for, and what a machine made for itself
**/.env
**/.env.*
!**/.env.example
.git
**/.git
**/.cupel
**/.langgraph_api
**/.venv*
**/__pycache__
**/*.pyc
**/.*_cache
build
dist
"""

ENV_EXAMPLE = """\
# Copy this to .env: `langgraph dev` reads it. In a shell: set -a; . ./.env; set +a
# Documents leave for LangSmith only where this is true, and a key is set; a key alone sends nothing. In CUPEL_TRACE_MASK say
# what is hidden before they do: `personal` (mail addresses, numbers, accounts), or a regular expression.
LANGSMITH_TRACING=false
# LANGSMITH_API_KEY=
# CUPEL_TRACE_MASK=personal

# One of these is enough; the first that is set decides, unless --profile or CUPEL_PROFILE does.
# GROQ_API_KEY=
# OPENAI_API_KEY=
# OPENROUTER_API_KEY=

# A server of your own with an OpenAI-compatible API (Ollama, vLLM, llama.cpp):
# CUPEL_LOCAL_BASE_URL=http://127.0.0.1:11434/v1
# CUPEL_CHEAP_MODEL=local:NAME-ON-YOUR-SERVER

# The run log in PostgreSQL instead of .cupel/runlog.sqlite:
# CUPEL_DATABASE_URL=postgresql://user:password@host/database
"""

MAKEFILE = """\
dev:  # LangGraph Studio's server; it counts its users, and traces wherever it finds a key, unless told not to
\tLANGGRAPH_CLI_NO_ANALYTICS=1 LANGSMITH_CONTROL_PLANE_API_KEY= langgraph dev --n-jobs-per-worker 10

.PHONY: dev
"""

README = """\
# {name}

Documents in, structured and grounded records out, with Cupel.

- `prompts/` what the models are told, one folder per task; `cupel tasks` lists them
- `graphs/`, `nodes/` the steps every document takes; `make dev` opens them in Studio (without the command line's analytics)
- `evals/` data sets to try and measure with

Try it: `cupel run {demo} --task arguments --profile demo`. With a key (see `.env.example`) and your own file:
`cupel plan FILE --task arguments`, then `cupel run FILE --task arguments --limit 2`. If something is amiss: `cupel doctor`.
"""


def make_project(folder: Path) -> Path:
    """Copy the starter into a new or empty folder and return its full path.

    Raises:
        OutputPathError: If the folder has something in it, or cannot be written.
        ProjectError: If this installation has no starter.
    """
    target = expand(folder)
    _check_free(target)
    is_new = not target.exists()
    starter = _check_starter(target)
    try:
        for source in _starter_files(starter):
            _copy(source, target / source.relative_to(starter))
        for name, text in _own_files(target.name).items():
            write_whole(target / name, text, permissions=SHARED)
    except OSError as error:
        if is_new:
            shutil.rmtree(target, ignore_errors=True)
        raise OutputPathError(
            f"{target}: the project could not be written: {error.strerror or error}"
        ) from error
    with suppress(ProjectError):  # where nothing can be remembered, the first run says so and what to do
        trust(target)
    return target


def _check_free(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise OutputPathError(f"{target}: is a file; choose another name")
    try:
        taken = sorted(path.name for path in target.iterdir()) if target.is_dir() else []
    except OSError as error:
        raise OutputPathError(f"{target}: cannot be read: {error.strerror or error}") from error
    if taken:
        shown = ", ".join(taken[:5]) + (" …" if len(taken) > 5 else "")
        raise OutputPathError(
            f"{target}: is not empty (it has {shown}); choose a new name, nothing was changed"
        )


def _check_starter(target: Path) -> Path:
    starter = starter_folder()
    missing = [name for name in (*COPIED, CONFIG) if not (starter / name).exists()]
    if missing:
        raise ProjectError(
            f"{starter}: the starter lacks {', '.join(missing)}; this installation is damaged, install cupel again"
        )
    if any(target.is_relative_to(starter / name) for name in COPIED):
        raise OutputPathError(f"{target}: lies inside the starter itself; choose a folder elsewhere")
    return starter


def _starter_files(starter: Path) -> Iterator[Path]:
    yield starter / CONFIG
    for part in COPIED:
        for path in sorted((starter / part).rglob("*")):
            if path.is_file() and not set(_LEFT_OUT) & set(path.relative_to(starter).parts):
                yield path


def _copy(source: Path, target: Path) -> None:
    """The content alone: an installed package may be read-only, a project may not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _own_files(folder_name: str) -> dict[str, str]:
    name = distribution_name(folder_name)
    return {
        "pyproject.toml": PYPROJECT.format(name=name),
        ".gitignore": GITIGNORE,
        ".dockerignore": DOCKERIGNORE,
        ".env.example": ENV_EXAMPLE,
        "Makefile": MAKEFILE,
        "README.md": README.format(name=name, demo=DEMO),
    }


def distribution_name(folder_name: str) -> str:
    """A name pyproject.toml allows, and that is not Cupel's own.

    >>> distribution_name("My study (2026)"), distribution_name("cupel"), distribution_name("研究")
    ('my-study-2026', 'cupel-study', 'study')
    """
    name = re.sub(r"[^a-z0-9]+", "-", folder_name.lower()).strip("-")
    return "cupel-study" if name == "cupel" else name or "study"


def next_commands(folder: Path) -> list[str]:
    """What to type next, each with the reason beside it."""
    quoted = f'"{folder}"' if re.search(r"[^\w./~-]", str(folder)) else str(folder)
    return [
        f"cd {quoted}",
        f"cupel run {DEMO} --task arguments --profile demo     # no key needed",
        'make dev     # the same graph in Studio; needs: pip install "cupel[studio]"',
    ]
