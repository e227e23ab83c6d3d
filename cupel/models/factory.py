"""Model ids to LangChain chat models, opened once for each setting."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from cupel.errors import SettingError
from cupel.models.capabilities import capabilities
from cupel.models.endpoints import SITES, Endpoint, endpoint
from cupel.models.ids import ModelId

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel

_attached: dict[str, BaseChatModel] = {}


def open_model(
    model_id: str,
    *,
    timeout_s: float = 120.0,
    max_output_tokens: int = 4096,
    temperature: float = 0.0,
    logprobs: bool = False,
) -> BaseChatModel:
    """The chat model for an id, with the address and key the environment names now.

    The same settings give the same object, in every event loop: connections belong to the loop a call is
    made in, not to the model.

    Args:
        model_id: `provider:model`.
        timeout_s: For one call, from the connection to the last byte.
        max_output_tokens: Longest reply.
        temperature: Left out for models that refuse one.
        logprobs: Ask for token log-probabilities, where the model has them.

    Raises:
        SettingError: For an unknown provider, a missing key or address, or nothing attached under a
            `scripted:` id.
    """
    if model_id in _attached:
        return _attached[model_id]
    parsed = ModelId.parse(model_id)
    if parsed.provider in SITES:
        return _chat(
            parsed,
            endpoint(parsed, os.environ),
            os.environ.get("CUPEL_CAPABILITIES", ""),
            timeout_s=timeout_s,
            max_output_tokens=max_output_tokens,
            temperature=temperature,
            logprobs=logprobs,
        )
    return _here(parsed, max_output_tokens)


def attach_model(model_id: str, model: BaseChatModel) -> None:
    """Answer for `model_id` with any LangChain chat model of one's own, until `detach_model`."""
    _attached[str(ModelId.parse(model_id))] = model


def detach_model(model_id: str) -> None:
    """Undo `attach_model`."""
    _attached.pop(str(ModelId.parse(model_id)), None)


def is_attached(model_id: str) -> bool:
    """Whether `attach_model` was called for this id."""
    return model_id in _attached


async def aclose_models() -> None:
    """Close the connections of the current event loop; models stay usable and connect anew."""
    from cupel.models.transport import close_sessions

    await close_sessions()


@functools.lru_cache(maxsize=128)
def _chat(
    model: ModelId,
    where: Endpoint,
    overrides: str,
    *,
    timeout_s: float,
    max_output_tokens: int,
    temperature: float,
    logprobs: bool,
) -> BaseChatModel:
    from cupel.models.chat import ChatCompletions

    return ChatCompletions.open(
        where,
        capabilities(str(model), {"CUPEL_CAPABILITIES": overrides}),
        provider=model.provider,
        model=model.name,
        temperature=temperature,
        max_output_tokens=max_output_tokens,
        timeout_s=timeout_s,
        logprobs=logprobs,
    )


def _here(model: ModelId, max_output_tokens: int) -> BaseChatModel:
    """A model that needs no provider."""
    if model.provider == "offline":
        return _offline(model)
    if model.provider == "recorded":
        from cupel.models.recorded import RecordedModel

        return RecordedModel(recording=model.name, max_output_tokens=max_output_tokens)
    raise SettingError(
        f"{model}: no such scripted model; name it in `with cupel.testing.scripted({{...}})`"
        + (f" (there are {', '.join(sorted(_attached))})" if _attached else "")
    )


@functools.cache
def _offline(model: ModelId) -> BaseChatModel:
    if model.name != "baseline":
        raise SettingError(f"{model}: the only offline model is offline:baseline")
    from cupel.models.offline import OfflineBaseline

    return OfflineBaseline()
