"""Staying within what a provider allows and a person pays: pacing, retries, circuits, budgets.

limiter = Limiter(limits={"groq": Limits(rpm=30)})
circuits = Circuits()

async def request(slot):
    reply = await client.post(...)
    slot.learn(reply.headers, reply.status, used_tokens)
    return reply

await with_retries(request, policy=RetryPolicy(), model=model,
                   slot=lambda: limiter.slot(model, tokens=900), circuit=circuits.of(model))
"""

from cupel.limits.buckets import Kind, Limits
from cupel.limits.budget import Budget, BudgetSnapshot, Reservation
from cupel.limits.circuit import Circuit, Circuits
from cupel.limits.failures import Failure, ReplyError, classify, error_in_body, is_transient, translated
from cupel.limits.limiter import LaneReport, Limiter, Slot
from cupel.limits.retries import Retry, RetryPolicy, with_retries
from cupel.limits.settings import read_limits
from cupel.limits.shared import SharedGate

__all__ = [
    "Budget",
    "BudgetSnapshot",
    "Circuit",
    "Circuits",
    "Failure",
    "Kind",
    "LaneReport",
    "Limiter",
    "Limits",
    "ReplyError",
    "Reservation",
    "Retry",
    "RetryPolicy",
    "SharedGate",
    "Slot",
    "classify",
    "error_in_body",
    "is_transient",
    "read_limits",
    "translated",
    "with_retries",
]
