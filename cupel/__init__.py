"""Documents in, structured and grounded records out.

>>> import cupel
>>> cupel.ground("we must  act", "Today we must act.").match
'normalised'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cupel.api import aenrich as aenrich, enrich as enrich
    from cupel.context import RunContext as RunContext
    from cupel.errors import CupelError as CupelError
    from cupel.state import DocumentInput as DocumentInput, Outcome as Outcome
    from cupel.task import TaskSpec as TaskSpec, load_task as load_task
    from cupel.text import Grounding as Grounding, ground as ground

_WHERE = {
    "CupelError": "cupel.errors",
    "DocumentInput": "cupel.state.enrich",
    "Grounding": "cupel.text.grounding",
    "Outcome": "cupel.state.enrich",
    "RunContext": "cupel.context",
    "TaskSpec": "cupel.task.spec",
    "aenrich": "cupel.api",
    "enrich": "cupel.api",
    "ground": "cupel.text.grounding",
    "load_task": "cupel.task.spec",
}

__all__ = [
    "CupelError", "DocumentInput", "Grounding", "Outcome", "RunContext", "TaskSpec", "aenrich", "enrich", "ground",
    "load_task",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import cupel` stays cheap."""
    if name not in _WHERE:
        raise AttributeError(f"module 'cupel' has no attribute {name!r}; it has {', '.join(__all__)}")
    import importlib

    return getattr(importlib.import_module(_WHERE[name]), name)
