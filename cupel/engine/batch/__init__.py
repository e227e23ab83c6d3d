"""Model calls by a provider's batch API: parked until every document waits, then sent as one job a model.

document → Calls.complete → parked ──┐
document → Calls.complete → parked ──┼─ everyone waits → upload → job → results → everyone goes on
document → Calls.complete → parked ──┘
"""

from cupel.engine.batch.batcher import Batcher, BatchSettings, check_batchable, held_usd
