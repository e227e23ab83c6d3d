"""The HTML report of a run, from the run log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cupel.project import Project


def write_run_report(project: Project, run_id: str, summary: dict[str, Any]) -> Path:
    """Write `.cupel/reports/<run>.html` and return its path."""
    return project.state / "reports" / f"{run_id}.html"
