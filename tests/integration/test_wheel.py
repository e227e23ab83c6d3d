"""The built wheel: what is in it, and that it makes a project which runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.image import (
    SECRETS,
    Image,
    context_of,
    dockerfile_of,
    graphs_of,
    laid_bare,
    plant_secrets,
)


@pytest.fixture
def wheel(tmp_path):
    """The wheel, built without isolation or network where hatchling is installed."""
    pytest.importorskip("hatchling", reason="hatchling is not installed; building would need the network")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return next((tmp_path / "dist").glob("*.whl"))


@pytest.mark.door
def test_the_wheel_holds_the_package_alone_and_installed_it_makes_a_project_that_runs(
    wheel, tmp_path, subtests
):
    """`cupel init demo && cd demo && cupel run …` from site-packages: the starter travels inside the package."""
    with subtests.test("graphs, nodes, prompts and evals are no packages of their own"):
        names = zipfile.ZipFile(wheel).namelist()

        assert {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")} == {
            "cupel"
        }
        for part in ("graphs/enrich.py", "nodes/extract.py", "prompts/arguments/task.toml", "langgraph.json"):
            assert f"cupel/_starter/{part}" in names
        assert "cupel/py.typed" in names
        assert not [name for name in names if "__pycache__" in name]

    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # the dependencies of this environment, but the package itself from the wheel, and no project around
    env = {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
    cupel = [sys.executable, "-m", "cupel"]
    made = subprocess.run(
        [*cupel, "init", "demo"], cwd=work, env=env, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    where = subprocess.run(
        [sys.executable, "-c", "import cupel; print(cupel.__file__)"],
        cwd=work, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(site) in where.stdout
    shutil.copy(ROOT / "evals" / "datasets" / "speeches-demo.jsonl", work / "demo" / "in.jsonl")

    done = subprocess.run(
        [*cupel, "run", "in.jsonl", "--task", "arguments", "--profile", "offline", "--out", "out.jsonl"],
        cwd=work / "demo", env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert len((work / "demo" / "out.jsonl").read_text().splitlines()) == 12
    assert (work / "demo" / ".cupel" / "runlog.sqlite").is_file()
    with subtests.test("the notebook of the examples, in an empty folder"):
        the_notebook_runs_beside_no_project(work / "notebook", env)
    projects = {
        "this project": (laid_bare(tmp_path / "repository"), None),
        "a new one": (work / "demo", wheel),
    }
    for name, (project, published) in projects.items():
        with subtests.test(f"the image of {name}"):
            place = tmp_path / name.replace(" ", "-")
            place.mkdir()
            an_image_of_it_holds_no_secret_and_imports_every_graph(project, place, published)


NOTEBOOK = """
import sys
from pathlib import Path
import nbformat
from nbclient import NotebookClient
cells = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(cells, timeout=300, kernel_name="python3", resources={"metadata": {"path": "."}}).execute()
"""


def the_notebook_runs_beside_no_project(folder, env):
    """All it needs is in the package: the debate, the prompts, the recorded answers; its kernel is this environment's."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, str(ROOT / "examples" / "debates.ipynb")],
        cwd=folder, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len((folder / "claims-and-premises.csv").read_text(encoding="utf-8").splitlines()) > 100
    assert sorted(path.name for path in folder.iterdir()) == [
        ".cupel", "claims-and-premises.csv", "mine.toml", "texts.jsonl",
    ]  # fmt: skip


def an_image_of_it_holds_no_secret_and_imports_every_graph(project, place, published):
    """What `langgraph dockerfile` writes, read by Docker's parser and done by hand, from the files Docker would be sent."""
    plant_secrets(project)
    context = context_of(project)
    assert {
        "langgraph.json",
        "pyproject.toml",
        "graphs/enrich.py",
        "prompts/arguments/task.toml",
        "README.md",
    } <= context
    assert [name for name in SECRETS if name in context] == []
    assert [
        name for name in context if set(Path(name).parts) & {".git", ".cupel", ".venv", ".env", "__pycache__"}
    ] == []
    steps = dockerfile_of(project, place / "Dockerfile")
    [base] = [value[0] for command, value in steps if command == "FROM"]
    assert base == f"langchain/langgraph-api:{version('langgraph-api')}-py3.11"

    image = Image(place, published)
    image.take(steps, project)
    assert sorted(image.import_graphs()) == sorted(graphs_of(project))
    assert image.workdir.name == project.name
