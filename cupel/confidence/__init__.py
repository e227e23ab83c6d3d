"""Confidence in a record: signals, their calibration to a probability, and how good that is.

signals = compute_signals(Observed(record=..., schema_valid=True, ...), ["schema_valid", "agreement"])
calibration = fit_calibration(matrix, correct, names=[...], binding=Binding(task=..., ...))
calibration.probability(signals)
"""

from cupel.confidence.agreement import record_agreement
from cupel.confidence.calibration import Binding, Calibration, fit_calibration
from cupel.confidence.reliability import auroc, brier, expected_calibration_error, reliability_bins
from cupel.confidence.signals import SIGNALS, Observed, calls_needed, compute_signals, register

__all__ = [
    "SIGNALS",
    "Binding",
    "Calibration",
    "Observed",
    "auroc",
    "brier",
    "calls_needed",
    "compute_signals",
    "expected_calibration_error",
    "fit_calibration",
    "record_agreement",
    "register",
    "reliability_bins",
]
