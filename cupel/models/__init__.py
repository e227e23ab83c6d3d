"""Language models by id: who they are, what they can do and cost, and one call to them."""

from cupel.models.capabilities import Capabilities, capabilities
from cupel.models.completion import CallSettings, Completion, complete, opened
from cupel.models.factory import aclose_models, attach_model, detach_model, open_model
from cupel.models.failures import ProviderCallError, ProviderConnectionError, ProviderTimeoutError
from cupel.models.ids import PROVIDERS, ModelId
from cupel.models.prices import Price, cost, estimate_tokens, price
from cupel.models.profiles import TierModels, check_model, check_models, resolve_models
from cupel.models.recordings import Recorder, Recording, request_key, set_recordings_folder

__all__ = [
    "PROVIDERS",
    "CallSettings",
    "Capabilities",
    "Completion",
    "ModelId",
    "Price",
    "ProviderCallError",
    "ProviderConnectionError",
    "ProviderTimeoutError",
    "Recorder",
    "Recording",
    "TierModels",
    "aclose_models",
    "attach_model",
    "capabilities",
    "check_model",
    "check_models",
    "complete",
    "cost",
    "detach_model",
    "estimate_tokens",
    "open_model",
    "opened",
    "price",
    "request_key",
    "resolve_models",
    "set_recordings_folder",
]
