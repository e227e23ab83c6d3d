"""The run log: what was asked, answered, paid and decided; SQLite by default, PostgreSQL by setting."""

from cupel.runlog import tables
from cupel.runlog.account import Account, account_of_rows, read_account
from cupel.runlog.address import database_url
from cupel.runlog.batches import BatchJob, BatchLog, BatchRequest
from cupel.runlog.cells import read_cell
from cupel.runlog.database import Database, OpenDatabase, sqlite_path
from cupel.runlog.forget import Forgotten, Selection, is_forgotten, tombstone_key
from cupel.runlog.leases import Lease, hold_lease
from cupel.runlog.lookup import (
    existing_run_log,
    find_document_id,
    find_run,
    find_whole,
    list_runs,
    run_log_file,
)
from cupel.runlog.parts import PART, SEVERAL, choose_part, name_tasks, parts_of, tasks_of
from cupel.runlog.patience import wait_of
from cupel.runlog.refinements import Refined, count_refinements
from cupel.runlog.repair import Checkup, Repair, check_run_log, repair_run_log
from cupel.runlog.rows import NOBODY, cost_of, failure_rows, tried
from cupel.runlog.store import (
    PromptVersion,
    RunLog,
    StoredOutcome,
    StoredResponse,
    exact_time,
    now,
    open_run_log,
    text_hash,
)
from cupel.runlog.tables import FORGOTTEN
from cupel.runlog.usage import RoleUsage, Usage
from cupel.runlog.worker import Row, insert_of
