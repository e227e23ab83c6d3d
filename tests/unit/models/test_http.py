"""Through LangChain's own classes, without what they and the providers' SDKs add or stumble over."""

import asyncio
import gzip
import threading

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, get_usage_metadata_callback
from langchain_groq import ChatGroq
from langchain_openai import ChatOpenAI

from cupel.limits.classify import classify
from cupel.models.completion import Completion, complete
from cupel.models.connections import proxy_for
from cupel.models.errors import ProviderCallError, ReplyCutOffError
from cupel.models.factory import open_model
from cupel.models.settings import CallSettings
from cupel.testing.provider import ScriptedProvider
from cupel.testing.replies import RawReply

MODELS = ["openai:x", "groq:x"]
HELLO = [{"role": "user", "content": "hello"}]
CHOICE = {"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


@pytest.mark.parametrize(
    ("model", "kind"),
    [("openai:x", ChatOpenAI), ("openrouter:x", ChatOpenAI), ("local:x", ChatOpenAI), ("groq:x", ChatGroq)],
)
async def test_the_model_is_langchains_own(serve, model, kind):
    """Whoever knows the class finds it."""
    serve()

    assert isinstance(open_model(model), kind)


@pytest.mark.parametrize("model", MODELS)
async def test_only_what_is_meant_is_sent(serve, model):
    """No default, null or header of a library's own choice changes what is asked."""
    provider = serve()

    await complete(model, HELLO)

    (body,) = provider.requests
    assert set(body) == {"model", "messages", "stream", "temperature", "max_completion_tokens"}
    assert body["stream"] is False


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(None, id="null"),
        pytest.param([], id="list"),
        pytest.param("text", id="string"),
        pytest.param({}, id="nothing"),
        pytest.param({"choices": None}, id="null choices"),
        pytest.param({"choices": [None]}, id="null choice"),
        pytest.param({"choices": "x"}, id="choices as text"),
        pytest.param({"choices": [{"message": None}]}, id="null message"),
        pytest.param({"choices": [{"message": {"content": 5}}]}, id="number as content"),
        pytest.param({"choices": [CHOICE], "usage": "x"}, id="usage as text"),
        pytest.param({"choices": [CHOICE], "usage": []}, id="usage as list"),
        pytest.param({"choices": [CHOICE], "usage": {"prompt_tokens": "9"}}, id="tokens as text"),
        pytest.param({"choices": [CHOICE], "usage": USAGE | {"prompt_tokens": -9}}, id="negative tokens"),
        pytest.param({"choices": [CHOICE | {"logprobs": [1]}], "usage": USAGE}, id="logprobs as list"),
        pytest.param({"choices": [CHOICE], "model": 5, "usage": USAGE}, id="number as model"),
        pytest.param({"error": "x"}, id="error as text"),
        pytest.param({"error": {"code": {}, "message": []}}, id="error in pieces"),
    ],
)
async def test_whatever_is_sent_an_answer_or_an_error_of_ours_comes_out(serve, model, body):
    """What a library makes of a mistake of the provider's must not end a run as a bug of ours."""
    serve(lambda request: RawReply(body=body))

    try:
        answer = await complete(model, HELLO)
    except ProviderCallError as error:
        assert error.model == model  # noqa: PT017  # either end is right
    else:
        assert isinstance(answer, Completion)
        assert isinstance(answer.text, str)
        assert answer.input_tokens >= answer.cached_tokens >= 0


@pytest.mark.parametrize("model", MODELS)
async def test_a_plain_good_answer_is_read_by_the_library(serve, model):
    """Text, usage and cached tokens are the reply's, and none of it is estimated."""
    usage = USAGE | {"prompt_tokens_details": {"cached_tokens": 4}}
    serve(lambda request: RawReply(body={"choices": [CHOICE], "model": "x", "usage": usage}))

    answer = await complete(model, HELLO)

    assert (answer.text, answer.input_tokens, answer.cached_tokens, answer.output_tokens) == ("hi", 9, 4, 2)


@pytest.mark.parametrize("model", MODELS)
async def test_an_argument_of_one_call_has_precedence(serve, model):
    """The object stays usable as LangChain's documentation says."""
    provider = serve(lambda body: "x")

    await open_model(model, CallSettings(temperature=0.5)).ainvoke("hello", temperature=1.0, seed=3)

    assert (provider.requests[0]["temperature"], provider.requests[0]["seed"]) == (1.0, 3)


@pytest.mark.parametrize("model", MODELS)
async def test_extra_fields_and_headers_of_one_call_are_sent(serve, model):
    """They are spelt as the SDKs spell them."""
    provider = serve(lambda body: "x")

    await open_model(model).ainvoke("hi", extra_body={"top_k": 5}, extra_headers={"X-Title": "ours"})

    assert provider.requests[0]["top_k"] == 5
    assert "extra_body" not in provider.requests[0]
    assert provider.sent_headers[0]["x-title"] == "ours"


class _Listener(AsyncCallbackHandler):
    def __init__(self):
        self.ended = []

    async def on_llm_end(self, response, **kwargs):
        self.ended.append(response)


@pytest.mark.parametrize("model", MODELS)
async def test_a_listener_changes_nothing_of_the_answer(serve, model):
    """Its text, usage and metadata are the same, but for the id the trace gives it."""
    usage = USAGE | {"prompt_tokens_details": {"cached_tokens": 4}}
    answer = {"id": "c-1", "choices": [CHOICE | {"logprobs": None}], "model": "x", "usage": usage}
    serve(lambda request: RawReply(body=answer | {"system_fingerprint": "fp"}, headers={"Date": "today"}))
    listener = _Listener()

    quiet = await open_model(model).ainvoke("hello")
    heard = await open_model(model).ainvoke("hello", {"callbacks": [listener]})

    (told,) = listener.ended
    assert told.generations[0][0].message == heard
    assert quiet.model_dump(exclude={"id"}) == heard.model_dump(exclude={"id"})
    assert {"finish_reason", "model_name", "token_usage", "headers"} <= quiet.response_metadata.keys()


@pytest.mark.parametrize("model", MODELS)
async def test_whoever_listens_anywhere_is_told(serve, model):
    """LangChain has more places for a handler than the config of a call."""
    provider = serve(lambda body: "x")
    listener = _Listener()
    opened = open_model(model)

    with get_usage_metadata_callback() as counted:
        await opened.ainvoke("one")
    await opened.with_config(callbacks=[listener]).ainvoke("two")
    own = opened.model_copy(update={"callbacks": [listener]})
    await own.ainvoke("three")

    assert sum(usage["input_tokens"] for usage in counted.usage_metadata.values()) > 0
    assert len(listener.ended) == 2
    assert provider.counts.requests == 3


@pytest.mark.parametrize("model", MODELS)
async def test_tools_bound_to_the_model_are_called(serve, model):
    """They are LangChain's models still: what the library writes is sent, what it reads comes back."""
    call = {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Brno"}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    body = {"choices": [{"message": message, "finish_reason": "tool_calls"}], "model": "x", "usage": USAGE}
    provider = serve(lambda request: RawReply(body=body))
    schema = {
        "title": "weather",
        "description": "Of today.",
        "type": "object",
        "properties": {"city": {"type": "string"}},
    }

    answer = await open_model(model).bind_tools([schema]).ainvoke("Brno?")

    assert provider.requests[0]["tools"][0]["function"]["name"] == "weather"
    assert [(each["name"], each["args"]) for each in answer.tool_calls] == [("weather", {"city": "Brno"})]


@pytest.mark.parametrize("model", MODELS)
async def test_structured_output_of_the_library_works(serve, model):
    """Its own arguments for the trace are not sent."""
    provider = serve(lambda body: {"quote": "It rains."})
    schema = {
        "title": "Record",
        "description": "One.",
        "type": "object",
        "properties": {"quote": {"type": "string"}},
    }

    structured = open_model(model).with_structured_output(schema, method="json_schema")

    assert await structured.ainvoke("Quote.") == {"quote": "It rains."}
    assert set(provider.requests[0]) <= {
        "model", "messages", "stream", "temperature", "max_completion_tokens", "response_format",
    }  # fmt: skip


async def test_an_error_that_looks_like_an_answer_is_an_error(serve):
    """The status decides."""
    serve(lambda request: RawReply(body={"choices": [CHOICE], "usage": USAGE}, status=503))

    with pytest.raises(ProviderCallError) as error:
        await complete("openai:x", HELLO)

    assert error.value.status_code == 503


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("model", MODELS)
async def test_a_redirect_is_not_followed(serve, model, status):
    """Neither the document nor the key goes elsewhere; the error names the host it pointed to, and ends the run."""
    with ScriptedProvider() as other:
        there = {
            "Location": f"http://me:hidden@{other.url.removeprefix('http://')}/v1/chat/completions?key=x"
        }
        serve(lambda request: RawReply(body={}, status=status, headers=there))

        with pytest.raises(
            ProviderCallError, match=f"redirect to {other.url.removeprefix('http://')}, "
        ) as error:
            await complete(model, HELLO)

    assert other.counts.requests == 0
    assert classify(error.value) == "refused"


async def test_a_local_server_without_a_key_gets_none(serve, monkeypatch):
    """Some take any key but a wrong one."""
    provider = serve(lambda body: "x")
    monkeypatch.delenv("LOCAL_API_KEY", raising=False)

    await complete("local:x", HELLO)

    assert "authorization" not in provider.sent_headers[0]


@pytest.mark.parametrize("model", MODELS)
async def test_a_streaming_caller_gets_the_answer_in_one_piece(serve, model):
    """Studio listens to tokens; a streamed answer would lose usage, headers and the reading of faults."""
    provider = serve(lambda body: "hello there")

    pieces = [piece.content async for piece in open_model(model).astream("hi") if piece.content]

    assert pieces == ["hello there"]
    assert provider.requests[0]["stream"] is False


async def test_the_organisation_is_told_to_openai_only(serve, monkeypatch):
    """The SDK adds it from the environment, whoever is asked."""
    provider = serve(lambda body: "x")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-ours")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-ours")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: ours")

    await complete("openrouter:x", HELLO)
    await complete("openai:told", HELLO)

    assert "ours" not in str(provider.sent_headers[0])
    told = provider.sent_headers[1]
    names = ("openai-organization", "openai-project", "x-team")
    assert [told[name] for name in names] == ["org-ours", "proj-ours", "ours"]
    assert not [name for name in told if name.startswith("x-stainless")]


@pytest.mark.parametrize("model", MODELS)
async def test_a_proxy_of_the_environment_is_used(serve, monkeypatch, model):
    """A proxy is used for any address but the loopback's; here the provider itself plays the proxy."""
    provider = serve(lambda body: "through the proxy")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://models.invalid/v1")
    monkeypatch.setenv("GROQ_BASE_URL", "http://models.invalid")
    monkeypatch.setenv("http_proxy", provider.url)
    proxy_for.cache_clear()

    answer = await complete(model, HELLO)
    proxy_for.cache_clear()

    assert answer.text == "through the proxy"
    assert provider.sent_headers[0]["host"] == "models.invalid"


@pytest.mark.parametrize("model", MODELS)
def test_loops_in_several_threads_share_a_model_and_no_connection(serve, model):
    """A connection of one loop used in another fails or hangs."""
    provider = serve(lambda body: "x", latency_s=0.02)
    texts = []

    def work():
        async def ask():
            return await asyncio.gather(*(complete(model, HELLO) for _ in range(10)))

        texts.extend(answer.text for _ in range(3) for answer in asyncio.run(ask()))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert texts == ["x"] * 90
    assert provider.counts.requests == 90


BOMB = gzip.compress(b" " * 1_000_000) * 200
ENDLESS = {
    "a body without end": (RawReply(body=b" " * 65_536, drip_s=0), "larger than 8 MB"),
    "a packed one": (RawReply(body=BOMB, headers={"Content-Encoding": "gzip"}), "larger than 8 MB"),
    "a body in drips": (RawReply(body=b"x", drip_s=0.05), "still coming after 2 s"),
    "blanks in drips": (RawReply(body=b" ", drip_s=0.05), "still coming after 2 s"),
    "events in drips": (RawReply(body=b"data: {}\n\n", drip_s=0.05), "still coming after 2 s"),
    "more values than can be read": (
        RawReply(body=b"[" + b"[]," * 600_000 + b"[]]"),
        "more than 1,000,000 values",
    ),
}


@pytest.mark.parametrize("model", MODELS)
async def test_a_reply_beyond_any_measure_is_cut_off_as_its_documents_problem(serve, model):
    """In size, in time, packed, in values: asked again it would be paid again."""
    kinds = iter(ENDLESS.values())
    serve(lambda request: ENDLESS[request["messages"][0]["content"]][0])

    async def ask(kind):
        with pytest.raises(ReplyCutOffError) as error:
            await complete(model, [{"role": "user", "content": kind}], settings=CallSettings(timeout_s=2))
        return error.value

    for error, (_, words) in zip(await asyncio.gather(*map(ask, ENDLESS)), kinds, strict=True):
        assert words in str(error)
        assert classify(error) == "bad_request"
        assert error.status_code is None  # what it cost counts as spent


@pytest.mark.parametrize("model", MODELS)
def test_a_synchronous_caller_waits_for_no_endless_reply_either(serve, model):
    """Streaming or not, it is the same way."""
    serve(lambda request: RawReply(body=b" " * 65_536, drip_s=0))

    with pytest.raises(ReplyCutOffError, match="larger than 8 MB"):
        open_model(model).invoke("hello")
    with pytest.raises(ReplyCutOffError, match="larger than 8 MB"):
        list(open_model(model).stream("hello"))


async def test_of_an_endless_error_the_beginning_is_enough(serve):
    """The status says what it means."""
    serve(lambda request: RawReply(body=b"overloaded " * 6_000, status=503, drip_s=0))

    with pytest.raises(ProviderCallError, match="overloaded") as error:
        await complete("openai:x", HELLO)

    assert error.value.status_code == 503
