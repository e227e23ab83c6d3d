"""Language models by id: who they are, what they can do and cost, and one call to them."""

from typing import TYPE_CHECKING

from cupel._late import late
from cupel.models.capabilities import capabilities, is_stated, is_unproven
from cupel.models.completion import Completion, Token, complete, open_connection
from cupel.models.endpoints import SITES
from cupel.models.errors import ProviderCallError, ReplyCutOffError
from cupel.models.factory import (
    aclose_models,
    asked_of,
    attach_model,
    detach_model,
    name_at_address,
    place_of,
)
from cupel.models.families import eligible, family, same_family
from cupel.models.gguf import EngineSettings
from cupel.models.idle import settle_settings
from cupel.models.ids import ModelId
from cupel.models.prices import cost, estimate_tokens, price
from cupel.models.profiles import (
    OFFLINE,
    ROLES,
    TierModels,
    check_model,
    check_models,
    is_offline,
    resolve_models,
    usable_profiles,
)
from cupel.models.recordings import set_recordings_folder
from cupel.models.settings import CallSettings

if TYPE_CHECKING:
    from cupel.models.batch_api import BATCH_SHARE, MAX_BYTES, MAX_REQUESTS, BatchApi, BatchState
    from cupel.models.batch_lines import request_body, request_line, result_key, result_of, takes_batches
    from cupel.models.gguf import Engine, count_tokens, open_engine, speeds
    from cupel.models.messages import to_wire
    from cupel.models.probe import Findings, probe_endpoint
else:
    __getattr__ = late(__name__)
