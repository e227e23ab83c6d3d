"""Through LangChain's own classes and the providers' SDKs, without what they add or stumble over."""

import asyncio
import threading

import pytest
from langchain_groq import ChatGroq
from langchain_openai import ChatOpenAI

from cupel.models import Completion, ProviderCallError, complete, open_model
from cupel.models.transport import proxy_for
from cupel.testing import RawReply

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
    """Text, usage and cached tokens, none of it estimated."""
    usage = USAGE | {"prompt_tokens_details": {"cached_tokens": 4}}
    serve(lambda request: RawReply(body={"choices": [CHOICE], "model": "x", "usage": usage}))

    answer = await complete(model, HELLO)

    assert (answer.text, answer.input_tokens, answer.cached_tokens, answer.output_tokens) == ("hi", 9, 4, 2)
    assert not answer.usage_estimated


@pytest.mark.parametrize("model", MODELS)
async def test_an_argument_of_one_call_has_precedence(serve, model):
    """The object stays usable as LangChain's documentation says."""
    provider = serve(lambda body: "x")

    await open_model(model, temperature=0.5).ainvoke("hello", temperature=1.0, seed=3)

    assert (provider.requests[0]["temperature"], provider.requests[0]["seed"]) == (1.0, 3)


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

    await complete("openrouter:x", HELLO)
    await complete("openai:told", HELLO)

    assert "ours" not in str(provider.sent_headers[0])
    assert provider.sent_headers[1]["openai-organization"] == "org-ours"


@pytest.mark.parametrize("model", MODELS)
async def test_a_proxy_of_the_environment_is_used(serve, monkeypatch, model):
    """For any address but the loopback's; here the provider itself plays the proxy."""
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
