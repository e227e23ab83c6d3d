"""Intervals, tests and reliability: what a number is worth."""

from cupel.stats.intervals import (
    CONFIDENCE,
    Floats,
    Interval,
    binomial_tail,
    bootstrap_gain,
    bounded_mean,
    clopper_pearson,
    group_sums,
    mean_lower_bound,
    percentile_interval,
    permutation_gain,
    wilson,
    z_of,
)
from cupel.stats.mcnemar import detectable_gain, documents_needed, mcnemar, mcnemar_unconditional
from cupel.stats.reliability import (
    ReliabilityBin,
    auroc,
    brier,
    expected_calibration_error,
    reliability_bins,
    within_groups_auroc,
)
