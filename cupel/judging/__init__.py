"""What makes a verdict: code first, then one finding per criterion, then arithmetic.

Policies only: the judge's model is asked elsewhere, and its reply comes in as data.
"""

from cupel.judging.checks import code_checks
from cupel.judging.findings import (
    Criterion,
    Finding,
    Verdict,
    aggregate,
    judge_schema,
    read_judgement,
)

__all__ = ["Criterion", "Finding", "Verdict", "aggregate", "code_checks", "judge_schema", "read_judgement"]
