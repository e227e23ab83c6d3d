"""What Studio shows of each graph: its own settings and no others, tasks to choose from, and prompts as they are now."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from langgraph.graph.state import CompiledStateGraph
from pydantic import Field

from cupel._memo import Kept
from cupel.context import RunContext, ServedContext
from cupel.engine import DEFAULT_TASK, Runtime
from cupel.errors import CupelError
from cupel.project import find_project
from cupel.state import Mention
from cupel.task import load_task, task_names

PROMPTS = {
    "extract": "extract_prompt", "judge": "judge_prompt", "judge_items": "judge_items_prompt", "refine": "refine_prompt",
}  # fmt: skip
"""Kind of a prompt → the setting that replaces it."""

TASK_FRESH_S = 1.0
_HERE = Path.cwd()  # asked once at import: a node may not


class EnrichSettings(ServedContext):
    """Settings of one run. An empty model name means the profile's."""

    task: Annotated[str, Mention.TASK] = Field(
        default="",
        description="Task of documents that name none, and the one whose prompts are shown below; `arguments` when empty.",
    )
    ask_afresh: bool = Field(
        default=False,
        description="Ask every model anew, and pay for it, also where the run log has the answer.",
    )

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The form, its prompts filled with what the task's files say now."""
        schema = super().model_json_schema(*args, **kwargs)
        fields, shown = schema["properties"], _shown_now()
        fields["task"] = {**fields["task"], "enum": ["", *shown.tasks]}
        for kind, text in shown.prompts.items():
            fields[PROMPTS[kind]] = {**fields[PROMPTS[kind]], "default": text}
        return schema


class ImproveSettings(ServedContext):
    """Settings of one campaign. An empty model name means the profile's."""

    own: ClassVar[frozenset[str] | None] = frozenset(
        {
            "profile", "cheap_model", "strong_model", "judge_model", "refiner_model", "fallback_model", "judge",
            "judge_way", "jury_models", "human_review", "policy", "max_usd_per_document", "output_language", "temperature",
            "max_output_tokens", "timeout_s", "max_retries",
        }
    )  # fmt: skip


class CompareSettings(ServedContext):
    """Settings of one comparison. An empty model name means the profile's."""

    own: ClassVar[frozenset[str] | None] = frozenset(
        {
            "profile", "cheap_model", "judge_model", "fallback_model", "max_usd_per_document", "output_language",
            "temperature", "max_output_tokens", "timeout_s", "max_retries",
        }
    )  # fmt: skip


def current_prompts(task: str, prompts: Path) -> dict[str, str]:
    """The texts of a task's prompts that a person may replace; none where the task cannot be read."""
    try:
        spec = load_task(task, prompts)
    except CupelError:
        return {}
    return {kind: spec.prompts[kind] for kind in PROMPTS if spec.prompts.get(kind)}


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a form shows of a project's prompts."""

    tasks: Sequence[str] = ()
    prompts: Mapping[str, str] = field(default_factory=dict)
    at: float = -math.inf


_shown = [_Shown()]
_forms: dict[Any, tuple[_Shown, dict[str, Any] | None]] = {}
_reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forms")


def _shown_now() -> _Shown:
    """The prompts folder as it is, or was a second ago; read in a thread, as forms are asked for in the event loop."""
    if time.monotonic() - _shown[0].at > TASK_FRESH_S:
        _shown[0] = _reader.submit(_read).result()
    return _shown[0]


def _read() -> _Shown:
    try:
        prompts = find_project(_HERE).prompts
        return _Shown(task_names(prompts), current_prompts(DEFAULT_TASK, prompts), time.monotonic())
    except (CupelError, OSError):  # a form without choices is still a form
        return _Shown(at=time.monotonic())


_settled = Kept[RunContext](64)


async def settle_prompts(context: RunContext, task: str, runtime: Runtime) -> RunContext:
    """The settings without prompts that replace nothing: those of another task, and those a form merely showed.

    Args:
        context: As a client sent it.
        task: The document's.
        runtime: Whose prompts are looked at.
    """
    given = {kind: getattr(context, name) for kind, name in PROMPTS.items() if getattr(context, name)}
    if not given:
        return context
    texts = await asyncio.to_thread(_texts_of, given, runtime.project.prompts)
    meant = getattr(context, "task", "")
    idle = [kind for kind, text in given.items() if text.strip() in texts or (meant and meant != task)]
    blank = {PROMPTS[kind]: "" for kind in idle}
    return (
        _settled.of((context,), *blank, make=lambda: context.model_copy(update=blank)) if blank else context
    )


def _texts_of(kinds: Iterable[str], prompts: Path) -> set[str]:
    """What the tasks' files say now, of these kinds."""
    known = (current_prompts(name, prompts) for name in task_names(prompts))
    return {texts[kind].strip() for texts in known for kind in kinds if kind in texts}


class FormedGraph(CompiledStateGraph[Any, Any, Any, Any]):
    """A compiled graph whose input is shown with the project's tasks to choose from."""

    def get_input_jsonschema(self, config: Any = None) -> dict[str, Any]:
        """The form of the input."""
        schema = super().get_input_jsonschema(config)
        task = schema.get("properties", {}).get("task")
        if task is not None:
            task["enum"] = list(_shown_now().tasks)
        return schema

    def get_context_jsonschema(self) -> dict[str, Any] | None:
        """The form of the settings, made once for prompts as they are: Aegra asks for it at every run."""
        shown, known = _shown_now(), _forms.get(self.context_schema)
        if known is None or known[0] is not shown:
            known = _forms[self.context_schema] = (shown, super().get_context_jsonschema())
        return None if known[1] is None else dict(known[1])
