"""What makes a verdict: code first, then one finding per criterion, then arithmetic.

Policies only: the judge's model is asked elsewhere, and its reply comes in as data.
"""

from typing import TYPE_CHECKING

from cupel._late import late
from cupel.judging.adjudication import Dispute, adjudication_schema, list_disputes, read_decisions
from cupel.judging.checks import certain_faults, code_checks
from cupel.judging.estimate import Estimate, correct, estimate_record, settle_items
from cupel.judging.examples import check_task
from cupel.judging.findings import Finding, Verdict, aggregate, judge_schema, read_judgement
from cupel.judging.item_findings import EXTRA, LIST, ItemFinding, Missing, Reading, items_schema, read_items
from cupel.judging.items import Item, items_of, kinds_of, show_items
from cupel.judging.jury import (
    FalsePassRate,
    Preference,
    WinRate,
    audits_in,
    audits_of,
    correct_false_pass_rate,
    count_votes,
    false_pass_rate,
    pairwise_schema,
    preference,
    win_rate,
)
from cupel.judging.measure import SIGNAL, UNMEASURED, JudgeBinding, JudgeMeasure, signal_of
from cupel.judging.parts import Part, cut_parts

if TYPE_CHECKING:
    from cupel.judging.agreement import (
        Agreement,
        IntervalEstimate,
        auroc_estimate,
        correct_pass_rate,
        measure_agreement,
    )
    from cupel.judging.mutation_tally import MutationTally, tally
    from cupel.judging.mutations import UNCHANGED, Mutation, mutate
else:
    __getattr__ = late(__name__)
