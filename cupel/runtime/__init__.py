"""What a process owns once per event loop: run log, limiter, circuits, model clients, and the run under way.

Nodes ask `current()` for it. The command line and the runner open one explicitly and close it; under the
LangGraph server it opens itself at the first call. `Runtime.complete` is the one place where a model is
called: looked up first, reserved before it is sent, limited, retried, and committed before it is used.
"""

from cupel.runtime.calls import Batching
from cupel.runtime.policies import policy_path
from cupel.runtime.purses import SharedBudget
from cupel.runtime.requests import DOCUMENT_MARK, Request, Response
from cupel.runtime.resources import DEFAULT_TASK, Runtime, close_current, current, install
from cupel.runtime.runs import Run, Tally, current_retry, current_run, current_sample, running, sampling

__all__ = [
    "DEFAULT_TASK",
    "DOCUMENT_MARK",
    "Batching",
    "Request",
    "Response",
    "Run",
    "Runtime",
    "SharedBudget",
    "Tally",
    "close_current",
    "current",
    "current_retry",
    "current_run",
    "current_sample",
    "install",
    "policy_path",
    "running",
    "sampling",
]
