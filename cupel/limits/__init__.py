"""Staying within what a provider allows and a person pays: pacing, retries, circuits, budgets.

limiter = Limiter(limits={"groq": Limits(rpm=30)})
circuits = Circuits()

async def request(slot):
    reply = await client.post(...)
    slot.learn(reply.headers, reply.status, used_tokens)
    return reply

await with_retries(request, policy=RetryPolicy(), model=model,
                   slot=lambda: limiter.slot(model, tokens=900), circuit=circuits.of(model))

The words, each for one thing:

    limiter      of a process; it has a lane for each model and address
    lane         the queue in front of one model: calls pass first come, first served
    slot         one call in a lane: what it is counted as, and what its reply teaches
    gauge        what a lane knows of its limits, from what was sent and what came back:
      bucket         one limit, as it fills and leaks
      concurrency    how many calls may be in flight, where the provider shows no limit
      pause          how long every call holds still after a 429
    gate         the line that the lanes of several processes share; kept in PostgreSQL
      charge         what one call takes from one bucket
      turn           how long until a call may be sent
    retry        another try of a failed call; the circuit says whether a model is worth one
    patience     how long a run waits for a provider that answers nobody, or for a daily limit
    budget       what a run may spend; a reservation is what is set aside of it for one call
"""

from typing import TYPE_CHECKING

from cupel._late import late
from cupel.limits.buckets import Limits
from cupel.limits.budget import PICO, RAISE_IT, Budget, Reservation, pico_cap, pico_of
from cupel.limits.circuit import Circuits
from cupel.limits.classify import blame, ending_of, is_transient
from cupel.limits.gauge import PATIENCE_S
from cupel.limits.limiter import Limiter
from cupel.limits.patience import DEFAULT_WAIT_S, Patience, read_wait_s
from cupel.limits.retries import RetryPolicy, with_retries
from cupel.limits.settings import closest_limits, read_limits
from cupel.limits.shared_gate import SharedGate
from cupel.limits.slot import Slot

if TYPE_CHECKING:
    from cupel.limits.postgres import PostgresGate
else:
    __getattr__ = late(__name__)
