"""The run log: what was asked, answered, paid and decided; SQLite by default, PostgreSQL by setting."""

from cupel.runlog.rows import cost_of
from cupel.runlog.store import PromptVersion, RunLog, StoredResponse, now, open_run_log, text_hash
from cupel.runlog.usage import RoleUse, Usage

__all__ = [
    "PromptVersion",
    "RoleUse",
    "RunLog",
    "StoredResponse",
    "Usage",
    "cost_of",
    "now",
    "open_run_log",
    "text_hash",
]
