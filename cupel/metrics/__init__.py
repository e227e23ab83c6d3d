"""How good a record is: task metrics against gold, with intervals.

`evaluate` scores a data set, `record_metric` one record against its reference, `differences` says what is wrong with it.
"""

from cupel.metrics.differences import Difference, differences
from cupel.metrics.evaluation import HEADLINES, KINDS, Evaluation, evaluate, group_of
from cupel.metrics.records import METRICS, record_metric

__all__ = [
    "HEADLINES", "KINDS", "METRICS", "Difference", "Evaluation", "differences", "evaluate", "group_of", "record_metric",
]  # fmt: skip
