"""How good it is, asked from outside: experiments, comparisons of two models, failures kept and run again, a judge checked."""

from cupel.evaluation.comparison import Comparison, ComparisonPlan, place_comparison, plan_comparison
from cupel.evaluation.experiments import ExperimentResult, read_experiment, run_experiment
from cupel.evaluation.failure_sets import Rerun, freeze
from cupel.evaluation.failures import FIXES, FailureGroup, group_failures
from cupel.evaluation.judge_check import JudgeReport, compare_with_labels
from cupel.evaluation.label_file import LabelFile, check_labels, make_labels
from cupel.evaluation.labels import Pulled, pull_labels
from cupel.evaluation.routing_evaluation import ALL_SIGNALS, Line, RoutingEvaluation, evaluate, policies_for
from cupel.evaluation.routing_experiments import (
    compare_with_reference,
    load_experiment,
    regressions,
    to_baseline,
)
from cupel.evaluation.run_gold import KeptGold, RunGold, kept_gold, open_run_gold
from cupel.evaluation.spoiled import SpoiledReport, spoil_run
