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

from typing import TYPE_CHECKING

from cupel._late import late
from cupel.limits.budget import PICO, RAISE_IT, Budget, Reservation, pico_cap, pico_of
from cupel.limits.circuit import Circuits
from cupel.limits.classify import is_transient
from cupel.limits.limiter import Limiter, Slot
from cupel.limits.retries import RetryPolicy, with_retries
from cupel.limits.settings import read_limits
from cupel.limits.shared_gate import SharedGate

if TYPE_CHECKING:
    from cupel.limits.postgres import PostgresGate
else:
    __getattr__ = late(__name__)
