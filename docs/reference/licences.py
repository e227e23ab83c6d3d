"""Writes licences.md: every package the lock can install, its licence, and what needs it.

It reads what is installed, so all extras have to be: `make licences`.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import defaultdict
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
HEAD = """# Licences

Every package that requirements.lock can install, with the licence its own metadata states and what needs it: `core` is what
`pip install cupel` brings, the others are extras. Written by `make licences`. What is not permissive:

- **langgraph-api** and **langgraph-runtime-inmem** (Elastic License 2.0: free to use, not to be offered as a managed service) come with
  `cupel[studio]` only; the library and the command line do without.
- **psycopg** (LGPL 3) comes with `cupel[postgres]` and `cupel[dask]` only, as an unchanged library.
- **codespell** (GPL 2) checks our spelling (`lint`) and **forbiddenfruit** (GPL 3 or MIT) comes with the studio's server.
- **{others}** (MPL 2.0, in part) are used unchanged.

The core brings {core} packages. It grows by none without a decision that names weight and licence (docs/decisions).

| package | licence | needed by |
|---|---|---|
"""
CLASSIFIER = "License :: OSI Approved :: "


def locked_names(lock: str) -> list[str]:
    """The packages a lock names."""
    return sorted(
        {canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)}
    )


def needed_by() -> dict[str, set[str]]:
    """Package → the parts of pyproject.toml (core, extras) that bring it, directly or not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: defaultdict[str, set[str]] = defaultdict(set)
    for part, wanted in {"core": project["dependencies"], **project["optional-dependencies"]}.items():
        waiting = [Requirement(line) for line in wanted]
        seen: set[tuple[str, frozenset[str]]] = set()
        while waiting:
            requirement = waiting.pop()
            name = canonicalize_name(requirement.name)
            if name == "cupel":
                waiting += [
                    Requirement(line)
                    for extra in requirement.extras
                    for line in project["optional-dependencies"][extra]
                ]
                continue
            if (name, frozenset(requirement.extras)) in seen:
                continue
            seen.add((name, frozenset(requirement.extras)))
            found[name].add(part)
            waiting += _requirements(name, requirement.extras)
    return {name: {"core"} if "core" in parts else parts for name, parts in found.items()}


def _requirements(name: str, extras: set[str]) -> list[Requirement]:
    try:
        lines = distribution(name).requires or []
    except PackageNotFoundError:
        return []  # for another platform
    wanted = [Requirement(line) for line in lines]
    contexts = [{"extra": extra} for extra in ("", *extras)]
    return [
        each
        for each in wanted
        if each.marker is None or any(each.marker.evaluate(context) for context in contexts)
    ]


def licence_of(name: str) -> str:
    """What a package's metadata says; empty where it is not installed or says nothing."""
    try:
        said = distribution(name).metadata
    except PackageNotFoundError:
        return ""
    if expression := said.get("License-Expression"):
        return str(expression)
    listed = [
        line.removeprefix(CLASSIFIER)
        for line in said.get_all("Classifier", [])
        if line.startswith(CLASSIFIER)
    ]
    first = (said.get("License") or "").strip().splitlines()
    return "; ".join(listed) or (first[0][:60] if first else "")


def main() -> int:
    """Write the page; 1 where a package of the lock for this platform is not installed."""
    parts = needed_by()
    names = locked_names((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    known = {name: licence_of(name) for name in names}
    missing = [name for name in names if name in parts and not known[name]]
    if missing:
        print(
            f"no licence is known of {', '.join(missing)}: install all extras (`make licences`)",
            file=sys.stderr,
        )
        return 1
    core = sum(parts.get(name) == {"core"} for name in names)
    rows = [
        f"| {name} | {known[name].replace('|', '/') or 'for another platform: see its own page'} | "
        f"{', '.join(sorted(parts.get(name, {'another platform'})))} |"
        for name in names
    ]
    weak = [name for name in names if re.search("MPL|Mozilla", known[name])]
    page = HEAD.format(core=core, others="**, **".join(weak)) + "\n".join(rows) + "\n"
    (HERE / "licences.md").write_text(page, encoding="utf-8")
    print(f"{len(names)} packages, {core} of them core")
    return 0


if __name__ == "__main__":
    sys.exit(main())
