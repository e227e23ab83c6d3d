"""Whether tracing was asked for: by a person, not by a LangGraph server that found a key.

Such a server switches tracing on wherever it finds `LANGSMITH_API_KEY`: it writes `LANGSMITH_TRACING=true` into the
environment when it starts, where that cannot be told from a person's own. Documents would leave that nobody sent.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cupel.files import read_text

_ON = ("true", "1", "yes")
_OWN = "LANGSMITH_TRACING"
_FLAGS = (_OWN, "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2", "LANGCHAIN_TRACING")
_PLANE = "LANGSMITH_CONTROL_PLANE_API_KEY"
_KEYS = (_PLANE, "LANGSMITH_API_KEY", "LANGCHAIN_API_KEY")
_taken_over: list[bool] = []
"""Whether tracing was asked for, once the server's own was switched off."""


def is_served() -> bool:
    """Whether this process is a LangGraph server, or Aegra."""
    return "langgraph_api.config" in sys.modules or is_aegra()


def is_aegra() -> bool:
    """Whether this process is Aegra: it speaks as LangGraph's server does, and is built of other parts."""
    return "aegra_api" in sys.modules


def is_asked_for(env: Mapping[str, str]) -> bool:
    """Whether a person switched tracing on.

    >>> is_asked_for({"LANGSMITH_TRACING": "true"}), is_asked_for({"LANGSMITH_API_KEY": "k"})
    (True, False)
    """
    if _taken_over and env is os.environ:
        return _taken_over[0]
    return any(env.get(name, "").lower() in _ON for name in _FLAGS)


def take_over(folder: Path) -> None:
    """Switch the server's own tracing off, and keep whether a person asked for it: then Cupel sends, its own way.

    Args:
        folder: The project's, whose langgraph.json says what else the server read.
    """
    if _taken_over:
        return
    asked = is_asked_for(os.environ)
    if asked and not was_said(os.environ, _before(folder)):
        asked = False
        sys.stderr.write(
            "LangSmith tracing is off: there is a key, and nobody asked for tracing. "
            "LANGSMITH_TRACING=true in .env switches it on.\n"
        )
    _taken_over.append(asked)
    os.environ |= dict.fromkeys((name for name in _FLAGS if os.environ.get(name)), "false")
    os.environ[_OWN] = "false"
    with suppress(ImportError, AttributeError):
        from langsmith import utils

        utils.get_env_var.cache_clear()  # type: ignore[attr-defined]  # it may have been looked up while it was on


def was_said(env: Mapping[str, str], before: Mapping[str, str]) -> bool:
    """Whether `LANGSMITH_TRACING` stands for a person's wish, and not for the server's.

    Args:
        env: The environment as the server left it.
        before: What it found: the environment the process began with, and the project's `.env`.

    >>> was_said({"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "k"}, {})
    False
    """
    by_server = (
        env.get(_OWN) == "true"
        and not any(name in env for name in _FLAGS[1:])
        # where this is set, it alone makes the server trace: `make dev` leaves it empty
        and (bool(env[_PLANE]) if _PLANE in env else any(env.get(name) for name in _KEYS))
    )
    return not by_server or _OWN in before


def _before(folder: Path) -> dict[str, str]:
    """The environment this process was started with, as far as its system tells, and what langgraph.json adds."""
    found: dict[str, str] = {}
    with suppress(OSError):
        parts = Path("/proc/self/environ").read_bytes().decode(errors="replace").split("\0")
        found |= {name: value for name, _, value in (part.partition("=") for part in parts)}
    with suppress(OSError, ValueError, AttributeError):
        env = json.loads(read_text(folder / "langgraph.json")).get("env")
        if isinstance(env, Mapping):
            return found | {str(name): str(value) for name, value in env.items()}
        from dotenv import dotenv_values

        if isinstance(env, str):
            found |= {name: value or "" for name, value in dotenv_values(folder / env).items()}
    return found
