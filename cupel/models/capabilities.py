"""What each model can do on the wire, in one table.

Sources: console.groq.com/docs/openai (no logprobs) and /docs/structured-outputs (strict schemas on the
gpt-oss models only), OpenAI's reasoning guide (no temperature or logprobs while reasoning; GPT-5.1, 5.2
and 5.4 take both with reasoning effort `none`), OpenRouter's provider routing (`require_parameters`).
`CUPEL_CAPABILITIES` overrides it, e.g. `local:*=json_object+logprobs;groq:openai/gpt-oss-20b=effort-low`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from cupel.errors import SettingError
from cupel.models.ids import ModelId

Structured = Literal["json_schema", "json_object", "text"]
Learnt = tuple[Structured, bool]
"""How a record is asked for, and whether log-probabilities come."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one model can do on the wire."""

    structured: Structured = "json_schema"
    """`json_schema`: the schema travels beside the prompt; else the prompt must state it."""

    logprobs: bool = False
    fewest_alternatives: int = 0
    """Of each token, where none would mean many: llama.cpp sends 20 unless told otherwise."""

    temperature: bool = True
    """Reasoning models refuse a temperature."""

    max_tokens_names: tuple[str, ...] = ("max_completion_tokens",)
    context_window: int | None = None
    """Tokens of prompt and reply together, where known."""

    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of every request."""


_STRICT_GROQ: dict[str, Any] = {"structured": "json_schema", "context_window": 131_072}
_NO_REASONING: dict[str, Any] = {
    "temperature": True, "logprobs": True, "extra": {"reasoning_effort": "none"},
}  # fmt: skip
_REASONING: dict[str, Any] = {"temperature": False, "logprobs": False}

_TABLE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("groq:*", {"structured": "json_object"}),
    ("groq:openai/gpt-oss-20b", _STRICT_GROQ),
    ("groq:openai/gpt-oss-120b", _STRICT_GROQ),
    # thinks aloud by default, which a judge that reasons inside its record pays for twice
    ("groq:qwen/qwen3*", {"context_window": 131_072, "extra": {"reasoning_effort": "none"}}),
    ("openai:*", {"logprobs": True}),
    ("openai:gpt-3.5*", {"structured": "json_object", "context_window": 16_385}),
    ("openai:gpt-4", {"structured": "json_object", "context_window": 8_192}),
    ("openai:gpt-4-*", {"structured": "json_object", "context_window": 128_000}),
    ("openai:gpt-4o*", {"context_window": 128_000}),
    ("openai:gpt-4.1*", {"context_window": 1_047_576}),
    ("openai:o[1-9]*", {**_REASONING, "context_window": 200_000}),
    ("openai:gpt-[5-9]*", {**_REASONING, "context_window": 400_000}),
    ("openai:gpt-5.[124]", _NO_REASONING),
    ("openai:gpt-5.[124]-20*", _NO_REASONING),
    ("openai:gpt-5.4-mini*", _NO_REASONING),
    ("openai:gpt-5.4-nano*", _NO_REASONING),
    (
        "openrouter:*",
        # else a provider that ignores response_format may be the one that answers
        {"max_tokens_names": ("max_tokens",), "extra": {"provider": {"require_parameters": True}}},
    ),
    ("openrouter:openai/o[1-9]*", _REASONING),
    ("openrouter:openai/gpt-[5-9]*", _REASONING),
    # some servers know only one of the spellings and run to the end of their context without it
    ("local:*", {"max_tokens_names": ("max_tokens", "max_completion_tokens")}),
    (
        "gguf:*",
        # a thought before a record is cut off by the record's grammar, or takes the tokens it was given
        {
            "logprobs": True,
            "fewest_alternatives": 1,
            "max_tokens_names": ("max_tokens",),
            "extra": {"chat_template_kwargs": {"enable_thinking": False}},
        },
    ),
    ("scripted:*", {"logprobs": True}),
)

_WORDS: dict[str, dict[str, Any]] = {
    "json_schema": {"structured": "json_schema"},
    "json_object": {"structured": "json_object"},
    "text": {"structured": "text"},
    "logprobs": {"logprobs": True},
    "no-logprobs": {"logprobs": False},
    "temperature": {"temperature": True},
    "no-temperature": {"temperature": False},
    **{
        f"effort-{effort}": {"extra": {"reasoning_effort": effort}}
        for effort in ("none", "minimal", "low", "medium", "high")
    },
}


def capabilities(model_id: str, env: Mapping[str, str] = os.environ) -> Capabilities:
    """What `model_id` can do; `CUPEL_CAPABILITIES` in `env` has the last word.

    Raises:
        SettingError: For an unknown provider, or a word in `CUPEL_CAPABILITIES` that means nothing.

    >>> capabilities("groq:openai/gpt-oss-20b", {}).structured, capabilities("groq:any", {}).structured
    ('json_schema', 'json_object')
    """
    return _capabilities(model_id, env.get("CUPEL_CAPABILITIES", ""), learnt_of(model_id))


_learnt: dict[str, Learnt] = {}
"""By model: what its server was found to do. A process asks a model at one address at a time."""


def learn(model_id: str, *, structured: Structured, logprobs: bool) -> None:
    """Have a model asked as its server was found to answer, in place of the table."""
    _learnt[model_id] = structured, logprobs


def unlearn() -> None:
    """Forget what `learn` was told."""
    _learnt.clear()


def learnt_of(model_id: str) -> Learnt | None:
    """What `learn` was told of a model."""
    return _learnt.get(model_id)


def is_stated(model_id: str, env: Mapping[str, str] = os.environ) -> bool:
    """Whether `CUPEL_CAPABILITIES` says what this model can do, so that nothing has to be found out."""
    return any(
        fnmatchcase(model_id, pattern) for pattern, _ in _read_overrides(env.get("CUPEL_CAPABILITIES", ""))
    )


def is_unproven(model_id: str, env: Mapping[str, str] = os.environ) -> bool:
    """Whether a server of one's own is only believed to obey a schema: nobody found it out, and nobody said so.

    >>> is_unproven("local:m", {}), is_unproven("openai:gpt-4o", {}), is_unproven("local:m", {"CUPEL_CAPABILITIES": "local:*=text"})
    (True, False, False)
    """
    return model_id.startswith("local:") and learnt_of(model_id) is None and not is_stated(model_id, env)


@functools.lru_cache(maxsize=256)
def _capabilities(model_id: str, overrides: str, learnt: Learnt | None) -> Capabilities:
    name = str(ModelId.parse(model_id))
    can = Capabilities()
    found = [] if learnt is None else [("*", {"structured": learnt[0], "logprobs": learnt[1]})]
    for pattern, changes in (*_TABLE, *found, *_read_overrides(overrides)):
        if fnmatchcase(name, pattern):
            extra = {**can.extra, **changes.get("extra", {})}
            can = replace(can, **{**changes, "extra": extra})
    return can


def _read_overrides(text: str) -> list[tuple[str, dict[str, Any]]]:
    rows = []
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        pattern, _, words = entry.rpartition("=")
        changes: dict[str, Any] = {}
        for word in words.split("+"):
            if not pattern or word.strip() not in _WORDS:
                raise SettingError(
                    f"CUPEL_CAPABILITIES: {entry!r} is not `provider:model=word+word`; "
                    f"the words are {', '.join(_WORDS)}"
                )
            changes |= _WORDS[word.strip()]
        rows.append((pattern, changes))
    return rows
