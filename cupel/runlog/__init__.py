"""The run log: what was asked, answered, paid and decided; SQLite by default, PostgreSQL by setting."""

from cupel.runlog.rows import cost_of
from cupel.runlog.store import PromptVersion, RunLog, StoredResponse, now, open_run_log, text_hash

__all__ = ["PromptVersion", "RunLog", "StoredResponse", "cost_of", "now", "open_run_log", "text_hash"]
