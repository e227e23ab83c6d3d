"""Whatever a provider sends, a message or an error of ours comes out."""

import json

import pytest
from hypothesis import given, settings, strategies as st

from cupel.models.completion import completion_of
from cupel.models.errors import ProviderCallError
from cupel.models.replies import Reply, to_message

WORDS = [
    "choices", "message", "content", "error", "usage", "prompt_tokens", "completion_tokens", "logprobs", "code",
    "prompt_tokens_details", "cached_tokens", "finish_reason", "refusal", "model", "text", "logprob",
]  # fmt: skip
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.just("json_validate_failed"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=20,
)


def read(content, status=200):
    return to_message(Reply(status, {}, content), model="openai:x")


@settings(max_examples=300, deadline=None)
@given(VALUES, st.sampled_from([200, 400, 429, 500]))
def test_no_body_escapes_as_another_error(body, status):
    """A provider's mistake must not look like ours."""
    try:
        message = read(json.dumps(body).encode(), status)
    except ProviderCallError as error:
        assert error.model == "openai:x"  # noqa: PT017  # either end is right
    else:
        answer = completion_of(message, [{"role": "user", "content": "x"}], {}, 0.0)
        assert isinstance(answer.text, str)
        assert answer.input_tokens >= answer.cached_tokens >= 0


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[" * 100_000, b"[]", b"null", b'{"choices": [', b"<html>"]
)
def test_half_a_json_is_no_answer(content):
    """It may be asked again."""
    with pytest.raises(ConnectionError, match="no JSON object"):
        read(content)


@pytest.mark.parametrize(
    ("code", "status"), [(429, 429), ("429", 502), (200, 502), (None, 502), ("rate_limited", 502)]
)
def test_an_error_behind_status_200_keeps_its_own_code(code, status):
    """Where it has none that is a status, it is the gateway's failure."""
    with pytest.raises(ProviderCallError) as error:
        read(json.dumps({"error": {"message": "no", "code": code}}).encode())

    assert error.value.status_code == status


def test_what_the_provider_behind_openrouter_said_is_passed_on():
    """OpenRouter's own message is "Provider returned error"."""
    error = {
        "message": "Provider returned error",
        "code": 429,
        "metadata": {"raw": "m is rate-limited upstream"},
    }

    with pytest.raises(ProviderCallError, match="Provider returned error: m is rate-limited upstream"):
        read(json.dumps({"error": error}).encode())


def test_a_long_error_is_shortened_but_kept():
    """The message fits a line; the body has it all, for reading limits out of it."""
    with pytest.raises(ProviderCallError) as error:
        read(json.dumps({"error": {"message": "x" * 5000}}).encode(), 400)

    assert len(str(error.value)) < 400
    assert len(error.value.body["message"]) == 5000


def test_cached_tokens_are_read():
    """They are paid less for."""
    usage = {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 64}}
    body = {"choices": [{"message": {"content": "x"}}], "usage": usage}

    answer = completion_of(read(json.dumps(body).encode()), [], {}, 0.0)

    assert (answer.input_tokens, answer.cached_tokens, answer.output_tokens) == (100, 64, 5)
