"""Which failures are tried again, which end the document and which the run."""

from __future__ import annotations

import asyncio
import json

import pytest

from cupel.errors import (
    BadRequestError,
    CircuitOpenError,
    ProviderLimitError,
    ProviderOutageError,
    ProviderRefusedError,
)
from cupel.limits.classify import classify, is_transient, translate


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 529])
def test_these_statuses_are_tried_again(failure, status):
    """The provider may answer the same request a little later."""
    assert is_transient(failure("no", status))


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_these_statuses_end_the_run(failure, status):
    """Key, credit or model are wrong: every further call would fail too."""
    error = failure("no", status)

    assert classify(error) == "refused"
    assert isinstance(translate(error, model="openai:m"), ProviderRefusedError)


@pytest.mark.parametrize("status", [400, 405, 413, 415, 422])
def test_these_statuses_end_the_document(failure, status):
    """This request will never be answered; others will."""
    error = failure("no", status)

    assert classify(error) == "bad_request"
    assert isinstance(translate(error, model="openai:m"), BadRequestError)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Rate limit reached on requests per minute (RPM): Limit 30, Used 30, Requested 1", "transient"),
        ("Rate limit reached on requests per day (RPD): Limit 1000, Used 1000, Requested 1", "limit"),
        ("Rate limit exceeded: free-models-per-day", "limit"),
        ("Request too large on tokens per min (TPM): Limit 6000, Requested 9000", "bad_request"),
    ],
)
def test_a_429_means_what_its_text_says(failure, text, kind):
    """A minute passes, a day ends the run, and what is larger than the limit never fits."""
    assert classify(failure(text, 429)) == kind


def test_spent_credit_is_a_limit_though_it_comes_as_a_429(failure):
    """After OpenAI's insufficient_quota trying again is useless."""
    error = failure("You exceeded your current quota", 429, code="insufficient_quota")

    assert classify(error) == "limit"
    assert isinstance(translate(error, model="openai:m"), ProviderLimitError)


def test_a_limit_says_when_it_opens_wherever_the_provider_wrote_it(failure):
    """The time is read from a header as well as from the text."""
    error = translate(failure("free-models-per-day", 429, {"retry-after": "3600"}), model="openrouter:m")

    assert error.resets_in_s == 3_600


def test_a_moderated_document_does_not_end_the_run(failure):
    """OpenRouter's 403 for flagged input is about this document alone."""
    error = failure("Your chosen model requires moderation and your input was flagged", 403)

    assert classify(error) == "bad_request"


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionResetError(),
        BrokenPipeError(),
        json.JSONDecodeError("x", "<html>", 0),
    ],
    ids=lambda e: type(e).__name__,
)
def test_broken_connections_and_bodies_are_tried_again(error):
    """Python's own, and a body that is not JSON."""
    assert is_transient(error)


def test_the_errors_of_the_clients_in_use_are_recognised_without_importing_them():
    """openai, groq, httpx and aiohttp, by the names among their bases."""
    import aiohttp
    import groq
    import httpx
    import openai

    request = httpx.Request("POST", "http://127.0.0.1")
    errors = [
        openai.APITimeoutError(request=request),
        openai.APIConnectionError(request=request),
        groq.APITimeoutError(request=request),
        groq.APIConnectionError(request=request),
        httpx.ConnectTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError("half"),
    ]

    assert [type(e).__name__ for e in errors if not is_transient(e)] == []


def test_real_status_errors_of_openai_are_recognised():
    """A 400 and a 429 as the openai client raises them."""
    import httpx
    import openai

    def reply(status):
        return httpx.Response(
            status, request=httpx.Request("POST", "http://127.0.0.1"), headers={"retry-after": "3"}
        )

    bad = openai.BadRequestError("too long", response=reply(400), body={"message": "too long"})
    slow = openai.RateLimitError("slow down", response=reply(429), body={"message": "slow down"})

    assert (classify(bad), classify(slow)) == ("bad_request", "transient")


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("y"), asyncio.CancelledError()], ids=repr)
def test_a_bug_is_not_a_failure_of_a_provider(error):
    """It is neither retried nor disguised."""
    assert classify(error) is None
    assert translate(error, model="openai:m") is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ProviderLimitError("day"), "limit"),
        (ProviderRefusedError("key"), "refused"),
        (BadRequestError("long"), "bad_request"),
        (ProviderOutageError("down"), "transient"),
        (CircuitOpenError("down"), None),
    ],
    ids=lambda v: getattr(type(v), "__name__", ""),
)
def test_our_own_errors_keep_their_meaning(error, kind):
    """What was translated once is not translated again."""
    assert classify(error) == kind
    assert translate(error, model="openai:m") is error


def test_a_translated_error_says_what_to_do_and_is_short(failure):
    """The model leads, the provider's words follow on one line, the remedy ends."""
    error = translate(failure("Invalid\nAPI Key " + "x" * 900, 401), model="groq:m")

    assert str(error).startswith("groq:m: 401: Invalid API Key")
    assert str(error).endswith("(check the key and what it may use)")
    assert len(str(error)) < 400
