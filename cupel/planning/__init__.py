"""What a run will take before anything is paid: calls, tokens, dollars and time per tier, from a sample."""

from cupel.planning.estimates import Estimate
from cupel.planning.plan import Plan, TierPlan
from cupel.planning.planner import plan_run
from cupel.planning.stored import noted_plan

__all__ = ["Estimate", "Plan", "TierPlan", "noted_plan", "plan_run"]
