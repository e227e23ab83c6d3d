"""Families of models: judges of one family share their blind spots, and like what they would have written."""

from __future__ import annotations

import re
from collections.abc import Sequence

_FAMILIES: tuple[tuple[str, str], ...] = (
    ("gpt-oss", r"gpt-oss"),
    ("gpt", r"(?:chat)?gpt|o[1-9](?=-|$)|davinci"),
    ("claude", r"claude"),
    ("gemini", r"gemini|gemma"),
    ("llama", r"llama"),
    ("qwen", r"qwen|qwq"),
    ("mistral", r"(?:mi|code|magi|mini|dev)stral|mixtral|pixtral"),
    ("deepseek", r"deepseek"),
    ("grok", r"grok"),
    ("phi", r"phi-?\d"),
    ("command", r"command"),
    ("kimi", r"kimi"),
    ("glm", r"glm"),
    ("nova", r"nova"),
)
_NAMED = tuple((name, re.compile(rf"(?:^|[^a-z])(?:{pattern})")) for name, pattern in _FAMILIES)


def family(model: str) -> str:
    """The family of a model id, `provider:model`; a name nobody knows is a family of its own.

    Who made a model stands at the beginning of its name, so the first family named wins: a llama that was
    taught by deepseek and is called `deepseek-r1-distill-llama` counts as deepseek.

    >>> family("groq:openai/gpt-oss-120b"), family("openai:gpt-4o-mini"), family("local:my-own-7b")
    ('gpt-oss', 'gpt', 'my-own-7b')
    """
    name = model.partition(":")[2].lower() or model.lower()
    own = name.rpartition("/")[2]
    matches = [
        (match.start(), at, named)
        for at, (named, pattern) in enumerate(_NAMED)
        if (match := pattern.search(own))
    ]
    return min(matches)[2] if matches else own


def same_family(model: str, other: str) -> bool:
    """Whether two models are of one family.

    >>> same_family("groq:llama-3.3-70b-versatile", "openrouter:meta-llama/llama-4-scout")
    True
    """
    return family(model) == family(other)


def eligible(jurors: Sequence[str], *, writer: str, judge: str) -> list[str]:
    """The jurors that may judge a record: of another family than who wrote it and than its judge.

    Args:
        jurors: Model ids.
        writer: The model that wrote the record.
        judge: The judge; empty for none.
    """
    barred = {family(model) for model in (writer, judge) if model}
    return [model for model in jurors if family(model) not in barred]
