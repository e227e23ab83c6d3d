"""One call over real HTTP: what is sent, and what becomes of every kind of answer."""

import asyncio
import sys

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage

from cupel import redaction
from cupel.errors import ModelError, SettingError
from cupel.models import connections as transport
from cupel.models.completion import complete, completion_of
from cupel.models.errors import ProviderCallError, ProviderConnectionError, ProviderTimeoutError
from cupel.models.factory import aclose_models, open_model
from cupel.models.settings import CallSettings
from cupel.testing.models import scripted
from cupel.testing.replies import RawReply

MESSAGES = [
    {"role": "system", "content": "Extract as JSON."},
    {"role": "user", "content": '<document id="1">It rains. It pours.</document>'},
]
SCHEMA = {
    "type": "object",
    "properties": {"quote": {"type": "string"}},
    "required": ["quote"],
    "additionalProperties": False,
}
RECORD = '{"quote": "It rains."}'
HTTP_MODELS = ["openai:gpt-4o-mini", "groq:openai/gpt-oss-20b", "openrouter:openai/gpt-oss-20b", "local:any"]


async def ask(model="openai:gpt-4o-mini", **settings):
    return await complete(model, MESSAGES, schema=SCHEMA, settings=CallSettings(**settings))


@pytest.mark.parametrize("model", HTTP_MODELS)
async def test_every_provider_answers_with_text_and_usage(serve, model):
    """Each is asked at its own path, in its own spelling of the limit, with the schema as it was given."""
    provider = serve()

    answer = await ask(model, max_output_tokens=77)

    (body,) = provider.requests
    assert answer.text == RECORD
    assert answer.finish_reason == "stop"
    assert (answer.input_tokens, answer.output_tokens) == (16, 6)
    assert body["model"] == model.partition(":")[2]
    assert answer.latency_s > 0
    assert 77 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert body["temperature"] == 0
    assert body["messages"] == MESSAGES
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA


async def test_the_key_travels_in_the_header_and_nowhere_else(serve, monkeypatch):
    """Neither the object nor its trace shows it."""
    provider = serve()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    await ask()

    model = open_model("openai:gpt-4o-mini")
    assert provider.sent_headers[0]["authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in f"{model!r} {model.model_dump()} {model._serialized} {vars(model)}"


async def test_a_model_without_schemas_gets_json_mode(serve):
    """Its prompt states the schema, so the request does not."""
    provider = serve(lambda body: {"quote": "It rains."})

    await ask("groq:qwen/qwen3.8-27b")

    assert provider.requests[0]["response_format"] == {"type": "json_object"}


async def test_json_mode_is_left_out_where_no_message_says_json(serve):
    """The provider would refuse it."""
    provider = serve(lambda body: "x")

    await complete("groq:some/other", [{"role": "user", "content": "hello"}], schema=SCHEMA)

    assert "response_format" not in provider.requests[0]


async def test_free_text_has_no_response_format(serve):
    """Only a schema asks for one."""
    provider = serve(lambda body: "hello")

    answer = await complete("openai:gpt-4o-mini", [{"role": "user", "content": "hi"}])

    assert answer.text == "hello"
    assert "response_format" not in provider.requests[0]


@pytest.mark.parametrize(
    ("model", "sent"),
    [("openai:gpt-4o-mini", True), ("groq:openai/gpt-oss-20b", False), ("openai:o3", False)],
)
async def test_logprobs_are_asked_for_only_where_they_exist(serve, model, sent):
    """Groq answers 400 to the mere question."""
    provider = serve()

    answer = await ask(model, logprobs=True)

    assert ("logprobs" in provider.requests[0]) is sent
    assert (answer.logprobs is not None) is sent
    if answer.logprobs is not None:
        assert len(answer.logprobs) == answer.output_tokens
        assert set(answer.logprobs) == {-0.1}


async def test_reasoning_models_get_no_temperature(serve):
    """They would answer 400 to it."""
    provider = serve()

    await ask("openai:o3", temperature=0.7)

    assert "temperature" not in provider.requests[0]


async def test_text_of_any_script_and_broken_text_travel(serve):
    """A lone surrogate cannot be UTF-8, and no store takes a NUL: each is replaced, not fatal."""
    provider = serve(lambda body: body["messages"][0]["content"])

    answer = await complete("openai:x", [{"role": "user", "content": "Ευρώπη \U0001f600 \ud800 \x00"}])

    assert provider.requests[0]["messages"][0]["content"] == "Ευρώπη \U0001f600 ? \x00"
    assert answer.text == "Ευρώπη \U0001f600 ? �"


async def test_limit_headers_reach_the_caller(serve):
    """They come in lower case, and only those anyone reads."""
    serve(requests_per_minute=30, tokens_per_minute=6000)

    headers = (await ask("groq:openai/gpt-oss-20b")).headers

    assert headers["x-ratelimit-limit-requests"] == "30"
    assert headers["x-ratelimit-remaining-requests"] == "29"
    assert headers["x-ratelimit-limit-tokens"] == "6000"
    assert "content-type" not in headers


@pytest.mark.parametrize(
    ("fault", "text", "finish_reason"),
    [
        ("truncated_json", RECORD[: len(RECORD) // 2], "length"),
        ("invalid_json", RECORD.replace('"', "'") + ",", "stop"),
        ("fenced_json", f"```json\n{RECORD}\n```", "stop"),
        ("empty_choices", "", "no_choices"),
        ("null_content", "", "stop"),
        ("content_filter", "", "content_filter"),
        ("refusal", "", "stop"),
        ("json_validate_failed", '{"cut": ', "json_validate_failed"),
    ],
)
async def test_a_poor_answer_is_returned_as_it_is(serve, fault, text, finish_reason):
    """It was paid for; what to do with it is decided elsewhere."""
    serve(faults={fault: 1.0})

    answer = await ask("groq:openai/gpt-oss-20b")

    assert (answer.text, answer.finish_reason) == (text, finish_reason)
    assert answer.refusal == ("I cannot help with that." if fault == "refusal" else None)


@pytest.mark.parametrize("fault", ["no_usage", "json_validate_failed"])
async def test_missing_usage_is_estimated(serve, fault):
    """Paid tokens are never counted as none."""
    serve(faults={fault: 1.0})

    answer = await ask()

    assert answer.input_tokens > 16
    assert answer.output_tokens > 0


async def test_content_in_parts_is_joined(serve):
    """Some servers send a list."""
    parts = [{"type": "text", "text": "It "}, {"type": "text", "text": "rains."}]
    body = {"choices": [{"message": {"content": parts}, "finish_reason": "stop"}], "usage": None}
    serve(lambda request: RawReply(body=body))

    assert (await ask()).text == "It rains."


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("http_400", 400, "invalid_request_error"),
        ("http_401", 401, "invalid_api_key"),
        ("http_404", 404, "model_not_found"),
        ("http_413", 413, "request_too_large"),
        ("http_429", 429, "rate_limit_exceeded"),
        ("http_500", 500, "server_error"),
        ("http_503", 503, "service_unavailable"),
        ("error_in_200", 502, "502"),
    ],
)
async def test_no_answer_raises_with_the_status(serve, fault, status, code):
    """A reply that is no answer raises, also where OpenRouter hides it behind status 200."""
    serve(faults={fault: 1.0})

    with pytest.raises(ProviderCallError) as error:
        await ask("openrouter:a/b")

    assert (error.value.status_code, error.value.status, error.value.body["code"]) == (status, status, code)
    assert error.value.model == "openrouter:a/b"
    assert str(error.value).startswith(f"openrouter:a/b: {status}: ")
    assert isinstance(error.value, ModelError)


async def test_an_error_inside_a_choice_is_one_too(serve):
    """OpenRouter puts a failure during generation there."""
    body = {"choices": [{"error": {"code": 429, "message": "upstream limit"}, "finish_reason": "error"}]}
    serve(lambda request: RawReply(body=body))

    with pytest.raises(ProviderCallError, match="upstream limit") as error:
        await ask()

    assert error.value.status_code == 429


async def test_a_429_brings_its_headers(serve):
    """How long to wait is in them."""
    serve(faults={"http_429": 1.0})

    with pytest.raises(ProviderCallError) as error:
        await ask()

    assert float(error.value.headers["retry-after"]) == 0.05


async def test_an_error_never_repeats_the_key(serve, monkeypatch):
    """Some providers quote the key back, and no error text of ours has it."""
    serve(lambda request: RawReply(body={"error": {"message": "bad key sk-secret"}}, status=401))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    with pytest.raises(ProviderCallError) as error:
        await ask()

    assert "sk-secret" not in str(error.value) + str(error.value.body)


@pytest.mark.parametrize("fault", ["close", "truncated_body", "html"])
async def test_a_broken_reply_is_a_connection_error(serve, fault):
    """Whoever retries sees a built-in class, and the next call works."""
    serve(fail_first={fault: 1})

    with pytest.raises(ConnectionError) as error:
        await ask()

    assert isinstance(error.value, ProviderConnectionError)
    assert (await ask()).text == RECORD


async def test_nobody_listening_is_a_connection_error(serve, monkeypatch):
    """The message has the address."""
    serve()
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")

    with pytest.raises(ProviderConnectionError, match=r"127\.0\.0\.1:9"):
        await ask()


async def test_a_hung_call_is_cut(serve):
    """A call that hangs is cut after `timeout_s`, not later."""
    serve(faults={"hang": 1.0})

    with pytest.raises(TimeoutError, match=r"no answer within 0\.2 s") as error:
        await asyncio.wait_for(ask(timeout_s=0.2), timeout=5)

    assert isinstance(error.value, ProviderTimeoutError)


def test_loops_may_follow_one_another(serve):
    """A client shared between loops loses every second batch; nothing is left open either."""
    provider = serve()

    async def batch():
        return await asyncio.gather(*(ask() for _ in range(5)))

    answers = [asyncio.run(batch()) for _ in range(4)]

    assert all(answer.text == RECORD for batch in answers for answer in batch)
    assert provider.counts.requests == 20
    assert not transport._sessions


async def test_connections_are_reopened_after_closing(serve):
    """Closing is for the end of a run, but not the end of the models."""
    serve()
    await ask()
    await aclose_models()
    await aclose_models()

    assert (await ask()).text == RECORD


async def test_many_calls_are_in_flight_together(serve):
    """No connection limit hides below the limiter."""
    provider = serve(together=150)

    await asyncio.gather(*(ask() for _ in range(150)))

    assert provider.counts.max_in_flight == 150


async def test_the_same_settings_open_the_same_model(serve):
    """Building one takes time; another address or limit is another model."""
    serve()

    first = open_model("openai:gpt-4o-mini", CallSettings(timeout_s=5))

    assert open_model("openai:gpt-4o-mini", CallSettings(timeout_s=5)) is first
    assert open_model("openai:gpt-4o-mini", CallSettings(timeout_s=6)) is not first


async def test_callbacks_hear_of_the_call(serve):
    """The tracing seam is LangChain's own: start and end, with usage, inside a config's tags."""
    serve()
    heard = []

    class Listener(AsyncCallbackHandler):
        async def on_chat_model_start(self, serialized, messages, *, tags, metadata, **kwargs):
            heard.append((messages[0][1].content, tags, metadata["ls_provider"], metadata["ls_model_name"]))

        async def on_llm_end(self, response, **kwargs):
            heard.append(response.generations[0][0].message.usage_metadata["input_tokens"])

    await complete(
        "groq:openai/gpt-oss-20b",
        MESSAGES,
        schema=SCHEMA,
        config={"callbacks": [Listener()], "tags": ["cheap"]},
    )

    assert heard == [(MESSAGES[1]["content"], ["cheap"], "groq", "openai/gpt-oss-20b"), 16]


async def test_callbacks_hear_of_a_failure(serve):
    """A failed call is in the trace as one."""
    serve(faults={"http_500": 1.0})
    heard = []

    class Listener(AsyncCallbackHandler):
        async def on_llm_error(self, error, **kwargs):
            heard.append(error.status_code)

    with pytest.raises(ProviderCallError):
        await complete("openai:x", MESSAGES, config={"callbacks": [Listener()]})

    assert heard == [500]


async def test_a_synchronous_caller_gets_the_same_answer(serve):
    """`invoke` works, also beside a running loop."""
    serve()

    message = await asyncio.to_thread(open_model("openai:x").invoke, "It rains. It pours.")

    assert message.content == "It rains. It pours."


async def test_a_missing_key_names_the_variable(monkeypatch):
    """Nothing is sent."""
    with pytest.raises(SettingError, match="OPENAI_API_KEY is not set"):
        await ask()


async def test_an_unknown_role_is_refused(serve):
    """Tool messages are not part of this."""
    serve()

    with pytest.raises(ValueError, match="'tool'"):
        await complete("openai:x", [{"role": "tool", "content": "x"}])


async def test_a_scripted_id_without_a_script_says_how(serve):
    """It lists the ones there are."""
    with scripted({"scripted:other": "x"}), pytest.raises(SettingError, match="scripted:other"):
        await ask("scripted:cheap")


def test_importing_the_package_is_cheap():
    """Start-up has a budget: the heavy libraries come with the first call."""
    import subprocess

    code = (
        "import sys, cupel.models\n"
        "heavy = {'langchain_core', 'openai', 'groq', 'aiohttp', 'genai_prices', 'httpx'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("key", "seen"), [("", "abc"), ("sk-abcdef123456789abcdef", "")])
def test_the_tokens_of_a_reply_are_kept_without_their_text_where_it_holds_a_secret(key, seen, monkeypatch):
    """A secret may lie across several tokens; their worth and their alternatives stay."""
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    redaction.remember_secrets({"OPENAI_API_KEY": key})
    other = {"token": "x", "logprob": -3.0}
    shown = {"content": [{"token": "abc", "logprob": -0.5, "top_logprobs": [other, "odd"]}, {"token": "no"}]}
    message = AIMessage(content=f"abc {key}", response_metadata={"logprobs": shown})
    answer = completion_of(message, [{"role": "user", "content": "q"}], {}, 0.1)

    assert answer.tokens == [(seen, -0.5, [("x" if seen else "", -3.0)])]
    assert answer.logprobs == [-0.5]
