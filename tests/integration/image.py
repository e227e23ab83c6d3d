"""The Dockerfile that LangGraph's command line writes, read by Docker's own parser, and its steps taken by hand in a clean folder and venv."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

SECRETS = (
    ".env",
    ".env.production",
    "graphs/.env",
    ".git/config",
    ".cupel/runlog.sqlite",
    ".venv/bin/python",
    ".venv-serve/x",
    ".langgraph_api/x.pckl",
    "nodes/__pycache__/x.pyc",
)
"""What is laid into a project, and must not get into an image of it."""

IMPORTS = """
import importlib.util, json, os, sys
from langgraph.graph.state import CompiledStateGraph
import psycopg
sys.path.insert(0, os.getcwd())  # as the server does for a project that is a dependency
for name, entry in json.loads(os.environ["LANGSERVE_GRAPHS"]).items():
    path, _, variable = entry["path"].rpartition(":")
    spec = importlib.util.spec_from_file_location("graph_" + name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert isinstance(getattr(module, variable), CompiledStateGraph)
    print("imported", name)
for said, key in (("LANGGRAPH_AUTH", "path"), ("LANGGRAPH_HTTP", "app")):
    module, _, variable = json.loads(os.environ[said])[key].partition(":")
    assert getattr(importlib.import_module(module), variable) is not None
"""


def laid_bare(folder: Path) -> Path:
    """A copy of this repository as git knows it, in a new folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def plant_secrets(project: Path) -> None:
    """Files that belong to a machine and to nobody else."""
    for name in SECRETS:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("secret")


def context_of(project: Path) -> set[str]:
    """The files that go to the builder, by Docker's own rules."""
    build = pytest.importorskip("docker.utils.build")
    lines = (project / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    return {name for name in build.exclude_paths(str(project), patterns) if (project / name).is_file()}


def dockerfile_of(project: Path, place: Path) -> list[tuple[str, tuple[str, ...]]]:
    """The commands of the project's Dockerfile, as Docker's parser reads them."""
    parser = pytest.importorskip("dockerfile", reason="Docker's parser is not installed")
    command = [sys.executable, "-m", "langgraph_cli", "dockerfile", str(place)]
    env = {**os.environ, "LANGGRAPH_CLI_NO_ANALYTICS": "1"}
    subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=True)
    return [(found.cmd.upper(), tuple(found.value)) for found in parser.parse_file(str(place))]


class Image:
    """A folder for the file system's root and a venv for the system's Python: what the steps of a Dockerfile come to in them.

    Args:
        folder: Where both go.
        wheel: Cupel as if it had been published; None where the image installs it itself.
    """

    def __init__(self, folder: Path, wheel: Path | None) -> None:
        self.root, self.venv = folder / "root", folder / "venv"
        self.env: dict[str, str] = {}
        self.workdir = self.root
        uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(self.venv)], check=True)
        self._uv = uv
        (self.root / "api").mkdir(parents=True)
        # what the base image holds beside Python: constraints of its server's own packages, and those packages, of which ours import one
        locked = dict(
            re.findall(r"(?m)^([a-z0-9][\w.-]*)==([^ \n]+)", (ROOT / "requirements.lock").read_text())
        )
        needed = {Requirement(one).name.lower() for one in requires("langgraph-api") or ()}
        pins = [f"{name}=={locked[name]}" for name in sorted(needed) if name in locked]
        (self.root / "api" / "constraints.txt").write_text("\n".join(pins) + "\n")
        self._install(f"starlette=={version('starlette')}", *([str(wheel)] if wheel is not None else []))

    def _install(self, *packages: str) -> None:
        self.run(f"{self._uv} pip install --system -q " + " ".join(f"'{name}'" for name in packages))

    def take(self, steps: list[tuple[str, tuple[str, ...]]], project: Path) -> None:
        """Take the steps up to those with which the base image puts its own house in order."""
        context = context_of(project)
        for command, value in steps:
            if command == "RUN" and "mkdir -p /api/" in value[0]:
                continue
            if command in ("ADD", "COPY"):
                self._copy(project, context, value[:-1], value[-1])
            elif command == "RUN" and not re.match(
                r"PYTHON\w+=1 uv pip install .* -e /api$|pip uninstall|rm -rf|uv pip uninstall", value[0]
            ):
                self.run(value[0].replace("uv pip", f"{self._uv} pip"))
            elif command == "ENV":
                self.env |= {
                    name: self._here(text.strip("'"))
                    for name, text in zip(value[::2], value[1::2], strict=True)
                }
            elif command == "WORKDIR":
                self.workdir = Path(self._here(value[0]))

    def _copy(self, project: Path, context: set[str], sources: tuple[str, ...], target: str) -> None:
        found = {
            name
            for name in context
            for source in sources
            if source == "." or re.fullmatch(source.replace(".", r"\."), name)
        }
        for name in found:
            path = Path(self._here(target)) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(project / name, path)

    def _here(self, text: str) -> str:
        """Paths of the image as they are here."""
        return re.sub(r"(?<![\w./])/(deps|locked|api)(?=[/\s\"'*;]|$)", rf"{self.root}/\1", text)

    def run(self, command: str) -> str:
        """A command of the image, and what it prints."""
        told = (
            self._here(command)
            .replace("--system", f"--python {self.venv / 'bin' / 'python'}")
            .replace("--no-cache-dir ", "")
        )
        env = {**os.environ, **self.env, "PATH": f"{self.venv / 'bin'}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-ec", told], cwd=self.workdir, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stdout[-1500:], done.stderr[-3000:])
        return done.stdout

    def import_graphs(self) -> list[str]:
        """The graphs that can be imported where the server would."""
        script = self.root / "imports.py"
        script.write_text(IMPORTS)
        told = self.run(f"{self.venv / 'bin' / 'python'} {script}")
        return re.findall(r"imported (\w+)", told)


def graphs_of(project: Path) -> list[str]:
    """Those that langgraph.json names."""
    return list(json.loads((project / "langgraph.json").read_text())["graphs"])
