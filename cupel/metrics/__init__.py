"""How good a record is: task metrics against gold, with intervals.

`evaluate` scores a data set, `gain` says what one set of answers is better by than another, `record_metric` one record against its reference, `find_differences` says what is wrong with it.
"""

from typing import TYPE_CHECKING

from cupel._late import late
from cupel.metrics.assignment import best_pairs

if TYPE_CHECKING:
    from cupel.metrics.answers import SpanLabels, labelled_spans
    from cupel.metrics.differences import Difference, find_differences
    from cupel.metrics.evaluation import Gain, evaluate, gain, group_of
    from cupel.metrics.gold import Gold, Labelled, Labels, gold_if_any, open_gold, read_labels, tell_gold
    from cupel.metrics.pairs import Pair, Scored, pair_up
    from cupel.metrics.records import record_metric, word_f1
else:
    __getattr__ = late(__name__)
