"""Calibrated policies and learnt routers, read from their files when they are wanted."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cupel.errors import SettingError

if TYPE_CHECKING:
    from cupel.routing import Prerouter, ThresholdCascade

FRESH_S = 1.0


class Policies:
    """The policies of one project; an edited file is seen within a second.

    Args:
        state: The project's state folder.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._policies: dict[Path, tuple[float, ThresholdCascade | None]] = {}
        self._field_policies: dict[str, tuple[float, dict[str, ThresholdCascade]]] = {}
        self._prerouters: dict[Path, Prerouter] = {}

    async def of(self, task: str, setting: str) -> ThresholdCascade | None:
        """The calibrated policy a run names: `auto` is the task's in `.cupel/policies/`, `none` the plain rule.

        Raises:
            SettingError: For a file that is missing or cannot be read.
        """
        if setting == "none":
            return None
        path = policy_path(self._state, task) if setting == "auto" else Path(setting)
        known = self._policies.get(path)
        if known is None or time.monotonic() - known[0] > FRESH_S:
            known = (time.monotonic(), await asyncio.to_thread(_read_policy, path, needed=setting != "auto"))
            self._policies[path] = known
        return known[1]

    async def of_fields(self, task: str) -> dict[str, ThresholdCascade]:
        """The policies of single fields that `cupel calibrate --field` stored for a task, by field."""
        folder = policy_path(self._state, task).parent
        known = self._field_policies.get(task)
        if known is None or time.monotonic() - known[0] > FRESH_S:
            known = (time.monotonic(), await asyncio.to_thread(_read_field_policies, folder, task))
            self._field_policies[task] = known
        return known[1]

    async def prerouter(self, file: str) -> Prerouter:
        """The learnt text router in a file.

        Raises:
            SettingError: For a file that is missing or cannot be read.
        """
        path = Path(file)
        if path not in self._prerouters:
            self._prerouters[path] = await asyncio.to_thread(_read_prerouter, path)
        return self._prerouters[path]


def policy_path(state: Path, task: str, field: str = "") -> Path:
    """Where `cupel calibrate` stores a task's policy, or that of one of its fields."""
    return state / "policies" / (f"{task}.field.{field}.json" if field else f"{task}.json")


def _read_field_policies(folder: Path, task: str) -> dict[str, ThresholdCascade]:
    found = {}
    for path in sorted(folder.glob(f"{task}.field.*.json")):
        policy = _read_policy(path, needed=True)
        if policy is not None:
            found[path.name.removeprefix(f"{task}.field.").removesuffix(".json")] = policy
    return found


def _read_policy(path: Path, *, needed: bool) -> ThresholdCascade | None:
    if not path.is_file():
        if needed:
            raise SettingError(f"policy={str(path)!r}: there is no such file; `cupel calibrate` makes one")
        return None
    # they need numpy, and a run without a calibrated policy does not
    from cupel.routing import Calibration, ThresholdCascade

    return ThresholdCascade.from_json(path.read_text(encoding="utf-8"), read_score=Calibration.from_dict)


def _read_prerouter(path: Path) -> Prerouter:
    if not path.is_file():
        raise SettingError(
            f"prerouter={str(path)!r}: there is no such file; `cupel calibrate --prerouter` makes one"
        )
    from cupel.routing import prerouter_from_json

    return prerouter_from_json(path.read_text(encoding="utf-8"))
