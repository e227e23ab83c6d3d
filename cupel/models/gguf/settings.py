"""How a GGUF file is run: `CUPEL_GGUF_…` variables, the same for all files of a process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cupel.errors import SettingError
from cupel.files import read_text

DEFAULT_CONTEXT = 8192
"""Tokens of a prompt with its reply, where the model was trained on no fewer."""

DEFAULT_AT_ONCE = 4

VARIABLES = (
    "CUPEL_GGUF_CONTEXT", "CUPEL_GGUF_AT_ONCE", "CUPEL_GGUF_THREADS", "CUPEL_GGUF_GPU_LAYERS", "CUPEL_GGUF_CHAT_TEMPLATE",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What a person may set about the engine; 0 leaves a number to it."""

    context: int = 0
    """Tokens of a prompt with its reply, for each of those at once."""

    at_once: int = DEFAULT_AT_ONCE
    """Requests that are generated together, in one batch."""

    threads: int = 0
    gpu_layers: int = -1
    """Layers on a graphics card; -1 leaves it to the engine."""

    chat_template: str = ""
    """In place of the file's own: Jinja, or one of llama.cpp's names (`chatml`)."""

    @classmethod
    def of(cls, env: Mapping[str, str] = os.environ) -> EngineSettings:
        """The settings these variables make.

        Raises:
            SettingError: For a number that is none or impossible, or a template's file that cannot be read.

        >>> EngineSettings.of({"CUPEL_GGUF_CONTEXT": "2048"}).context
        2048
        """
        return cls(
            context=_number(env, "CUPEL_GGUF_CONTEXT", 0, least=256),
            at_once=_number(env, "CUPEL_GGUF_AT_ONCE", DEFAULT_AT_ONCE, least=1),
            threads=_number(env, "CUPEL_GGUF_THREADS", 0, least=1),
            gpu_layers=_number(env, "CUPEL_GGUF_GPU_LAYERS", -1, least=0),
            chat_template=_template(env.get("CUPEL_GGUF_CHAT_TEMPLATE", "").strip()),
        )


def said(env: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """What the variables say, unread: what tells one engine's settings from another's without touching a file."""
    return tuple(env.get(name, "").strip() for name in VARIABLES)


def _number(env: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or len(text) > 9 or int(text) < least:
        raise SettingError(f"{name}={text[:80]!r} is no whole number from {least} up")
    return int(text)


def _template(text: str) -> str:
    """The template itself: its text, a name, or what stands in the file it names."""
    if "{" in text or not text.endswith((".jinja", ".txt")):
        return text
    try:
        return read_text(Path(text))
    except (OSError, ValueError) as error:
        raise SettingError(
            f"CUPEL_GGUF_CHAT_TEMPLATE={text!r} cannot be read ({error.__class__.__name__}); "
            "name a file of Jinja, or one of llama.cpp's templates, such as chatml"
        ) from None
