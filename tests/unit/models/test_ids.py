"""What a model id is, and what is said about one that is none."""

import pytest

from cupel.errors import SettingError
from cupel.models.ids import PROVIDERS, ModelId


@pytest.mark.parametrize(
    ("text", "provider", "name"),
    [
        pytest.param("openai:gpt-4o-mini", "openai", "gpt-4o-mini", id="plain"),
        pytest.param("groq:openai/gpt-oss-20b", "groq", "openai/gpt-oss-20b", id="a slash in the name"),
        pytest.param("openrouter:a/b:free", "openrouter", "a/b:free", id="a colon in the name"),
        pytest.param("  local:llama3.2:3b ", "local", "llama3.2:3b", id="spaces around"),
    ],
)
def test_an_id_is_a_provider_and_a_name(text, provider, name):
    """Only the first colon divides; an id is written back as it was read."""
    parsed = ModelId.parse(text)

    assert (parsed.provider, parsed.name) == (provider, name)
    assert str(parsed) == text.strip()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("opneai:gpt-4o", "did you mean 'openai:gpt-4o'", id="misspelt provider"),
        pytest.param("OpenAI:gpt-4o", "did you mean 'openai:gpt-4o'", id="capitals"),
        pytest.param("openai/gpt-4o", "did you mean 'openai:gpt-4o'", id="slash for the colon"),
        pytest.param("gpt-4o", "did you mean 'openai:gpt-4o'", id="a name we know the provider of"),
        pytest.param("llama3", "write `provider:model`", id="a bare name"),
        pytest.param("anthropic:claude", "unknown provider 'anthropic'", id="a provider we do not have"),
        pytest.param("groq:", "names no model; write it like 'groq:openai/gpt-oss-20b'", id="no name"),
        pytest.param("", "has no provider", id="nothing"),
    ],
)
def test_a_wrong_id_says_what_is_valid(text, said):
    """The message quotes the id, and offers the near miss or an example."""
    with pytest.raises(SettingError, match="model") as error:
        ModelId.parse(text)

    assert said in str(error.value)
    assert repr(text) in str(error.value)


def test_an_unknown_provider_lists_them_all():
    """Nobody has to look up what there is."""
    with pytest.raises(SettingError) as error:
        ModelId.parse("mystery:x")

    assert all(provider in str(error.value) for provider in PROVIDERS)
