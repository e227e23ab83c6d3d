"""How good a record is: task metrics against gold, with intervals.

`evaluate` scores a data set, `record_metric` one record against its reference.
"""

from cupel.metrics.evaluation import HEADLINES, KINDS, Evaluation, evaluate, group_of
from cupel.metrics.records import METRICS, record_metric

__all__ = ["HEADLINES", "KINDS", "METRICS", "Evaluation", "evaluate", "group_of", "record_metric"]
