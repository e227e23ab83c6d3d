"""A project on its way to a worker: zipped, named by its hash, unpacked once into the worker's own folder."""

from __future__ import annotations

import hashlib
import io
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cupel.errors import ProjectError
from cupel.project import CONFIG, Project

_FOLDERS = ("graphs", "nodes", "prompts", "evals/recordings")
_POLICIES = "policies"
_STATE = ".cupel"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_unpacked: dict[str, Path] = {}
_unpacking = threading.Lock()


@dataclass(frozen=True, slots=True)
class Parcel:
    """The files of a project, packed."""

    content: bytes
    digest: str
    """SHA-256 of the content."""


def pack(project: Project) -> Parcel:
    """Zip a project's graphs, nodes, prompts, recordings and calibrated policies; the same files give the same bytes.

    Raises:
        ProjectError: If the folder has no langgraph.json.
    """
    if not (project.folder / CONFIG).is_file():
        raise ProjectError(f"{project.folder / CONFIG}: missing; `cupel init NAME` makes a project")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in _files(project):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    content = buffer.getvalue()
    return Parcel(content, hashlib.sha256(content).hexdigest())


def _files(project: Project) -> Iterator[tuple[str, Path]]:
    """Name in the parcel and place here."""
    yield CONFIG, project.folder / CONFIG
    for part in _FOLDERS:
        for path in sorted((project.folder / part).glob("**/*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(project.folder).as_posix(), path
    for path in sorted((project.state / _POLICIES).glob("**/*")):
        if path.is_file():
            yield f"{_STATE}/{path.relative_to(project.state).as_posix()}", path


def unpack(parcel: Parcel, within: Path | None = None) -> Project:
    """The project of a parcel in a folder of its own, unpacked once in each process.

    Args:
        parcel: What arrived.
        within: Where the folder is made; the system's temporary folder when left out.

    Raises:
        ProjectError: If the content is not what was packed.
    """
    arrived = hashlib.sha256(parcel.content).hexdigest()
    if arrived != parcel.digest:
        raise ProjectError(
            f"the project arrived changed: its hash is {arrived[:12]}, {parcel.digest[:12]} was sent; run again"
        )
    with _unpacking:
        folder = _unpacked.get(parcel.digest)
        if folder is None or not (folder / CONFIG).is_file():
            folder = Path(tempfile.mkdtemp(prefix=f"cupel-{parcel.digest[:12]}-", dir=within))
            with zipfile.ZipFile(io.BytesIO(parcel.content)) as archive:
                archive.extractall(folder)
            _unpacked[parcel.digest] = folder
    return Project(folder, folder / _STATE)
