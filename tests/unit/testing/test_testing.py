"""The scripted models and the scripted provider that other tests stand on."""

import asyncio
import json
import urllib.error
import urllib.request

import jsonschema
import pytest

from cupel.errors import SettingError
from cupel.models.completion import complete
from cupel.models.errors import ProviderCallError
from cupel.testing.faults import FAULTS, STATUSES
from cupel.testing.filling import fill
from cupel.testing.models import ScriptExhaustedError, reply, scripted
from cupel.testing.provider import ScriptedProvider

BROKEN = ("close", "html", "error_in_200", "truncated_body")
MESSAGES = [{"role": "user", "content": "<document>One. Two.</document>"}]
SCHEMA = {
    "type": "object",
    "properties": {"quote": {"type": "string"}},
    "required": ["quote"],
    "additionalProperties": False,
}


def post(provider, body, key="sk-scripted"):
    request = urllib.request.Request(
        f"{provider.url}/v1/chat/completions",
        data=json.dumps({"model": "m", "messages": MESSAGES, **body}).encode(),
        headers={"authorization": f"Bearer {key}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.load(response), dict(response.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), dict(error.headers)


async def test_replies_come_in_order_and_requests_are_kept():
    """Texts, records and errors may stand in one list."""
    with scripted({"scripted:a": ["hello", {"x": 1}, TimeoutError("slow")]}) as models:
        first = await complete("scripted:a", MESSAGES)
        second = await complete("scripted:a", MESSAGES, schema={"type": "object"})
        with pytest.raises(TimeoutError, match="slow"):
            await complete("scripted:a", MESSAGES)

    asked = models["scripted:a"].requests
    assert (first.text, second.text) == ("hello", '{"x": 1}')
    assert [request.schema for request in asked] == [None, {"type": "object"}, None]
    assert asked[0].messages == MESSAGES


async def test_a_script_that_runs_out_says_what_was_asked():
    """It fails the test; it is no provider's failure that a run would swallow."""
    with scripted({"scripted:a": ["once"]}):
        await complete("scripted:a", MESSAGES)
        with pytest.raises(ScriptExhaustedError, match=r"asked 2 times but has 1 replies.*Two"):
            await complete("scripted:a", MESSAGES)


async def test_one_reply_answers_for_ever():
    """A single text or record needs no list."""
    with scripted({"scripted:a": {"ok": True}}) as models:
        answers = [(await complete("scripted:a", MESSAGES)).text for _ in range(3)]

    assert answers == ['{"ok": true}'] * 3
    assert len(models["scripted:a"].requests) == 3


async def test_a_function_answers_by_what_it_is_asked():
    """It may be asynchronous, which holds other calls up no more than a provider would."""

    async def answer(messages, schema):
        await asyncio.sleep(0.01)
        return {"n": len(messages), "has_schema": schema is not None}

    with scripted({"scripted:a": answer}):
        text = (await complete("scripted:a", MESSAGES, schema=SCHEMA)).text

    assert text == '{"n": 1, "has_schema": true}'


async def test_a_reply_may_carry_usage_logprobs_and_a_refusal():
    """Everything a provider can return."""
    said = reply(
        "x", finish_reason="length", refusal="no", logprobs=[-0.5, -1], input_tokens=9, cached_tokens=4
    )

    with scripted({"scripted:a": said}):
        answer = await complete("scripted:a", MESSAGES)

    assert (answer.finish_reason, answer.refusal, answer.logprobs) == ("length", "no", [-0.5, -1.0])
    assert (answer.input_tokens, answer.cached_tokens, answer.output_tokens) == (9, 4, 1)


async def test_any_id_can_be_taken_over_and_is_given_back():
    """Inside the block nothing is sent; after it the id means what it meant."""
    with scripted({"openai:gpt-4o": "scripted"}):
        assert (await complete("openai:gpt-4o", MESSAGES)).text == "scripted"

    with scripted({}), pytest.raises(SettingError):
        await complete("scripted:a", MESSAGES)


def test_a_filled_record_fits_its_schema():
    """It fits whatever the schema is made of, and quotes are in the document."""
    schema = {
        "type": "object",
        "properties": {
            "stance": {"enum": ["support", "against"]},
            "claims": {"type": "array", "items": {"$ref": "#/$defs/claim"}},
            "note": {"type": ["string", "null"]},
            "score": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "sure": {"type": "boolean"},
            "kind": {"const": "x"},
            "nothing": {"type": "null"},
        },
        "required": ["stance", "claims", "note", "score", "sure", "kind", "nothing"],
        "additionalProperties": False,
        "$defs": {
            "claim": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "text": {"type": "string", "x-grounded": True}},
                "required": ["id", "text"],
                "additionalProperties": False,
            }
        },
    }

    record = fill(schema, "It rains. It pours.")

    jsonschema.validate(record, schema)
    assert record["claims"][0]["text"] == "It rains."
    assert fill({"type": "string", "x-grounded": True}, "no end") == "no end"


def test_the_provider_answers_by_schema_or_by_script():
    """Without a script the reply is any valid record; with one it is what the script says."""
    asked = {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}}
    with ScriptedProvider() as provider:
        _, data, _ = post(provider, asked)
    assert json.loads(data["choices"][0]["message"]["content"]) == {"quote": "One."}

    with ScriptedProvider(lambda body: f"to {body['model']}") as provider:
        _, data, _ = post(provider, {})
    assert data["choices"][0]["message"]["content"] == "to m"


def test_the_provider_counts_what_it_would_charge():
    """A repeat is a body answered before; `user` and `seed` do not make it another."""
    with ScriptedProvider(fail_first={"http_503": 1}) as provider:
        statuses = [post(provider, body)[0] for body in ({}, {}, {"user": "u"}, {"temperature": 1})]

    counts = provider.counts
    assert statuses == [503, 200, 200, 503]
    assert (counts.requests, counts.billed, counts.billed_repeats) == (4, 2, 1)
    assert counts.by_status == {503: 2, 200: 2}
    assert counts.by_model == {"m": 2}
    assert counts.by_fault == {"http_503": 2}
    assert counts.max_in_flight == 1


def test_a_request_limit_allows_a_burst_and_then_paces():
    """A 429 says when; it is not billed."""
    with ScriptedProvider(requests_per_minute=2, minute_s=0.4) as provider:
        statuses = [post(provider, {})[0] for _ in range(3)]
        _, error, headers = post(provider, {})
        wait = float(headers["retry-after"])
        import time

        time.sleep(wait)
        after = post(provider, {})[0]

    assert statuses == [200, 200, 429]
    assert error["error"]["code"] == "rate_limit_exceeded"
    assert 0 < wait <= 0.2
    assert after == 200
    assert provider.counts.billed == 3


def test_a_token_limit_counts_the_longest_reply():
    """It counts the prompt and `max_tokens`, as providers do."""
    with ScriptedProvider(tokens_per_minute=1000) as provider:
        first, _, headers = post(provider, {"max_tokens": 900})
        second, _, _ = post(provider, {"max_tokens": 900})

    assert (first, second) == (200, 429)
    assert int(headers["x-ratelimit-remaining-tokens"]) < 100


def test_only_the_right_key_is_let_in():
    """Where a key is set, a wrong one is answered with 401."""
    with ScriptedProvider(key="sk-right") as provider:
        assert post(provider, {}, key="sk-wrong")[0] == 401
        assert post(provider, {}, key="sk-right")[0] == 200


def test_the_same_requests_fail_in_every_run():
    """They fail in any order, and about as many as asked for; another seed hits others."""

    def failed(order, seed=0):
        with ScriptedProvider(faults={"http_500": 0.5}, seed=seed) as provider:
            return {n for n in order if post(provider, {"n_th": n})[0] == 500}

    forward = failed(range(30))

    assert failed(reversed(range(30))) == forward
    assert failed(range(30), seed=1) != forward
    assert 5 < len(forward) < 25


def test_a_misspelt_fault_is_refused():
    """It would silently never happen."""
    with pytest.raises(SettingError, match="http_500"):
        ScriptedProvider(faults={"http_5oo": 1.0})


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"hang"}))
async def test_every_fault_ends_in_an_answer_or_an_error_of_ours(fault, monkeypatch):
    """None escapes as something a caller does not expect."""
    with ScriptedProvider(faults={fault: 1.0}) as provider:
        for name, value in provider.environment().items():
            monkeypatch.setenv(name, value)
        try:
            ended = await complete("openai:gpt-4o-mini", MESSAGES, schema=SCHEMA)
        except ProviderCallError as error:
            ended = error

    assert isinstance(ended, ProviderCallError) == (fault in (*STATUSES, *BROKEN))
    assert provider.counts.by_fault == {fault: 1}


def test_a_provider_can_be_left_while_a_call_hangs():
    """A test that fails must not hang too."""
    provider = ScriptedProvider(faults={"hang": 1.0})
    with provider:
        request = urllib.request.Request(
            f"{provider.url}/v1/chat/completions", data=json.dumps({"messages": MESSAGES}).encode()
        )
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(request, timeout=0.2)

    assert provider.counts.billed == 0
