"""What a judge is worth on labelled records, kept beside the project's calibrations: runs with that judge go by it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cupel.engine import judge_path
from cupel.errors import NotEnoughDataError
from cupel.files import make_folder, write_whole
from cupel.judging import (
    SIGNAL,
    Agreement,
    IntervalEstimate,
    JudgeBinding,
    JudgeMeasure,
    auroc_estimate,
    measure_agreement,
    signal_of,
)
from cupel.routing import Binding, Calibration, fit_calibration
from cupel.state import FindingName, VerdictRecord

_FOLDS = 5
_SAID: dict[str, FindingName] = {"accepted": "pass", "rejected": "fail", "unknown": "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One judged record with what is known of it.

    Attributes:
        verdict: The judge's, by the plain rule.
        right: Whether it is right, by people or gold.
        group: What it hangs together with.
    """

    verdict: VerdictRecord
    right: bool
    group: Hashable

    @property
    def estimate(self) -> float | None:
        """How good the judge thinks it is, in [0, 1]; what code rejects is worth nothing."""
        return 0.0 if self.verdict["code_findings"] else self.verdict["score"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What labelled records say of a judge.

    Attributes:
        measure: As it is kept.
        auroc: How well the estimate ranks right records above wrong ones.
        calibrated: Agreement of the verdicts that the calibrated estimate gives, each from the other folds; None where
            nothing could be calibrated.
    """

    measure: JudgeMeasure
    auroc: IntervalEstimate
    calibrated: Agreement | None


def measure_judge(binding: JudgeBinding, rows: Sequence[Scored]) -> Measurement:
    """Measure a judge on labelled records.

    A judge by items or by adjudication has an estimate, which is calibrated where the labels allow it: what counts is then
    the agreement of the calibrated verdicts.

    Args:
        binding: Whose it is.
        rows: The judged records.
    """
    known = [(row, score) for row in rows if (score := row.estimate) is not None]
    ranked = auroc_estimate(
        [score for _, score in known], [row.right for row, _ in known], [row.group for row, _ in known]
    )
    calibration = None if binding.way == "criteria" else _fit(binding, rows)
    calibrated = None if calibration is None else _agree(rows, _out_of_fold(binding, rows))
    agreement = calibrated or _agree(rows, [_SAID[row.verdict["verdict"]] for row in rows])
    kept = JudgeMeasure(
        binding=binding, n=agreement.n, kappa=agreement.kappa.value, low=agreement.kappa.interval.low,
        high=agreement.kappa.interval.high, advisory=agreement.advisory, why=agreement.why,
        calibration=calibration.to_dict() if calibration is not None else None,
    )  # fmt: skip
    return Measurement(measure=kept, auroc=ranked, calibrated=calibrated)


def keep_measure(state: Path, measure: JudgeMeasure) -> Path:
    """Write it where a run looks for it; an earlier one of this task and way is replaced."""
    path = judge_path(state, measure.binding.task, measure.binding.way)
    make_folder(path.parent)
    write_whole(path, measure.to_json() + "\n")
    return path


def _agree(rows: Sequence[Scored], said: Sequence[FindingName]) -> Agreement:
    return measure_agreement(list(said), [row.right for row in rows], [row.group for row in rows])


def _fit(binding: JudgeBinding, rows: Sequence[Scored]) -> Calibration | None:
    """The estimate mapped to a probability, of the records a model judged; None where the labels are too few for it."""
    asked = [row for row in rows if not row.verdict["code_findings"] and row.verdict["score"] is not None]
    bound = Binding(task=binding.task, prompt_version=binding.prompt_version, model=binding.model)
    try:
        return fit_calibration(
            np.array([_signal(row) for row in asked], dtype=np.float64).reshape(len(asked), 1),
            [float(row.right) for row in asked], names=[SIGNAL], binding=bound, folds=0,
        )  # fmt: skip
    except NotEnoughDataError:
        return None


def _signal(row: Scored) -> float:
    return signal_of(row.verdict["score"] or 0.0)[SIGNAL]


def _out_of_fold(binding: JudgeBinding, rows: Sequence[Scored]) -> list[FindingName]:
    """Each record's verdict by a calibration that saw neither it nor its group; by the plain rule where there is none."""
    groups = list(dict.fromkeys(row.group for row in rows))
    fold = {group: at % _FOLDS for at, group in enumerate(groups)}
    fits = [_fit(binding, [row for row in rows if fold[row.group] != each]) for each in range(_FOLDS)]
    return [_said(row, fits[fold[row.group]]) for row in rows]


def _said(row: Scored, fit: Calibration | None) -> FindingName:
    plain = _SAID[row.verdict["verdict"]]
    if fit is None or row.verdict["code_findings"] or plain == "unknown":
        return plain
    right = fit.probability({SIGNAL: _signal(row)})
    return plain if right is None else "pass" if right >= 0.5 else "fail"
