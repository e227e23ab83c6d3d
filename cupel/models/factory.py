"""Model ids to LangChain chat models, opened once for each setting."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cupel.errors import SettingError
from cupel.models.capabilities import capabilities, learnt_of
from cupel.models.endpoints import SITES, endpoint, find_other_place
from cupel.models.ids import ModelId
from cupel.models.settings import DEFAULT_SETTINGS, CallSettings

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel

_KEPT = 128
_attached: dict[str, BaseChatModel] = {}
_opened: dict[tuple[object, ...], BaseChatModel] = {}
_opening = threading.Lock()


def open_model(model_id: str, settings: CallSettings = DEFAULT_SETTINGS) -> BaseChatModel:
    """The chat model for an id, with the address and key the environment names now.

    `openai:`, `openrouter:` and `local:` are langchain-openai's ChatOpenAI, `groq:` is langchain-groq's
    ChatGroq. The same settings give the same object, in every event loop: connections belong to the loop
    a call is made in, not to the model.

    Raises:
        SettingError: For an unknown provider, a missing key or address, or nothing attached under a
            `scripted:` id.
    """
    if model_id in _attached:
        return _attached[model_id]
    key = _key(model_id, settings)
    with _opening:
        if key not in _opened:
            if len(_opened) >= _KEPT:
                _opened.clear()
            _opened[key] = _open(ModelId.parse(model_id), settings)
        return _opened[key]


def find_model(model_id: str, settings: CallSettings) -> BaseChatModel | None:
    """What `open_model` would give, if it has been opened before; never blocks.

    Raises:
        SettingError: As `open_model` does for a missing key or address.
    """
    return _attached.get(model_id) or _opened.get(_key(model_id, settings))


def attach_model(model_id: str, model: BaseChatModel) -> None:
    """Answer for `model_id` with any LangChain chat model of one's own, until `detach_model`."""
    _attached[str(ModelId.parse(model_id))] = model


def detach_model(model_id: str) -> None:
    """Undo `attach_model`."""
    _attached.pop(str(ModelId.parse(model_id)), None)


def is_attached(model_id: str) -> bool:
    """Whether `attach_model` was called for this id."""
    return model_id in _attached


def name_at_address(model_id: str, env: Mapping[str, str] = os.environ) -> str:
    """The model with the address it is asked at, where that is not the provider's own: what two models differ by.

    Raises:
        SettingError: For `CUPEL_ENDPOINT_NAME` that cannot be read.
    """
    place = place_of(model_id, env)
    return f"{model_id}@{place}" if place else model_id


def place_of(model_id: str, env: Mapping[str, str] = os.environ) -> str:
    """The name of the address a model is asked at; empty for the provider's own, and for a model that needs none.

    Of a GGUF file it is what tells its weights from others: another file under the same name is another model.

    Raises:
        SettingError: As `name_at_address` does; a GGUF file that is not there, or none.
    """
    if model_id in _attached:
        return ""
    provider, _, name = model_id.partition(":")
    if provider == "gguf":
        from cupel.models.gguf import weights_of

        return weights_of(name, env)
    return find_other_place(provider, env)


def asked_of(model_id: str) -> str:
    """The model, with its address where that is not the provider's own: another address is another model.

    Raises:
        SettingError: As `name_at_address` does.
    """
    place = place_of(model_id)
    return f"{model_id}@{place}" if place else model_id


async def aclose_models() -> None:
    """Close the connections of the current event loop; models stay usable and connect anew."""
    from cupel.models.connections import close_sessions

    await close_sessions()


def _key(model_id: str, settings: CallSettings) -> tuple[object, ...]:
    """All that makes a model another one: its id, the settings, and what the environment says of it."""
    model = ModelId.parse(model_id)
    if model.provider == "gguf":
        from cupel.models.gguf import said

        return model, settings, said(), os.environ.get("CUPEL_CAPABILITIES", "")
    if model.provider not in SITES:
        return model, settings
    return (
        model,
        settings,
        endpoint(model, os.environ),
        os.environ.get("CUPEL_CAPABILITIES", ""),
        learnt_of(str(model)),
    )


def _open(model: ModelId, settings: CallSettings) -> BaseChatModel:
    if model.provider not in SITES:
        return _here(model, settings)
    from cupel.models.http import Terms

    terms = Terms.of(
        model.provider, model.name, endpoint(model, os.environ), capabilities(str(model)), settings
    )
    if model.provider == "groq":
        from cupel.models.groq_chat import GroqChat

        return GroqChat.open(terms)
    from cupel.models.openai_chat import OpenAIChat

    return OpenAIChat.open(terms)


def _here(model: ModelId, settings: CallSettings) -> BaseChatModel:
    """A model that needs no provider."""
    if model.provider == "gguf":
        from cupel.models.gguf import GgufChat, open_engine

        return GgufChat.of(open_engine(model.name), capabilities(str(model)), settings)
    if model.provider == "offline" and model.name == "baseline":
        from cupel.models.offline import OfflineBaseline

        return OfflineBaseline()
    if model.provider == "offline":
        raise SettingError(f"{model}: the only offline model is offline:baseline")
    if model.provider == "recorded":
        from cupel.models.recorded import RecordedModel

        return RecordedModel(recording=model.name, max_output_tokens=settings.max_output_tokens)
    raise SettingError(
        f"{model}: no such scripted model; name it in `with cupel.testing.scripted({{...}})`"
        + (f" (there are {', '.join(sorted(_attached))})" if _attached else "")
    )
