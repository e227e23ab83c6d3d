"""Whatever a provider sends, a message or an error of ours comes out."""

import json

import pytest
from hypothesis import given, settings, strategies as st

from cupel.limits.classify import is_transient
from cupel.models.completion import completion_of
from cupel.models.errors import ProviderCallError
from cupel.models.replies import Reply, billed_usd, to_message, usage_of

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


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"null", b'{"choices": [', b"<html>"])
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


RECORD = '{"party": "Blue"}'


@pytest.mark.parametrize(
    ("message", "text"),
    [
        pytest.param({"content": RECORD}, RECORD, id="content"),
        pytest.param({"content": [{"type": "text", "text": RECORD}]}, RECORD, id="parts"),
        pytest.param(
            {"content": [{"type": "thinking", "text": "{x}"}, {"type": "text", "text": RECORD}]}, RECORD, id="a thought as a part"
        ),
        pytest.param({"content": None, "tool_calls": [{"function": {"arguments": RECORD}}]}, RECORD, id="a tool call"),
        pytest.param(
            {"content": "", "tool_calls": [{"function": {"arguments": {"party": "Blue"}}}]}, RECORD, id="a tool call, parsed"
        ),
        pytest.param({"content": None, "function_call": {"arguments": RECORD}}, RECORD, id="a function call"),
        pytest.param({"content": None, "reasoning": RECORD}, RECORD, id="reasoning, content null"),
        pytest.param({"content": "  ", "reasoning_content": RECORD}, RECORD, id="reasoning_content, content blank"),
        pytest.param({"content": RECORD, "reasoning": "{y}"}, RECORD, id="content goes before reasoning"),
        pytest.param({"content": {"party": "Blue"}}, RECORD, id="the record itself"),
        pytest.param({"content": [RECORD[:5], RECORD[5:]]}, RECORD, id="parts that are texts"),
        pytest.param({"content": {"type": "text", "text": RECORD}}, RECORD, id="one part"),
        pytest.param(
            {"content": "I note it.", "tool_calls": [{"function": {"arguments": RECORD}}]}, f"I note it.\n{RECORD}", id="prose and a call"
        ),
        pytest.param({"content": "", "thinking": RECORD}, RECORD, id="what Ollama's models think"),
        pytest.param({"content": None, "tool_calls": [None, {"function": 3}, "x"]}, "", id="nonsense"),
    ],
)  # fmt: skip
def test_what_is_said_is_read_wherever_a_server_puts_it(message, text):
    """A record in another place costs no repair."""
    assert read(json.dumps({"choices": [{"message": message}]}).encode()).content == text


def whole(said, **more):
    """A body with one choice that says this."""
    return {"choices": [{"message": {"content": said}, "finish_reason": "stop"} | more]}


def streamed(*pieces, end="data: [DONE]\n\n"):
    """What a server that streams in any case sends."""
    lines = [f"data: {json.dumps({'choices': [piece]})}\n\n" for piece in pieces]
    return (": PROCESSING\n\n" + "".join(lines) + end).encode()


HALVES = [{"delta": {"content": RECORD[:7]}}, {"delta": {"content": RECORD[7:]}}]


@pytest.mark.parametrize(
    ("body", "text", "ended"),
    [
        pytest.param(json.dumps(whole(RECORD)).encode("utf-8-sig"), RECORD, "stop", id="a byte order mark"),
        pytest.param(json.dumps(whole(RECORD)).encode("utf-16"), RECORD, "stop", id="UTF-16"),
        pytest.param(
            json.dumps(whole('{"party": "Café"}'), ensure_ascii=False).encode("latin-1"),
            '{"party": "Caf�"}', "stop", id="Latin-1",
        ),
        pytest.param(b"\n\n  \n" + json.dumps(whole(RECORD)).encode(), RECORD, "stop", id="blanks to keep the line open"),
        pytest.param(streamed(*HALVES), RECORD, "stop", id="a stream"),
        pytest.param(streamed(*HALVES, {"finish_reason": "length"}), RECORD, "length", id="a stream that says length"),
        pytest.param(streamed(*HALVES, end=""), RECORD, "length", id="a stream without an end"),
        pytest.param(streamed(whole(RECORD)["choices"][0], end=""), RECORD, "stop", id="a stream of one"),
        pytest.param(
            streamed(*({"delta": {"tool_calls": [{"function": {"arguments": half}}]}} for half in (RECORD[:7], RECORD[7:]))),
            RECORD, "stop", id="a stream of a tool's arguments",
        ),
        pytest.param(
            json.dumps({"model": "m", "message": {"role": "assistant", "content": RECORD}, "done_reason": "length"}).encode(),
            RECORD, "length", id="Ollama's own",
        ),
        pytest.param(json.dumps({"choices": [{"text": RECORD}]}).encode(), RECORD, "", id="a completion of text"),
        pytest.param(json.dumps(whole(RECORD, finish_reason="MAX_TOKENS")).encode(), RECORD, "length", id="Gemini's length"),
        pytest.param(json.dumps(whole("", finish_reason="SAFETY")).encode(), "", "content_filter", id="Gemini's filter"),
        pytest.param(json.dumps(whole(RECORD, finish_reason="x" * 9_000)).encode(), RECORD, "x" * 32, id="a reason of its own"),
        pytest.param(json.dumps({"choices": []}).encode(), "", "no_choices", id="no choices"),
        pytest.param(json.dumps({"choices": None}).encode(), "", "no_choices", id="null choices"),
        pytest.param(
            b'{"usage": {"prompt_tokens": ' + b"9" * 5_000 + b"}, " + json.dumps(whole(RECORD)).encode()[1:], RECORD, "stop",
            id="5,000 digits of tokens",
        ),
    ],
)  # fmt: skip
def test_an_answer_is_read_in_whatever_shape_servers_send_it(body, text, ended):
    """A stream nobody asked for, another encoding, another server's own form and words."""
    message = read(body)

    assert (message.content, message.response_metadata["finish_reason"]) == (text, ended)
    assert completion_of(message, [], {}, 0.0).input_tokens == 0


@pytest.mark.parametrize("word", ["error", "insufficient_system_resource", "abort"])
def test_a_reply_the_server_broke_off_is_asked_for_again(word):
    """OpenRouter, DeepSeek and vLLM say so behind status 200."""
    with pytest.raises(ProviderCallError, match=f"broke off: {word}") as caught:
        read(json.dumps(whole("half a rec", finish_reason=word)).encode())

    assert is_transient(caught.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([{"error": {"code": 400, "message": "API key not valid"}}], "API key not valid"),
        ({"object": "error", "message": "The model `x` does not exist"}, "does not exist"),
        ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
        ({"error": "model not loaded"}, "model not loaded"),
    ],
)
def test_an_error_is_told_in_the_servers_words(body, words):
    """Gemini sends a list, vLLM and Mistral forms of their own."""
    with pytest.raises(ProviderCallError, match=words) as caught:
        read(json.dumps(body).encode(), 400)

    assert caught.value.status_code == 400


@pytest.mark.parametrize("depth", [300, 900, 990, 1_020, 10_000, 100_000])
@pytest.mark.parametrize(
    "frame",
    [
        '{"choices": [{"message": {"content": %s}}]}', '{"choices": [{"message": {"tool_calls": [{"function": {"arguments": %s}}]}}]}',
        '{"error": {"message": %s}}', '{"error": %s}', "%s", '{"choices": [{"message": {"refusal": %s}}]}',
    ],
)  # fmt: skip
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_no_depth_of_nesting_escapes_as_another_error(frame, depth, opening, closing):
    """It is the document's problem, wherever in the answer it stands."""
    body = frame % (opening * depth + "1" + closing * depth)
    try:
        completion_of(read(body.encode()), [], {}, 0.0)
    except ProviderCallError as error:
        assert len(str(error)) < 400  # noqa: PT017  # either end is right


@pytest.mark.parametrize("code", ["json_validate_failed", "tool_use_failed", "output_parse_failed"])
@pytest.mark.parametrize("held_back", [RECORD, json.dumps({"name": "json", "arguments": {"party": "Blue"}})])
def test_a_record_groq_held_back_is_used(code, held_back):
    """As text, and as the arguments of a tool nobody offered."""
    body = {"error": {"message": "no", "code": code, "failed_generation": held_back}}

    assert read(json.dumps(body).encode(), 400).content == RECORD


@pytest.mark.parametrize("code", ["tool_use_failed", "output_parse_failed"])
def test_a_reply_held_back_without_a_record_is_asked_for_again(code):
    """It passes by itself: no reason to lose the row."""
    body = {"error": {"message": "no", "code": code, "failed_generation": "analysis"}}
    with pytest.raises(ProviderCallError) as caught:
        read(json.dumps(body).encode(), 400)

    assert is_transient(caught.value)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        pytest.param({"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}, (1000, 100, 0), id="plain"),
        pytest.param({"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 2000}, (1000, 1000, 0), id="reasoning beside"),
        pytest.param(
            {"prompt_tokens": 9, "completion_tokens": 100, "total_tokens": 109, "completion_tokens_details": {"reasoning_tokens": 60}},
            (9, 100, 0), id="reasoning within",
        ),
        pytest.param({"completion_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 60}}, (0, 67, 0), id="more reasoning than reply"),
        pytest.param({"prompt_tokens": 9.0, "completion_tokens": "7"}, (9, 7, 0), id="floats and texts"),
        pytest.param({"input_tokens": 9, "output_tokens": 7}, (9, 7, 0), id="the other names"),
        pytest.param({"prompt_tokens": 9, "completion_tokens": 7, "prompt_cache_hit_tokens": 5}, (9, 7, 5), id="cache hits"),
        pytest.param({"prompt_tokens": 9, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 99}}, (9, 7, 9), id="more cached than asked"),
        pytest.param({"prompt_tokens": 90, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 50}}, (90, 7, 40, 50), id="written, of OpenAI and OpenRouter"),
        pytest.param(
            {"prompt_tokens": 98805, "completion_tokens": 5120, "total_tokens": 103925, "cache_read_input_tokens": 66360, "cache_creation_input_tokens": 32435,
             "prompt_tokens_details": {"cached_tokens": 66360, "cache_creation_tokens": 32435}},
            (98805, 5120, 66360, 32435), id="written, of LiteLLM",
        ),
        pytest.param({"input_tokens": 3, "cache_creation_input_tokens": 12304, "cache_read_input_tokens": 0, "output_tokens": 550}, (12307, 550, 0, 12304), id="beside, of Anthropic"),
        pytest.param({"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 18, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 8}, (13, 5, 8, 2), id="beside, of a gateway"),
        pytest.param({"prompt_tokens": 9, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 6}}, (9, 7, 6, 3), id="more cached and written than asked"),
        pytest.param({"prompt_tokens": "many", "completion_tokens": -7, "total_tokens": True}, (0, 0, 0), id="nonsense"),
        pytest.param({"prompt_tokens": 1e300, "completion_tokens": 10**12, "total_tokens": 7}, (0, 7, 0), id="more than any"),
        pytest.param({"prompt_tokens": float("inf"), "completion_tokens": 1e400}, (0, 0, 0), id="no numbers"),
    ],
)  # fmt: skip
def test_tokens_are_counted_in_every_dialect(usage, tokens):
    """What is billed is booked: prompt, reply, and of the prompt what was read from a cache and written to one."""
    counted = usage_of(usage)
    caching = counted["input_token_details"]

    assert (
        counted["input_tokens"], counted["output_tokens"], caching["cache_read"], caching["cache_creation"],
    ) == (*tokens, 0)[:4]  # fmt: skip


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"cost": 0.0033}, 0.0033),
        ({"cost": 0}, 0.0),
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}, 0.021),
        ({"cost": "0.0033"}, 0.0033),
        ({"cost": {"input_tokens_cost": 0.001, "total_cost": 0.006}}, 0.006),
        ({"cost_in_usd_ticks": 37756000}, 0.0037756),
        ({"estimated_cost": 0.00002}, 0.00002),
        ({"cost": "free"}, None),
        ({"cost": -1}, None),
        ({"cost": float("nan")}, None),
        ({"cost": 1e300}, None),
        ({}, None),
        (None, None),
    ],
)
def test_what_the_provider_says_it_billed_goes_before_the_list_price(usage, usd):
    """OpenRouter, Perplexity, xAI and DeepInfra tell it, each in its way."""
    assert billed_usd(usage) == usd
