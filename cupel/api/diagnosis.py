"""Whether everything is in place for a run, with the fix beside what is wrong."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from cupel._format import Shown
from cupel.api.doctor_checks import (
    Check,
    environment_file,
    installation,
    project_files,
    run_log_place,
    surroundings,
)
from cupel.api.doctor_models import keys, models, probe_models, tracing
from cupel.api.signatures import with_settings
from cupel.project import Project, find_project


@dataclass(frozen=True, slots=True)
class Diagnosis(Shown):
    """What a run would find.

    Attributes:
        checks: Everything that was looked at, in groups.
    """

    checks: tuple[Check, ...]

    @property
    def troubles(self) -> list[Check]:
        """What keeps a run from its start."""
        return [check for check in self.checks if check.level == "trouble"]

    def to_json(self) -> dict[str, Any]:
        """What `cupel doctor --json` prints."""
        return {"usable": not self.troubles, "checks": [check.to_json() for check in self.checks]}


@with_settings
def doctor(*, probe: bool = False, project: Project | None = None, **settings: Any) -> Diagnosis:
    """Look at everything a run needs: versions, project, tasks, graphs, run log, keys (never their values), models.

    Args:
        probe: Also make one tiny call to every model; it is paid for.
        project: The project to use; the one around the current folder where left out.
        **settings: Those of the run.
    """
    project = project or find_project()
    return Diagnosis(
        (
            *installation(),
            *project_files(project),
            *environment_file(project, os.environ),
            *run_log_place(project),
            *keys(project, os.environ),
            *models(settings, project, os.environ),
            *(probe_models(settings, project, os.environ) if probe else ()),
            *tracing(os.environ),
            *surroundings(project, os.environ),
        )
    )
