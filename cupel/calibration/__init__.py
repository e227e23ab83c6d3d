"""Measured confidence: a policy with a certificate, and whether documents or tasks may share a request."""

from cupel.calibration.bundle import BundleResult, certify_bundle, sample_bundle
from cupel.calibration.confidence import CalibrationResult, calibrate, sample_rows
from cupel.calibration.cost import EXPECTED_OUTPUT, CallCost, bundle_cost, packing_cost, sample_cost
from cupel.calibration.packing import PackingResult, certify_packing, sample_packs
