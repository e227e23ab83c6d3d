"""The lines of a batch: a request as JSON, and what a line of the results says of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from cupel.models.batch_api import BATCH_PROVIDERS, CUT_OFF
from cupel.models.capabilities import capabilities
from cupel.models.completion import Completion, Message, completion_of, response_format
from cupel.models.endpoints import endpoint
from cupel.models.errors import ProviderCallError, ReplyCutOffError
from cupel.models.factory import is_attached
from cupel.models.ids import ModelId
from cupel.models.settings import CallSettings

PATH = "/v1/chat/completions"
_OK = 200


def takes_batches(model_id: str) -> bool:
    """Whether this model's provider has a batch API; nothing attached in its place has.

    >>> takes_batches("openai:gpt-4o-mini"), takes_batches("offline:baseline")
    (True, False)
    """
    return ModelId.parse(model_id).provider in BATCH_PROVIDERS and not is_attached(model_id)


def request_body(
    model_id: str,
    messages: Sequence[Message],
    *,
    schema: dict[str, Any] | None,
    schema_name: str,
    settings: CallSettings,
    env: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """The body of the very request `complete` would send.

    Args:
        model_id: `provider:model`.
        messages: The conversation.
        schema: JSON Schema of the reply as it is sent; None for free text.
        schema_name: What the provider shows the schema as.
        settings: Temperature, limits, log-probabilities.
        env: Where the provider's address and key are.
    """
    from cupel.models.http import Terms

    model = ModelId.parse(model_id)
    terms = Terms.of(model.provider, model.name, endpoint(model, env), capabilities(model_id, env), settings)
    bound = {} if schema is None else response_format(model_id, messages, schema, schema_name)
    return {"model": model.name, **terms.fixed, **bound, "messages": list(messages)}


def request_line(key: str, body: str) -> str:
    """One line of an upload; `body` is JSON already.

    >>> request_line("k", "{}")
    '{"custom_id": "k", "method": "POST", "url": "/v1/chat/completions", "body": {}}'
    """
    return f'{{"custom_id": {json.dumps(key)}, "method": "POST", "url": "{PATH}", "body": {body}}}'


def result_key(line: Mapping[str, Any]) -> str | None:
    """The request a line of the results is about; None where it does not say."""
    key = line.get("custom_id")
    return key if isinstance(key, str) else None


def result_of(
    line: Mapping[str, Any], body: Mapping[str, Any], *, model: str, latency_s: float
) -> Completion:
    """The completion a line of the results holds.

    Args:
        line: One object of the output or error file.
        body: The request's body, to estimate tokens by where the provider sent no usage.
        model: Named in errors.
        latency_s: From the submission to the download.

    Raises:
        ReplyCutOffError: The line was longer than any reply may be.
        ProviderCallError: The line holds an error; 503 where it says no status, as for an expired job.
    """
    from cupel.models.http import TOO_LARGE
    from cupel.models.replies import Reply, to_message

    if line.get(CUT_OFF):
        raise ReplyCutOffError(TOO_LARGE, model=model)
    response = line.get("response")
    if not isinstance(response, dict) or line.get("error"):
        error = line.get("error")
        problem = error.get("message") if isinstance(error, dict) else None
        raise ProviderCallError(str(problem or "the line has no response"), model=model, status=503)
    status = response.get("status_code")
    content = json.dumps(response.get("body")).encode()
    reply = Reply(status if isinstance(status, int) else _OK, {}, content)
    message = to_message(reply, model=model)
    bound = {"response_format": body["response_format"]} if "response_format" in body else {}
    return completion_of(message, body["messages"], bound, latency_s)
