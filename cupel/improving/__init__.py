"""Loop B, step by step: what each node of `graphs/improve.py` does, from failures to the ledger.

Every call goes through the run log and every entry of the ledger has a key, so a campaign killed at any
instant and started anew pays nothing twice and leaves the same ledger.
"""

from cupel.improving.approving import approval_request, read_approval, revised
from cupel.improving.campaign import Campaign, ledger_of, opened
from cupel.improving.collecting import collected, diagnosed
from cupel.improving.promoting import concluded, promote, promoted, rollback, stored_version
from cupel.improving.proposing import ROUNDS, proposed
from cupel.improving.sessions import step
from cupel.improving.testing import retested, weighed

__all__ = [
    "ROUNDS", "Campaign", "approval_request", "collected", "concluded", "diagnosed", "ledger_of", "opened", "promote",
    "promoted", "proposed", "read_approval", "retested", "revised", "rollback", "step", "stored_version", "weighed",
]  # fmt: skip
