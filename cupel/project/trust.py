"""Whose projects may run their code: those this user said so of, and never those a folder says of itself.

Graphs and nodes are Python that is executed with the user's keys. A folder that was cloned, unpacked or shared runs none
of it until `cupel trust DIR`; what is kept is a hash of what its langgraph.json names, so that an edited node is not asked
about again and another graph is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from cupel.errors import ProjectError, UntrustedError
from cupel.files import make_folder, read_text, write_whole
from cupel.project.user import expand, home_folder

CONFIG = "langgraph.json"
PACKAGE = Path(__file__).resolve().parent.parent
TRUST_VARIABLES = frozenset({"CUPEL_TRUST", "HOME", "XDG_CONFIG_HOME", "APPDATA", "USERPROFILE"})
"""What decides who is trusted; never taken from a project's `.env`."""


def trust(folder: Path, env: Mapping[str, str] | None = None) -> Path:
    """Remember that this user trusts a project; returns its full path.

    Raises:
        ProjectError: If it has no langgraph.json, or the configuration folder cannot be written.
    """
    folder = expand(folder)
    if not (folder / CONFIG).is_file():
        raise ProjectError(
            f"{folder}: has no {CONFIG}, so there is no project to trust; `cupel init {folder.name}` makes one"
        )
    path = _file(os.environ if env is None else env)
    if path is None:
        raise ProjectError(
            f"nothing can be remembered, for this user has no home folder: set HOME to its full path, or CUPEL_TRUST={folder}"
        )
    known = {**_read(path), str(folder): named_hash(folder)}
    try:
        write_whole(make_folder(path.parent) / path.name, json.dumps(known, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise ProjectError(
            f"{path}: cannot be written ({error.strerror or error}), so nothing is remembered; "
            f"set CUPEL_TRUST={folder} in your environment instead"
        ) from error
    return folder


def is_trusted(folder: Path, env: Mapping[str, str] | None = None) -> bool:
    """Whether the code of a project may run.

    It may where the running package is this folder's own or its starter, where `CUPEL_TRUST` names the folder or one
    above it, and where the user trusted what its langgraph.json names now.
    """
    env, folder = os.environ if env is None else env, folder.resolve()
    if folder in (PACKAGE / "_starter", PACKAGE.parent):
        return True
    named = (expand(Path(part)) for part in env.get("CUPEL_TRUST", "").split(os.pathsep) if part)
    if any(folder.is_relative_to(part) for part in named):
        return True
    known = _read(_file(env)).get(str(folder))
    return known is not None and known == named_hash(folder)


def check_trusted(folder: Path, graph: Path) -> None:
    """Refuse to run the code of a project nobody trusted.

    Raises:
        UntrustedError: Saying what would run, and how to allow it.
    """
    if is_trusted(folder):
        return
    changed = (
        " or its langgraph.json names other graphs now"
        if str(folder.resolve()) in _read(_file(os.environ))
        else ""
    )
    raise UntrustedError(
        f"{folder}: this project's own code would run, with your keys: {graph} and what it imports from the folder. "
        f"You have not trusted it{changed}; look at it, then `cupel trust {folder}`"
    )


def named_hash(folder: Path) -> str:
    """Hash of what a project's langgraph.json would have run: its graphs, dependencies and whatever else it names."""
    try:
        said = json.loads(read_text(folder / CONFIG))
    except (OSError, ValueError):
        said = None
    runs = {key: value for key, value in said.items() if key != "env"} if isinstance(said, dict) else said
    return hashlib.sha256(json.dumps(_without_words(runs), sort_keys=True).encode()).hexdigest()


def _without_words(value: object) -> object:
    """The same without descriptions, which are for people."""
    if isinstance(value, dict):
        return {key: _without_words(item) for key, item in value.items() if key != "description"}
    return value


def _file(env: Mapping[str, str]) -> Path | None:
    """Where it is kept: the user's configuration, never a project; None for a user without a home.

    A path that is not a full one would begin in the folder a command is given in, which may be a stranger's.
    """
    named = env.get("XDG_CONFIG_HOME") or env.get("APPDATA")
    base = Path(named) if named else None
    if base is None or not base.is_absolute():
        named = env.get("HOME") or env.get("USERPROFILE")
        home = Path(named) if named else home_folder()
        base = home / ".config" if home is not None else None
    return base / "cupel" / "trusted.json" if base is not None and base.is_absolute() else None


def _read(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        known = json.loads(read_text(path))
    except (OSError, ValueError):
        return {}
    return {str(folder): str(seen) for folder, seen in known.items()} if isinstance(known, dict) else {}
