"""The `.env` of the project and of a file of documents, read as `langgraph dev` reads it; what is set already stands."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

from cupel.project import adopt_variables, find_project, read_variables


def read_environment(env: MutableMapping[str, str] = os.environ) -> None:
    """Set what the project's `.env` says and nothing has set; outside a project nothing is read."""
    adopt_variables(find_project(), env)


def read_beside(file: Path) -> Path:
    """Set what a `.env` beside a file of documents says and nothing has set; returns the file."""
    read_variables(file.parent / ".env")
    return file
