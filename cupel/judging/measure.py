"""What is known of a judge: how it agreed with people or gold, for one task, prompt, model and way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cupel.errors import SettingError

if TYPE_CHECKING:
    from cupel.routing import Calibration

UNMEASURED = "unmeasured"
SIGNAL = "estimate"
"""What a judge's calibration reads: the task's metric as the judge estimates it."""

_VERSION = 1
"""A file of another one has other keys, and is refused for them."""


_END = 0.02


def signal_of(estimate: float) -> dict[str, float]:
    """An estimate as a calibration reads it, held away from 0 and 1: the log odds of a faultless record know no bounds.

    >>> signal_of(1.0)
    {'estimate': 0.98}
    """
    return {SIGNAL: round(_END + (1 - 2 * _END) * estimate, 6)}


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeBinding:
    """What a measurement is valid for."""

    task: str
    way: str
    model: str
    prompt_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeMeasure:
    """A judge's agreement with people or gold, as `cupel judge-check` found it.

    Attributes:
        binding: Whose it is.
        n: Records that both decided.
        kappa: Cohen's kappa, in [-1, 1]; None where the labels could not tell.
        low: Lower end of its 95 % interval.
        high: Upper end.
        advisory: Whether it agrees too little to decide.
        why: Why; empty where it may decide.
        calibration: Its estimate mapped to the probability that a record is right, as plain data; None where there were
            too few labels for one, or this way has no estimate.
    """

    binding: JudgeBinding
    n: int
    kappa: float | None
    low: float
    high: float
    advisory: bool
    why: str
    calibration: Mapping[str, Any] | None = None

    @property
    def words(self) -> str:
        """What is known, for a verdict."""
        if self.kappa is None:
            return f"measured on {self.n} records, which cannot tell: {self.why}"
        agreed = f"kappa {self.kappa:.2f} [{self.low:.2f}, {self.high:.2f}] on {self.n} records"
        return f"{agreed}; advisory: {self.why}" if self.advisory else agreed

    def probability(self, estimate: float | None) -> float | None:
        """Probability in [0, 1] that a record with this estimate is right; None without a calibration."""
        if self.calibration is None or estimate is None:
            return None
        return _read_calibration(self.calibration).probability(signal_of(estimate))

    def to_json(self) -> str:
        """A JSON text; `from_json` gives an equal measure back."""
        return json.dumps({"version": _VERSION, **asdict(self)}, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> JudgeMeasure:
        """Read what `to_json` wrote.

        Raises:
            SettingError: For a text of another format, or an incomplete one.
        """
        try:
            told = json.loads(text)
            kept = {name: value for name, value in told.items() if name != "version"}
            return cls(**{**kept, "binding": JudgeBinding(**told["binding"])})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SettingError(
                f"what was measured of a judge cannot be read ({error}); run `cupel judge-check` again"
            ) from error


def _read_calibration(told: Mapping[str, Any]) -> Calibration:
    from cupel.routing import Calibration  # numpy; a judge without a calibration needs none

    return Calibration.from_dict(told)
