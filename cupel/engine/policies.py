"""Calibrated policies and learnt routers, read from their files when they are wanted."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cupel.errors import SettingError
from cupel.files import read_text
from cupel.judging import JudgeBinding, JudgeMeasure

if TYPE_CHECKING:
    from cupel.routing import Prerouter, ThresholdCascade

T = TypeVar("T")
FRESH_S = 1.0


class Policies:
    """The policies of one project; an edited file is seen within a second.

    Args:
        state: The project's state folder.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._held: dict[str, tuple[float, Any]] = {}

    async def of(self, task: str, setting: str) -> ThresholdCascade | None:
        """The calibrated policy a run names: `auto` is the task's in `.cupel/policies/`, `none` the plain rule.

        Raises:
            SettingError: For a file that is missing or cannot be read.
        """
        if setting == "none":
            return None
        path = policy_path(self._state, task) if setting == "auto" else Path(setting)
        return await self._fresh(f"policy {path}", partial(_read_policy, path, needed=setting != "auto"))

    async def of_fields(self, task: str) -> dict[str, ThresholdCascade]:
        """The policies of single fields that `cupel calibrate --field` stored for a task, by field."""
        folder = policy_path(self._state, task).parent
        return await self._fresh(f"fields {task}", partial(_read_field_policies, folder, task))

    async def judge(self, binding: JudgeBinding) -> JudgeMeasure | None:
        """What `cupel judge-check` measured of a judge, for exactly this task, way, model and prompt; None where nothing was.

        Raises:
            SettingError: For a file that cannot be read.
        """
        path = judge_path(self._state, binding.task, binding.way)
        measure = await self._fresh(f"judge {path}", partial(_read_judge, path))
        return measure if measure is not None and measure.binding == binding else None

    async def prerouter(self, file: str) -> Prerouter:
        """The learnt text router in a file.

        Raises:
            SettingError: For a file that is missing or cannot be read.
        """
        return await self._fresh(f"router {file}", partial(read_prerouter, file), for_s=math.inf)

    async def _fresh(self, name: str, read: Callable[[], T], *, for_s: float = FRESH_S) -> T:
        """What was read under this name no longer than so many seconds ago, or is read now."""
        held = self._held.get(name)
        if held is None or time.monotonic() - held[0] > for_s:
            try:
                value = await asyncio.to_thread(read)
            except (OSError, UnicodeDecodeError) as error:
                raise SettingError(f"{name} cannot be read ({error})") from error
            held = self._held[name] = (time.monotonic(), value)
        kept: T = held[1]
        return kept


def policy_path(state: Path, task: str, field: str = "") -> Path:
    """Where `cupel calibrate` stores a task's policy, or that of one of its fields."""
    return state / "policies" / (f"{task}.field.{field}.json" if field else f"{task}.json")


def judge_path(state: Path, task: str, way: str) -> Path:
    """Where `cupel judge-check` stores what it measured of a task's judge."""
    return state / "judges" / f"{task}.{way}.json"


def _read_judge(path: Path) -> JudgeMeasure | None:
    return JudgeMeasure.from_json(read_text(path)) if path.is_file() else None


def _read_field_policies(folder: Path, task: str) -> dict[str, ThresholdCascade]:
    start, end = f"{task}.field.", ".json"
    paths = sorted(folder.glob(f"{start}*{end}"))
    policies = {path.name[len(start) : -len(end)]: _read_policy(path, needed=True) for path in paths}
    return {field: policy for field, policy in policies.items() if policy is not None}


def _read_policy(path: Path, *, needed: bool) -> ThresholdCascade | None:
    if not path.is_file():
        if needed:
            raise SettingError(f"policy={str(path)!r}: there is no such file; `cupel calibrate` makes one")
        return None
    # they need numpy, and a run without a calibrated policy does not
    from cupel.routing import Calibration, ThresholdCascade

    return ThresholdCascade.from_json(read_text(path), read_score=Calibration.from_dict)


def read_prerouter(file: str) -> Prerouter:
    """The learnt text router in a file.

    Raises:
        SettingError: For a file that is missing, or is none.
    """
    path = Path(file)
    if not path.is_file():
        raise SettingError(
            f"prerouter={str(path)!r}: there is no such file; `cupel calibrate --prerouter` makes one"
        )
    from cupel.routing import prerouter_from_json

    return prerouter_from_json(read_text(path))
