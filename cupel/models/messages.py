"""Messages as LangChain's objects and as dictionaries."""

from __future__ import annotations

import functools
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

_ROLES = {"system": "system", "human": "user", "ai": "assistant", "developer": "developer"}


def to_wire(message: BaseMessage) -> dict[str, Any]:
    """A LangChain message as `{"role": …, "content": …}`.

    Raises:
        TypeError: For a tool's message, which is not part of this.
    """
    role = getattr(message, "role", None) or _ROLES.get(message.type)
    if role is None:
        raise TypeError(
            f"a {message.type!r} message cannot be sent; use {', '.join(sorted(_ROLES.values()))}"
        )
    return {"role": role, "content": message.content}


def to_langchain(message: dict[str, str]) -> BaseMessage:
    """`{"role": …, "content": …}` as a LangChain message.

    Raises:
        ValueError: For another role than system, user or assistant.
    """
    role, content = message["role"], message["content"]
    if role == "user":
        return HumanMessage(content)
    if role == "system":
        return _system(content)
    if role == "assistant":
        return AIMessage(content)
    raise ValueError(f"a message's role is system, user or assistant, not {role!r}")


@functools.lru_cache(maxsize=64)
def _system(content: str) -> SystemMessage:
    """The contract and the rules, the same object for every document."""
    return SystemMessage(content)
