"""Windows that fit the context of a model that runs here, counted by its own tokenizer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cupel.cascade.prompt import Prompt, prompt_for
from cupel.context import RunContext
from cupel.engine import Asking, current
from cupel.errors import CupelError
from cupel.models import ModelId
from cupel.task import TaskSpec
from cupel.text import split_windows

if TYPE_CHECKING:
    from cupel.cascade.prepare import Prepared
    from cupel.models import Engine

LEAST_ROOM = 64
"""Tokens of a document below which a window is not worth asking about."""

_TRIES = 8
_SAFELY = 0.9
"""Sentences differ: the next window may have more tokens for its characters than the one that was counted."""


async def fit_windows(
    prepared: Prepared, meta: Mapping[str, Any], task: TaskSpec, context: RunContext, asking: Asking
) -> Prepared:
    """The document with windows that leave room for prompt and reply in the context of every `gguf:` model.

    A model that cannot be loaded, or whose context holds no more than the prompt, is this document's problem.
    """
    if prepared["problem"] is not None:
        return prepared
    models = (await current()).models(context)
    for model in dict.fromkeys((models.cheap, models.strong)):
        if model.startswith("gguf:"):
            try:
                prepared = await _fit(prepared, meta, model, task, context)
            except CupelError as error:
                return {**prepared, "problem": asking.tell(error), "windows": []}
    return prepared


async def _fit(
    prepared: Prepared, meta: Mapping[str, Any], model: str, task: TaskSpec, context: RunContext
) -> Prepared:
    from cupel.models import open_engine

    engine = await asyncio.to_thread(open_engine, ModelId.parse(model).name)
    prompt = await prompt_for(task, "extract", model, context, task.asked)
    text, windows = prepared["text"], prepared["windows"]
    reply = min(context.max_output_tokens, engine.context // 4)
    bare = await _count(engine, prompt, prepared, meta, "")
    room = engine.context - reply - bare
    if room < LEAST_ROOM:
        return {**prepared, "windows": [], "problem": _too_small(engine, task, bare, reply)}
    for _ in range(_TRIES):
        share = 1.0
        for start, end in windows:
            part = text[start:end]
            if len(part.encode()) > room:  # a token is a byte at least: most need no counting
                tokens = await _count(engine, prompt, prepared, meta, part) - bare
                share = (
                    min(share, room / tokens * (1.0 if tokens <= room else _SAFELY))
                    if tokens > room
                    else share
                )
        if share == 1.0:
            return {**prepared, "windows": windows}
        longest = max(end - start for start, end in windows)
        windows = _cut(text, max(16, int(longest * share)), task.window.overlap_chars)
    return {**prepared, "windows": [], "problem": _too_small(engine, task, bare, reply)}


def _cut(text: str, max_chars: int, overlap_chars: int) -> list[list[int]]:
    return [list(window) for window in split_windows(text, max_chars, min(overlap_chars, max_chars // 4))]


_counted: dict[tuple[str, str, str], int] = {}
"""What a prompt takes without a document: asked once for each model, prompt and further inputs."""


async def _count(
    engine: Engine, prompt: Prompt, prepared: Prepared, meta: Mapping[str, Any], part: str
) -> int:
    from cupel.models import count_tokens

    document = {"text": part, "doc_id": prepared["doc_id"], "meta": meta}
    messages: Sequence[Mapping[str, str]] = prompt.about(document, text=part).messages
    if part:
        return await count_tokens(engine, messages)
    key = engine.model, prompt.version, repr(sorted(meta.items(), key=str))
    if key not in _counted:
        if len(_counted) > 1_000:
            _counted.clear()
        _counted[key] = await count_tokens(engine, messages)
    return _counted[key]


def _too_small(engine: Engine, task: TaskSpec, bare: int, reply: int) -> str:
    return (
        f"{engine.model}: of its context of {engine.context:,} tokens the prompt of task {task.name!r} takes {bare:,} and a "
        f"reply up to {reply:,}, so no document fits; set CUPEL_GGUF_CONTEXT higher (the model was trained on "
        f"{engine.file.trained_context:,}), or take another model"
    )
