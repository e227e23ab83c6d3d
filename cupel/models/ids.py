"""Model ids: `provider:model`, the form of LangChain's `init_chat_model`."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from typing import Literal, get_args

from cupel.errors import SettingError

Provider = Literal["groq", "openai", "openrouter", "local", "gguf", "offline", "recorded", "scripted"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)

EXAMPLES: dict[str, str] = {
    "groq": "groq:openai/gpt-oss-20b",
    "openai": "openai:gpt-4o-mini",
    "openrouter": "openrouter:openai/gpt-oss-20b",
    "local": "local:NAME-ON-YOUR-SERVER",
    "gguf": "gguf:/path/to/model.gguf",
    "offline": "offline:baseline",
    "recorded": "recorded:NAME",
    "scripted": "scripted:NAME",
}


@dataclass(frozen=True, slots=True)
class ModelId:
    """A provider and the name it knows the model by; the name may hold `:` and `/`."""

    provider: Provider
    name: str

    @classmethod
    def parse(cls, text: str) -> ModelId:
        """Read an id such as `groq:openai/gpt-oss-20b`.

        Raises:
            SettingError: For no provider, an unknown one, or no name; it lists the valid providers.

        >>> ModelId.parse("openrouter:openai/gpt-oss-20b:free")
        ModelId(provider='openrouter', name='openai/gpt-oss-20b:free')
        """
        return _parse(text)

    def __str__(self) -> str:
        return f"{self.provider}:{self.name}"


@functools.lru_cache(maxsize=256)
def _parse(text: str) -> ModelId:
    provider, colon, name = text.strip().partition(":")
    for valid in PROVIDERS:
        if provider == valid and name:
            return ModelId(valid, name)
    raise SettingError(_complaint(text, provider, name, has_colon=bool(colon)))


def _complaint(text: str, provider: str, name: str, *, has_colon: bool) -> str:
    valid = ", ".join(PROVIDERS)
    if provider in PROVIDERS:
        return f"model {text!r} names no model; write it like {EXAMPLES[provider]!r}"
    guess = _guess(text, provider, name, has_colon=has_colon)
    hint = f"; did you mean {guess!r}?" if guess else ""
    if not has_colon:
        return f"model {text!r} has no provider{hint or ': write `provider:model`'} (providers: {valid})"
    return f"model {text!r} has the unknown provider {provider!r}{hint} (providers: {valid})"


def _guess(text: str, provider: str, name: str, *, has_colon: bool) -> str | None:
    if not has_colon:
        first, slash, rest = text.partition("/")
        if slash and first in PROVIDERS:
            return f"{first}:{rest}"
        return f"openai:{text}" if text.startswith(("gpt-", "o1", "o3", "o4")) else None
    near = difflib.get_close_matches(provider.lower(), PROVIDERS, n=1, cutoff=0.6)
    return f"{near[0]}:{name or EXAMPLES[near[0]].partition(':')[2]}" if near else None
