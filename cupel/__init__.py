"""Documents in, structured and grounded records out.

>>> import cupel
>>> cupel.ground("we must  act", "Today we must act.").match
'normalised'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cupel.api import (
        acalibrate as acalibrate,
        acompare as acompare,
        aenrich as aenrich,
        aevaluate as aevaluate,
        aimprove as aimprove,
        ajudge_check as ajudge_check,
        aplan as aplan,
        calibrate as calibrate,
        chart as chart,
        compare as compare,
        doctor as doctor,
        enrich as enrich,
        evaluate as evaluate,
        evaluate_routing as evaluate_routing,
        export as export,
        failures as failures,
        forget as forget,
        freeze_failures as freeze_failures,
        improve as improve,
        judge_check as judge_check,
        list_runs as list_runs,
        list_tasks as list_tasks,
        outcomes as outcomes,
        plan as plan,
        prompts as prompts,
        show as show,
        tidy as tidy,
        write_charts as write_charts,
        write_report as write_report,
    )
    from cupel.context import RunContext as RunContext
    from cupel.errors import CupelError as CupelError
    from cupel.state import DocumentInput as DocumentInput, Outcome as Outcome
    from cupel.task import TaskSpec as TaskSpec, load_task as load_task
    from cupel.text import Grounding as Grounding, ground as ground

_WHERE = {
    "CupelError": "cupel.errors",
    "DocumentInput": "cupel.state",
    "Grounding": "cupel.text",
    "Outcome": "cupel.state",
    "RunContext": "cupel.context",
    "TaskSpec": "cupel.task",
    "acalibrate": "cupel.api",
    "acompare": "cupel.api",
    "aenrich": "cupel.api",
    "aevaluate": "cupel.api",
    "aimprove": "cupel.api",
    "ajudge_check": "cupel.api",
    "aplan": "cupel.api",
    "calibrate": "cupel.api",
    "chart": "cupel.api",
    "compare": "cupel.api",
    "doctor": "cupel.api",
    "enrich": "cupel.api",
    "evaluate": "cupel.api",
    "evaluate_routing": "cupel.api",
    "export": "cupel.api",
    "failures": "cupel.api",
    "forget": "cupel.api",
    "freeze_failures": "cupel.api",
    "ground": "cupel.text",
    "improve": "cupel.api",
    "judge_check": "cupel.api",
    "list_runs": "cupel.api",
    "list_tasks": "cupel.api",
    "load_task": "cupel.task",
    "outcomes": "cupel.api",
    "plan": "cupel.api",
    "prompts": "cupel.api",
    "show": "cupel.api",
    "tidy": "cupel.api",
    "write_charts": "cupel.api",
    "write_report": "cupel.api",
}

__all__ = [
    "CupelError",
    "DocumentInput",
    "Grounding",
    "Outcome",
    "RunContext",
    "TaskSpec",
    "acalibrate",
    "acompare",
    "aenrich",
    "aevaluate",
    "aimprove",
    "ajudge_check",
    "aplan",
    "calibrate",
    "chart",
    "compare",
    "enrich",
    "evaluate",
    "evaluate_routing",
    "export",
    "failures",
    "ground",
    "improve",
    "judge_check",
    "list_runs",
    "load_task",
    "outcomes",
    "plan",
    "prompts",
    "tidy",
    "write_charts",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import cupel` stays cheap."""
    if name not in _WHERE:
        raise AttributeError(f"module 'cupel' has no attribute {name!r}; it has {', '.join(__all__)}")
    import importlib

    return getattr(importlib.import_module(_WHERE[name]), name)
