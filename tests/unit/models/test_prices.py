"""What calls cost."""

import pytest

from cupel.errors import SettingError
from cupel.models.completion import Completion
from cupel.models.prices import Price, cost, estimate_tokens, price
from cupel.models.profiles import _PROFILES


def completion(input_tokens, cached_tokens, output_tokens, **more):
    return Completion(
        text="", input_tokens=input_tokens, cached_tokens=cached_tokens, output_tokens=output_tokens, **more
    )


@pytest.mark.parametrize("model", sorted({m for roles in _PROFILES.values() for m in roles.values()}))
def test_every_model_of_a_profile_has_a_price(model):
    """A spending cap refuses a model of unknown price, so a default may not be one."""
    assert price(model, {}) is not None


def test_a_price_is_per_token_with_cached_tokens_apart():
    """Groq's gpt-oss-20b is listed at 0.075 and 0.30 dollars a million, cached prompts at half."""
    known = price("groq:openai/gpt-oss-20b", {})

    assert known is not None
    assert known.input == pytest.approx(0.075e-6)
    assert known.output == pytest.approx(0.30e-6)
    assert known.cached_input == pytest.approx(0.0375e-6)


def test_without_a_cached_price_the_cache_saves_nothing():
    """A cost is told rather too high than too low."""
    known = price("openai:mine", {"CUPEL_PRICES": "openai:mine=1/2"})

    assert known == Price(input=1e-6, cached_input=1e-6, output=2e-6)


def test_a_token_written_to_a_cache_is_dearer_than_a_fresh_one():
    """By the list, by one's own price, and a quarter dearer where nobody says; what is only for keeping it comes on top."""
    env = {"CUPEL_PRICES": "openai:a=1/2/0.1/1.5, openai:b=1/2"}
    models = (
        "openrouter:anthropic/claude-sonnet-4.5",
        "openai:a",
        "openai:b",
        "openrouter:google/gemini-2.5-pro",
    )
    writing = completion(1000, 0, 0, cache_write_tokens=800)

    assert [price(model, env).written * 1e6 for model in models] == pytest.approx([3.75, 1.5, 1.25, 1.625])
    assert cost(price("openai:a", env), writing) == pytest.approx((200 * 1 + 800 * 1.5) / 1e6)


def test_a_dated_price_is_the_one_that_holds_now():
    """OpenRouter's prices change by date; whichever holds, it is a price."""
    known = price("openrouter:openai/gpt-oss-120b", {})

    assert known is not None
    assert 0 < known.input < known.output


@pytest.mark.parametrize(
    "model",
    ["offline:baseline", "recorded:demo", "local:llama", "scripted:x", "openrouter:openai/gpt-oss-20b:free"],
)
def test_what_runs_here_is_free(model):
    """So is a model its provider gives away."""
    assert price(model, {}) == Price(0.0, 0.0, 0.0)


def test_an_unknown_price_is_none_and_costs_nobody_knows_what():
    """None is not zero."""
    assert price("openai:cheap", {}) is None
    assert cost(None, completion(10, 0, 10)) is None


def test_ones_own_price_wins():
    """There may be several entries, and names may hold colons and slashes."""
    env = {"CUPEL_PRICES": "openai:gpt-4o=9/9, openrouter:a/b:free=0.05/0.40/0.025,local:big=1/1"}

    assert price("openai:gpt-4o", env) == Price(pytest.approx(9e-6), pytest.approx(9e-6), pytest.approx(9e-6))
    assert price("openrouter:a/b:free", env).cached_input == pytest.approx(0.025e-6)
    assert price("local:big", env).output == pytest.approx(1e-6)


@pytest.mark.parametrize(
    "text",
    ["openai:x", "openai:x=1", "openai:x=1/2/3/4/5", "openai:x=a/b", "openai:x=-1/2", "openai:x=nan/2"],
)
def test_a_price_that_cannot_be_read_is_refused(text):
    """The message shows the form."""
    with pytest.raises(SettingError, match="INPUT/OUTPUT"):
        price("openai:x", {"CUPEL_PRICES": text})


def test_the_cost_counts_cached_tokens_once():
    """For 1,000 prompt tokens, 400 of them cached, it is 600 x 2 + 400 x 1 + 50 x 10 = 2,100 millionths."""
    assert cost(Price(2e-6, 1e-6, 10e-6), completion(1000, 400, 50)) == pytest.approx(0.0021)


@pytest.mark.parametrize(
    ("text", "json", "tokens"),
    [("", False, 0), ("abcd", False, 1), ("abcde", False, 2), ("Ελλάδα", False, 3), ('{"a": 1}', True, 3)],
)
def test_tokens_are_estimated_from_bytes(text, json, tokens):
    """Greek letters are two bytes each; JSON has fewer bytes a token."""
    assert estimate_tokens(text, json=json) == tokens


def test_a_lone_surrogate_has_a_size_too():
    """Broken text from a broken file must not stop an estimate."""
    assert estimate_tokens("\ud800abc") == 1
