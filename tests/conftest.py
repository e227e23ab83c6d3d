"""What every test shares: no provider keys, no tracing, and a project with its own empty state."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler.loadscope import LoadScopeScheduling

from cupel.models.capabilities import unlearn
from cupel.project import Project

# how fast examples are drawn and run is the machine's affair: a test is not timed
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

ROOT = Path(__file__).parent.parent
os.environ.setdefault("LANGSMITH_TEST_TRACKING", "false")
os.environ["CUPEL_TRUST"] = tempfile.gettempdir()  # the projects that tests lay out
# tests run side by side: a BLAS that starts a thread per core in each process makes them wait for each other
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

DOORS = pytest.StashKey[list[str]]()
TOGETHER = frozenset(
    f"tests/integration/test_{name}.py" for name in ("dask_run", "improve_cli", "improve_server", "server")
)
"""Modules whose tests share a server or a started process."""

_KEPT = ("LANGSMITH_TEST_TRACKING", "CUPEL_TEST_DATABASE_URL", "CUPEL_TRUST")
_FOREIGN = ("CUPEL_", "OPENAI_", "GROQ_", "OPENROUTER_", "LOCAL_", "LANGSMITH_", "LANGCHAIN_")


class _Scheduling(LoadScopeScheduling):
    """One test at a time to whoever is free; a module of `TOGETHER` whole and before all others.

    xdist's own groups need pytest to take a node's id from `_nodeid`, which it has stopped doing.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if module in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """How `-n` shares out the tests, unless `--dist` asks for something else."""
    return _Scheduling(config, log) if config.getvalue("dist") in ("load", "loadgroup") else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note the tests that open a door, before `-m` takes any away."""
    config.stash[DOORS] = [
        item.nodeid
        for item in items
        if item.get_closest_marker("door") and not item.get_closest_marker("soak")
    ]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and settings of the machine never decide a test."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN) and name not in _KEPT:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def nothing_learnt() -> None:
    """What one test's server was found to do is no other's."""
    unlearn()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """This repository's graphs and prompts with a run log of the test's own."""
    return Project(ROOT, tmp_path / ".cupel")


@pytest.fixture
def nobody_trusted(monkeypatch, tmp_path):
    """A user who has trusted nothing yet."""
    monkeypatch.delenv("CUPEL_TRUST")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


def load_script(path: Path) -> ModuleType:
    """A script that is in no package, as a module; its own dataclasses look for it by its name."""
    spec = importlib.util.spec_from_file_location(f"script_{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


def clone_project(folder: Path) -> Path:
    """This project's graphs, nodes and prompts in another folder, as somebody else's would be."""
    for part in ("graphs", "nodes", "prompts"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "langgraph.json", folder / "langgraph.json")
    return folder
