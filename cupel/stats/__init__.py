"""Intervals, tests and reliability: what a number is worth."""

from cupel.stats.flips import Rates, fewest_groups, flip_detectable, flip_gain, flip_groups_needed, flip_power
from cupel.stats.intervals import (
    CONFIDENCE,
    Floats,
    Interval,
    binomial_tail,
    bounded_mean,
    clopper_pearson,
    group_sums,
    mean_lower_bound,
    percentile_interval,
    wilson,
    z_of,
)
from cupel.stats.mcnemar import (
    detectable_gain,
    documents_needed,
    mcnemar,
    mcnemar_power,
    mcnemar_unconditional,
)
from cupel.stats.reliability import (
    ReliabilityBin,
    auroc,
    brier,
    expected_calibration_error,
    reliability_bins,
    within_groups_auroc,
)
