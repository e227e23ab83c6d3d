"""Loop B, step by step: what each node of `graphs/improve.py` does, from failures to the ledger.

Every call goes through the run log and every entry of the ledger has a key, so a campaign killed at any
instant and started anew pays nothing twice and leaves the same ledger.
"""

from cupel.improvement.advice import NextStep, command_of, next_step
from cupel.improvement.entries import Book, Entry
from cupel.improvement.failure_clusters import Failure, cluster, with_anchors
from cupel.improvement.gate import ALPHA, gate
from cupel.improvement.held_out import SPENDS, SPENT, held_out_names, held_out_of, showable
from cupel.improvement.history import diff_versions, list_versions
from cupel.improvement.hub import hub_name, pull_prompt, push_prompt
from cupel.improvement.ledger import Ledger, ledger_of
from cupel.improvement.seen import document_hash, note_seen
from cupel.improvement.steps.promote import decision_doubts, load_version, promote, rollback
from cupel.improvement.versions import (
    as_version,
    contract_problem,
    copy_prompt,
    is_path,
    keep_edit,
    known_version,
    parts_of,
    read_candidate,
    replace_prompt,
    rule_rows,
    rules_of,
    version_diff,
    version_of,
)
