"""What a run will take before anything is paid: calls, tokens, dollars and time per tier, from a sample."""

from cupel.runs.planning.estimates import Estimate
from cupel.runs.planning.plan import Plan
from cupel.runs.planning.planner import plan_run
from cupel.runs.planning.stored import note_plan
from cupel.runs.planning.sums import add_plans
