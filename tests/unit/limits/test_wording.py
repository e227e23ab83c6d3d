"""Whose fault a refused request is, by the words that real providers have for it.

The wordings are those of public reports: of the schema's from OpenAI, Azure, Groq, Mistral, DeepSeek, Cerebras, Fireworks,
Anthropic, Gemini, vLLM, llama.cpp, Ollama, LM Studio, and of OpenRouter and LiteLLM around others.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from cupel.errors import BadRequestError, ProviderOutageError, ProviderRefusedError, SchemaRefusedError
from cupel.limits.classify import classify, translate
from cupel.models.errors import ProviderCallError
from cupel.models.replies import Reply, to_message

OPENAI = "Invalid schema for response_format 'record': In context={}, {}"


def said(message, code=None, kind="invalid_request_error", param=None):
    """An error as OpenAI writes it, and most after it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def openrouter(raw):
    """What OpenRouter makes of the error of a provider behind it."""
    return {
        "error": {
            "message": "Provider returned error",
            "code": 400,
            "metadata": {"raw": json.dumps(raw), "provider_name": "Azure"},
        }
    }


SCHEMAS = {
    "OpenAI, a keyword": (400, said(OPENAI.format("('properties', 'claims', 'items', 'properties', 'quote')", "'minLength' is not permitted."), param="response_format"), "claims.quote"),
    "OpenAI, the root": (400, said(OPENAI.format("()", "'additionalProperties' is required to be supplied and to be false."), param="response_format"), ""),
    "OpenAI, required": (400, said(OPENAI.format("('properties', 'organizations', 'items')", "'required' is required to be supplied and to be an array including every key in properties. Missing 'roles'.")), "organizations"),
    "OpenAI, by its code": (400, said("The request was refused.", code="invalid_json_schema", param="text.format.schema"), ""),
    "OpenAI, an old model": (400, said("Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."), ""),
    "OpenRouter around Azure": (400, openrouter(said(OPENAI.format("('properties', 'etymology')", "'additionalProperties' is required to be supplied and to be false."))), "etymology"),
    "LiteLLM around Azure": (400, said("litellm.BadRequestError: litellm.ContentPolicyViolationError: AzureException - " + OPENAI.format("()", "'additionalProperties' is required to be supplied and to be false.") + " model=gpt-4.1-mini. content_policy_fallback=None."), ""),
    "Groq, a keyword": (400, said("invalid schema for response format: response_format/json_schema/next_step: minItems is not supported"), "next_step"),
    "Groq, another model": (400, said("'response_format.type' : value is not one of the allowed values ['text','json_object']"), ""),
    "Groq, no schema at all": (400, said("schema is not valid JSON Schema: jsonschema file:///home/di/params.json compilation failed: '/properties/headers/items/properties/key/required' does not validate"), "headers.key"),
    "Mistral": (400, {"object": "error", "message": "Grammar error: at 3(11): failed to compile JSON schema", "type": "invalid_request_grammar", "code": "3052"}, ""),
    "Mistral, by its validation": (422, {"detail": [{"type": "missing", "loc": ["body", "response_format", "json_schema", "name"], "msg": "Field required"}]}, ""),
    "DeepSeek": (400, said("This response_format type is unavailable now", code="invalid_request_error"), ""),
    "DeepSeek, older": (422, "Failed to deserialize the JSON body into the target type: response_format: response_format.type `json_schema` is unavailable now at line 1 column 12440", ""),
    "Cerebras": (400, {"message": "Unsupported JSON schema fields: {'minItems', 'items'}", "type": "invalid_request_error", "param": "response_format", "code": "wrong_api_format"}, ""),
    "Fireworks": (400, {"error": {"type": "invalid_request_error", "message": "JSON Schema not supported: could not understand the instance `{'required': ['criteria']}`."}}, ""),
    "Anthropic": (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"}}, ""),
    "Gemini, in a list": (400, [{"error": {"code": 400, "message": "Invalid JSON payload received. Unknown name \"additionalProperties\" at 'generation_config.response_schema.properties[6].value.items': Cannot find field.", "status": "INVALID_ARGUMENT"}}], ""),
    "Gemini, too complex": (400, said("The specified schema produces a constraint that has too many states for serving."), ""),
    "vLLM": (400, {"object": "error", "message": "The provided JSON schema contains features not supported by xgrammar.", "type": "BadRequestError", "param": None, "code": 400}, ""),
    "vLLM, as its own failure": (500, {"error": {"message": 'Grammar error: Unimplemented keys: ["propertyNames"]', "type": "InternalServerError", "code": 500}}, ""),
    "llama.cpp": (400, {"error": {"code": 400, "message": "Failed to initialize samplers: failed to parse grammar", "type": "invalid_request_error"}}, ""),
    "llama.cpp, converting": (500, {"error": {"code": 500, "message": 'JSON schema conversion failed:\nUnrecognized schema: {"type":"tuple"}', "type": "server_error"}}, ""),
    "Ollama": (500, {"error": "invalid JSON schema in format"}, ""),
    "LM Studio": (400, {"error": "'response_format.type' must be 'json_schema' or 'text'"}, ""),
}  # fmt: skip

DOCUMENTS = {
    "OpenAI, too long": (400, said("This model's maximum context length is 128000 tokens. However, you requested 254457 tokens.", code="context_length_exceeded", param="messages")),
    "OpenAI, a long string": (400, said("Invalid 'messages[1].content': string too long. Expected a string with maximum length 10485760.", code="string_above_max_length")),
    "OpenAI, flagged": (400, said("Invalid prompt: your prompt was flagged as potentially violating our usage policy.", code="invalid_prompt")),
    "Azure, filtered": (400, {"error": {"message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.", "type": None, "param": "prompt", "code": "content_filter"}}),
    "Groq, too long": (400, said("Please reduce the length of the messages or completion.", code="context_length_exceeded", param="messages")),
    "Groq, too large": (413, said("Request too large for model `openai/gpt-oss-20b` on tokens per minute (TPM): Limit 8000, Requested 12101", code="rate_limit_exceeded")),
    "Anthropic, too long": (400, said("prompt is too long: 202609 tokens > 200000 maximum")),
    "llama.cpp, too long": (400, {"error": {"code": 400, "message": "the request exceeds the available context size. try increasing the context size or enable context shift", "type": "exceed_context_size_error"}}),
    "vLLM, too long": (400, {"object": "error", "message": "The prompt (total length 25938) is too long to fit into the model (context length 4096). Make sure that `max_model_len` is no smaller", "type": "BadRequestError", "code": 400}),
    "Qwen, inspected": (400, said("Input data may contain inappropriate content.", code="data_inspection_failed")),
    "OpenRouter, moderated": (403, said('Your chosen model requires moderation and your input was flagged for "violence"')),
}  # fmt: skip

RUNS = {
    "Gemini, the key": (400, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}]),
    "xAI, the key": (400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: sk***ed. You can obtain an API key from https://console.x.ai."}),
    "OpenAI, the key": (401, said("Incorrect API key provided", code="invalid_api_key")),
    "OpenRouter, the model": (400, {"error": {"message": "deepseek-chat is not a valid model ID", "code": 400}}),
    "Mistral, the model": (400, {"object": "error", "message": "Invalid model: mistral-foo", "type": "invalid_model", "code": "1500"}),
    "DeepSeek, the model": (400, said("Model Not Exist")),
    "Groq, an old model": (400, said("The model `llama-3.2-1b-preview` has been decommissioned and is no longer supported.", code="model_decommissioned")),
    "vLLM, the model": (404, {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404}),
    "Anthropic, the credit": (400, said("Your credit balance is too low to access the Anthropic API.")),
    "DeepSeek, the credit": (402, said("Insufficient Balance")),
}  # fmt: skip


def refusal(status, body):
    """The error a chat model raises for this answer."""
    content = body if isinstance(body, str) else json.dumps(body)
    with pytest.raises(ProviderCallError) as caught:
        to_message(Reply(status, {}, content.encode()), model="openai:m")
    return caught.value


@pytest.mark.parametrize(("status", "body", "field"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_refused_schema_is_recognised_and_its_field_named(status, body, field):
    """Whatever status it comes with, and whatever a gateway writes around it."""
    error = translate(refusal(status, body), model="openai:m")

    assert isinstance(error, SchemaRefusedError)
    assert error.where == field


@pytest.mark.parametrize(("status", "body"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_what_is_one_documents_stays_the_rows(status, body):
    """Too long, or filtered: others will be answered."""
    error = translate(refusal(status, body), model="openai:m")

    assert isinstance(error, BadRequestError)
    assert not isinstance(error, SchemaRefusedError)
    assert error.of_document


@pytest.mark.parametrize(("status", "body"), RUNS.values(), ids=RUNS)
def test_a_refused_key_or_model_is_the_runs_with_whatever_status(status, body):
    """Every further call would be refused alike."""
    assert isinstance(translate(refusal(status, body), model="openai:m"), ProviderRefusedError)


def test_a_router_without_anybody_who_takes_a_schema_says_what_to_mend():
    """OpenRouter's 404 is not about the model's name."""
    body = said("No endpoints found that can handle the requested parameters.")
    error = translate(refusal(404, body), model="openrouter:m")

    assert 'CUPEL_CAPABILITIES="openrouter:m=json_object"' in str(error)


@given(st.sampled_from([500, 502, 503, 529]), st.text(st.characters(codec="ascii"), max_size=60))
def test_a_failing_server_is_tried_again_whatever_it_says_but_of_grammars(status, text):
    """An outage is not taken for a refusal."""
    error = refusal(status, said(f"overloaded: {text}"))

    assert classify(error) == "transient" or "grammar" in text.lower() or "schema" in text.lower()
    assert isinstance(translate(error, model="m"), ProviderOutageError) or classify(error) != "transient"
