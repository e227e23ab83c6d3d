"""Language models by id: who they are, what they can do and cost, and one call to them."""

from cupel.models.capabilities import Capabilities, capabilities
from cupel.models.completion import CallSettings, Completion, complete
from cupel.models.factory import aclose_models, attach_model, detach_model, open_model
from cupel.models.failures import ProviderCallError, ProviderConnectionError, ProviderTimeoutError
from cupel.models.ids import PROVIDERS, ModelId
from cupel.models.prices import Price, cost, estimate_tokens, price
from cupel.models.profiles import TierModels, check_models, resolve_models

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
    "TierModels",
    "aclose_models",
    "attach_model",
    "capabilities",
    "check_models",
    "complete",
    "cost",
    "detach_model",
    "estimate_tokens",
    "open_model",
    "price",
    "resolve_models",
]
