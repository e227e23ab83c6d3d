"""Documents in, structured and grounded records out.

>>> import cupel
>>> cupel.ground("we must  act", "Today we must act.").match
'normalised'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cupel.context import RunContext as RunContext
    from cupel.enrichment import aenrich as aenrich
    from cupel.enrichment import enrich as enrich
    from cupel.errors import CupelError as CupelError
    from cupel.grounding import Grounding as Grounding
    from cupel.grounding import ground as ground
    from cupel.state import DocumentInput as DocumentInput
    from cupel.state import Outcome as Outcome
    from cupel.tasks import TaskSpec as TaskSpec
    from cupel.tasks import load_task as load_task

_WHERE = {
    "CupelError": "cupel.errors",
    "DocumentInput": "cupel.state",
    "Grounding": "cupel.grounding",
    "Outcome": "cupel.state",
    "RunContext": "cupel.context",
    "TaskSpec": "cupel.tasks",
    "aenrich": "cupel.enrichment",
    "enrich": "cupel.enrichment",
    "ground": "cupel.grounding",
    "load_task": "cupel.tasks",
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
