"""Measured confidence: a policy with a certificate, and whether documents may share a request."""

from cupel.calibration.confidence import CalibrationResult, calibrate, sample_rows
from cupel.calibration.cost import EXPECTED_OUTPUT, CallCost, packing_cost, sample_cost
from cupel.calibration.packing import PackingResult, certify_packing, sample_packs
