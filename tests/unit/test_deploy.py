"""What is needed to serve: said in a sentence before anything is installed, and files for containers that agree with the project."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from importlib.metadata import version

import pytest

from cupel.cli.init import DOCKERIGNORE
from cupel.serve.door import _OPEN
from tests.conftest import ROOT, load_script

yaml = pytest.importorskip("yaml")
DEPLOY = ROOT / "deploy"
COMPOSED = ("aegra.yaml", "platform.yaml")


@pytest.fixture(scope="module")
def serve():
    """deploy/serve.py, which is no package's."""
    return load_script(DEPLOY / "serve.py")


@pytest.fixture
def listening():
    """A port where somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def told(**env):
    """What `make serve` says before it installs anything, and its exit code."""
    done = subprocess.run(
        [sys.executable, DEPLOY / "serve.py", "check"], capture_output=True, text=True, timeout=30, check=False,
        env={"PATH": "/usr/bin:/bin", **env},
    )  # fmt: skip
    return done.returncode, done.stderr


def test_a_machine_without_python_and_postgresql_is_told_both_and_what_works_without():
    """In one go, each with what to do."""
    code, said = told(SERVE_PYTHON="/nowhere/python3.12", HOME="/nowhere")

    assert code == 2
    assert "Python 3.12 or newer, and /nowhere/python3.12 is none" in said
    assert "DATABASE_URL=postgresql://user:password@host/database" in said
    assert said.endswith("`make dev` serves the same graphs without it.\n")


@pytest.mark.parametrize(
    ("address", "run_log", "said"),
    [
        ("sqlite:///x", "", "is no address of a PostgreSQL"),
        ("postgresql://u:hidden@127.0.0.1:9/x", "", "no PostgreSQL answers at 127.0.0.1:9"),
        ("postgresql:///x?host=/nowhere", "", "no PostgreSQL answers at /nowhere/.s.PGSQL.5432"),
        ("postgresql://u@h/one", "postgresql+psycopg://v:w@h:5432/one", "name the same database"),
    ],
)
def test_an_address_that_cannot_be_right_is_told(serve, address, run_log, said):
    """Without the password in it."""
    fault = serve.database_fault({"DATABASE_URL": address, "CUPEL_DATABASE_URL": run_log})
    assert said in fault
    assert "hidden" not in fault


def test_a_place_where_somebody_listens_is_enough_to_go_on(serve, listening):
    """One of several hosts will do; the run log may be another database there."""
    address = f"postgresql://u:p@127.0.0.1:9,127.0.0.1:{listening}/x"
    assert serve.database_fault({"DATABASE_URL": address, "CUPEL_DATABASE_URL": "postgresql://h/y"}) == ""


def test_the_file_of_settings_is_read_as_it_is_written(serve, tmp_path):
    """Comments, quotes and `export` as shells have them."""
    (tmp_path / ".env").write_text(
        "# DATABASE_URL=no\nexport A=1\nDATABASE_URL='postgresql://h/x=y'\n\nodd line\n"
    )
    assert serve.read_env(tmp_path / ".env") == {"A": "1", "DATABASE_URL": "postgresql://h/x=y"}
    assert serve.read_env(tmp_path / "none") == {}


@pytest.mark.parametrize("name", COMPOSED)
def test_what_a_container_must_keep_lies_in_volumes_and_its_health_is_the_run_logs(name):
    """Prompts and state are volumes, the run log a database of its own, the health route one that is open."""
    composed = yaml.safe_load((DEPLOY / name).read_text())
    api, postgres = composed["services"]["api"], composed["services"]["postgres"]
    targets = {volume.rpartition(":")[2].rpartition("/")[2] for volume in api["volumes"]}
    addresses = [
        value for key, value in api["environment"].items() if key.startswith(("DATABASE", "CUPEL_DATABASE"))
    ]
    [checked] = re.findall(r"http://127.0.0.1:\d+(/[\w/]+)", api["healthcheck"]["test"][-1])

    assert targets == {"prompts", ".cupel"}
    assert len({re.split(r"[/?]", address)[3] for address in addresses}) == 2
    assert checked in _OPEN
    assert set(composed["volumes"]) == {"postgres", "prompts", "state"}
    assert all(port.startswith("127.0.0.1:") for port in api["ports"])
    assert "CREATE DATABASE cupel" in (DEPLOY / "postgres" / "cupel.sql").read_text()
    assert postgres["volumes"][1].startswith("./postgres:")


def test_aegras_image_copies_what_there_is_and_installs_by_hash():
    """Read by Docker's parser where it is installed; what it copies is in the context."""
    parser = pytest.importorskip("dockerfile", reason="Docker's parser is not installed")
    build = pytest.importorskip("docker.utils.build")
    steps = [(one.cmd.upper(), one.value) for one in parser.parse_file(str(DEPLOY / "aegra.Dockerfile"))]
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    matcher = build.PatternMatcher([line for line in lines if line and not line.startswith("#")])
    sources = [
        source for command, value in steps if command == "COPY" for source in value[:-1] if source != "."
    ]

    assert sources
    assert [source for source in sources if not (ROOT / source).is_file() or matcher.matches(source)] == []
    installs = [
        part
        for command, value in steps
        if command == "RUN"
        for part in value[0].split(" && ")
        if " install " in f"{part} "
    ]
    assert all("--require-hashes" in part or "--no-deps" in part for part in installs)
    assert [value for command, value in steps if command == "USER"] == [("cupel",)]


def test_the_platforms_image_is_the_server_that_is_tested():
    """The version langgraph.json names is the one the lock has; no description ends a line of the Dockerfile."""
    config = json.loads((ROOT / "langgraph.json").read_text())
    lock = (ROOT / "requirements.lock").read_text()
    [locked] = re.findall(r"(?m)^langgraph-api==(\S+)", lock)

    assert config["api_version"] == locked
    assert [entry for entry in config["graphs"].values() if "'" in entry["description"]] == []


def test_aegra_is_pinned_with_what_cupel_is_tested_with():
    """Two of its inner names are used; what both locks have is the same in both."""
    pins = {
        name: dict(re.findall(r"(?m)^([a-z0-9][\w.-]*)==([^ \n]+)", (ROOT / name).read_text()))
        for name in ("requirements.lock", ".ci/serve.lock")
    }
    ours, theirs = pins.values()
    assert theirs["aegra-api"] == "0.11.0"
    assert {name for name in ours.keys() & theirs if ours[name] != theirs[name]} == set()
    assert version("langgraph") == theirs["langgraph"]
    assert "://" not in (ROOT / ".ci" / "serve.lock").read_text()


def test_a_new_project_keeps_out_of_an_image_what_this_one_does():
    """But for the folders that only this one has."""
    ours = (ROOT / ".dockerignore").read_text().splitlines()
    assert set(DOCKERIGNORE.splitlines()) <= set(ours)
