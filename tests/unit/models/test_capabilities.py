"""What each model can do on the wire."""

import pytest

from cupel.errors import SettingError
from cupel.models.capabilities import capabilities


@pytest.mark.parametrize(
    ("model", "structured"),
    [
        ("groq:openai/gpt-oss-20b", "json_schema"),
        ("groq:openai/gpt-oss-120b", "json_schema"),
        ("groq:openai/gpt-oss-safeguard-20b", "json_object"),
        ("groq:qwen/qwen3.8-27b", "json_object"),
        ("openai:gpt-4o-mini", "json_schema"),
        ("openai:gpt-3.5-turbo", "json_object"),
        ("openai:gpt-4-turbo", "json_object"),
        ("openrouter:any/thing", "json_schema"),
        ("local:any", "json_schema"),
        ("offline:baseline", "json_schema"),
        ("recorded:demo-strong", "json_schema"),
    ],
)
def test_a_strict_schema_is_sent_only_where_the_model_keeps_to_it(model, structured):
    """On Groq only the gpt-oss models take a strict schema."""
    assert capabilities(model, {}).structured == structured


@pytest.mark.parametrize(
    ("model", "temperature", "logprobs"),
    [
        pytest.param("openai:gpt-4o-mini", True, True, id="a chat model"),
        pytest.param("openai:o3", False, False, id="an o-model"),
        pytest.param("openai:gpt-5-mini", False, False, id="reasons always"),
        pytest.param("openai:gpt-6.1-sol", False, False, id="a later one"),
        pytest.param("openai:gpt-5.4-nano-2026-03-17", True, True, id="reasons when told to"),
        pytest.param("openai:gpt-5.4-pro", False, False, id="its larger sibling reasons always"),
        pytest.param("groq:openai/gpt-oss-20b", True, False, id="Groq refuses logprobs"),
        pytest.param("openrouter:openai/gpt-6-sol", False, False, id="the same model elsewhere"),
        pytest.param("openrouter:openai/gpt-oss-20b", True, False, id="open weights take a temperature"),
    ],
)
def test_reasoning_models_are_sent_no_temperature(model, temperature, logprobs):
    """What a model refuses is not sent, as the refusal would fail every call."""
    can = capabilities(model, {})

    assert (can.temperature, can.logprobs) == (temperature, logprobs)


def test_a_local_server_is_told_the_limit_in_both_spellings():
    """Some know only `max_tokens`, some only the new name, and without it they run on."""
    assert set(capabilities("local:any", {}).max_tokens_names) == {"max_tokens", "max_completion_tokens"}


def test_the_user_has_the_last_word():
    """A pattern covers many models; later entries win."""
    env = {"CUPEL_CAPABILITIES": "local:*=json_object+logprobs; local:small=text"}

    assert capabilities("local:big", env).structured == "json_object"
    assert capabilities("local:big", env).logprobs
    assert capabilities("local:small", env).structured == "text"
    assert capabilities("openai:gpt-4o", env) == capabilities("openai:gpt-4o", {})


def test_reasoning_effort_can_be_set_beside_what_a_provider_always_needs():
    """Further fields are merged, not replaced."""
    extra = capabilities("openrouter:a/b", {"CUPEL_CAPABILITIES": "openrouter:*=effort-low"}).extra

    assert extra == {"provider": {"require_parameters": True}, "reasoning_effort": "low"}


@pytest.mark.parametrize("text", ["local:*=json", "json_schema", "local:*="])
def test_an_override_that_means_nothing_is_refused(text):
    """The message lists the words there are."""
    with pytest.raises(SettingError, match="json_schema, json_object, text, logprobs"):
        capabilities("local:x", {"CUPEL_CAPABILITIES": text})
