"""Secrets of the environment leave every text, in every encoding; what merely looks like one stays in a document."""

from __future__ import annotations

import base64
import html
import json
import re
import string
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, strategies as st

from cupel import redaction
from cupel.errors import CupelError, TaskError
from cupel.redaction import mask, mask_bytes, mask_values, redact, remember_secrets

PRINTED = string.ascii_letters + string.digits + string.punctuation
SECRETS = st.builds(lambda body: f"k3y{body}", st.text(PRINTED + "äß€", min_size=12, max_size=40))
WAYS = {
    "plain": str,
    "bearer": "Authorization: Bearer {}".format,
    "json": json.dumps,
    "json of utf-8": lambda key: json.dumps(key, ensure_ascii=False),
    "json of php": lambda key: json.dumps(key).replace("/", "\\/"),
    "address": lambda key: f"/v1?x={quote(key)}",
    "address, all": lambda key: f"/v1?x={quote(key, safe='')}",
    "address, small": lambda key: re.sub("%..", lambda escape: escape[0].lower(), quote(key, safe="")),
    "form": quote_plus,
    "html": html.escape,
    "python": repr,
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 of addresses": lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
    "basic": lambda key: "Basic " + base64.b64encode(f"user:{key}".encode()).decode(),
    "basic, no name": lambda key: "Basic " + base64.b64encode(f":{key}".encode()).decode(),
    "basic, as name": lambda key: "Basic " + base64.b64encode(f"{key}:".encode()).decode(),
}


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    """No secret of another test is known here, nor one of these elsewhere."""
    monkeypatch.setattr(redaction, "_known", redaction._Known())


@given(
    secret=SECRETS, way=st.sampled_from(sorted(WAYS)), before=st.text(max_size=20), after=st.text(max_size=20)
)
@example(secret="k3y-abc/def+ghi==", way="basic", before="", after="")
@example(secret="k3y\"quo'te\\<&>1", way="python", before="x", after="")
def test_no_encoding_hides_a_secret(secret, way, before, after):
    """Masked or redacted, as text or as bytes, neither the secret nor its encoding is left; offsets stay where masked."""
    redaction._known = redaction._Known()
    remember_secrets({"OPENAI_API_KEY": secret})
    written = WAYS[way](secret)
    core = written[8:-8] if "bas" in way else secret if way in ("plain", "bearer") else written.strip("'\"")
    text = before + written + after

    assert core not in mask(text)
    assert core not in redact(text)
    assert core.encode() not in mask_bytes(text.encode("utf-8", "surrogatepass"))
    assert len(mask(text)) == len(text)
    assert mask(mask(text)) == mask(text)


@given(st.text(PRINTED + " \n", max_size=200))
def test_a_document_that_only_looks_like_a_key_stays_as_it_is(text):
    """Nothing but what is known to be a secret here is masked in what a model says."""
    redaction._known = redaction._Known()
    remember_secrets({"OPENAI_API_KEY": "k3y-that-no-text-holds-4711"})

    assert mask(text) == text
    assert mask_bytes(text.encode()) == text.encode()


@pytest.mark.parametrize(
    ("env", "secret"),
    [
        ({"GROQ_API_KEY": " gsk_abc4711xyz\n"}, "gsk_abc4711xyz"),
        ({"PGPASSWORD": "abc4711xyz"}, "abc4711xyz"),
        ({"HF_TOKEN": "hf_abc4711xyz"}, "hf_abc4711xyz"),
        ({"AWS_SECRET_ACCESS_KEY": "abc4711xyz"}, "abc4711xyz"),
        ({"HTTPS_PROXY": "http://me:abc4711xyz@proxy:3128"}, "abc4711xyz"),
        ({"HTTPS_PROXY": "http://me:abc%2F4711xyz@proxy:3128"}, "abc/4711xyz"),
        ({"CUPEL_DATABASE_URL": "postgresql://me:abc4711@x/y:z@db:port/x"}, "abc4711@x/y:z"),
        ({"CUPEL_DATABASE_URL": "postgresql://db/x?user=me&password=abc4711xyz"}, "abc4711xyz"),
        ({"PGOPTIONS": "host=db password=abc4711xyz"}, "abc4711xyz"),
        ({"OPENAI_BASE_URL": "https://gw.example/v1?api_key=abc4711xyz"}, "abc4711xyz"),
        ({"GIT_REMOTE": "https://ghp_abc4711xyzabc4711xyz@github.com/x"}, "ghp_abc4711xyzabc4711xyz"),
        ({"OPENAI_CUSTOM_HEADERS": "X-A: b\nX-Gate: Token abc4711xyz"}, "abc4711xyz"),
    ],
)  # fmt: skip
def test_a_secret_is_known_by_the_variable_or_the_address_it_stands_in(env, secret):
    """Keys, tokens and passwords, credentials and parameters of addresses, headers of one's own."""
    remember_secrets(env)

    assert secret not in mask(f"it is {secret}.")


@pytest.mark.parametrize(
    "env",
    [
        {"LOCAL_API_KEY": "ollama"}, {"LOCAL_API_KEY": "not-needed"}, {"LOCAL_API_KEY": "none"}, {"LOCAL_API_KEY": ""},
        {"PWD": "/home/me/project42"}, {"SSH_KEY": "/home/me/.ssh/id_ed25519"}, {"CUPEL_DATABASE_URL": "postgresql://db:5432/cupel"},
        {"TOKENIZERS_PARALLELISM": "false"}, {"CUPEL_MAX_TOKENS": "32000"}, {"X_KEY": "********"},
    ],
)  # fmt: skip
def test_stand_ins_paths_and_plain_settings_are_no_secrets(env):
    """A word that any text may hold is not taken out of texts."""
    remember_secrets(env)
    text = f"ollama is not-needed, none, password postgres db:5432 {' '.join(env.values())} ******** 32000"

    assert mask(text) == text
    assert redact("ollama is not-needed, none of 32000") == "ollama is not-needed, none of 32000"


def test_a_short_password_goes_from_errors_and_where_it_stands_as_one():
    """In a document it is a word like any other."""
    remember_secrets({"LOCAL_API_KEY": "hunter"})

    assert mask("the hunter, Bearer hunter") == "the hunter, *************"
    assert redact("the hunters: hunter; Bearer hunter") == "the hunters: ***; ***"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("http://me:pw@host:1/x", "http://me:***@host:1/x"),
        ("http://me:p/w@x@host:1/x", "http://me:***@host:1/x"),
        ("http://host:8000/users/@me", "http://host:8000/users/@me"),
        ("https://ghp_0123456789abcdef@host/x", "https://***@host/x"),
        ("postgresql+psycopg://me:secret@db/cupel", "postgresql+psycopg://me:***@db/cupel"),
        ("GET /?api_key=abc&n=1", "GET /?api_key=***&n=1"),
        ("/login?password=a%20b next", "/login?password=*** next"),
        ("{'Authorization': 'Bearer abc.def'}", "{'Authorization': 'Bearer ***'}"),
        ('{"x-api-key":"abcdef"}', '{"x-api-key":"***"}'),
        ("Authorization: Basic dTpwdw==", "Authorization: Basic ***"),
        ("Incorrect API key: sk-proj-abc123def456ghi", "Incorrect API key: ***"),
        ("OPENAI_API_KEY is not set", "OPENAI_API_KEY is not set"),
        ("Bearer authentication is needed", "Bearer authentication is needed"),
        ("127.0.0.1:8000 and me@example.org", "127.0.0.1:8000 and me@example.org"),
        ("prompts/x.md: unknown placeholder {txt}; this task supplies {schema}", "prompts/x.md: unknown placeholder {txt}; this task supplies {schema}"),
    ],
)  # fmt: skip
def test_an_error_shows_no_credential_whoever_it_belongs_to(said, shown):
    """What has the shape of one goes, and what says what to do stays."""
    assert redact(said) == shown


def test_every_error_of_ours_is_redacted_as_it_is_made():
    """Whatever it quotes, and whoever raises it."""
    remember_secrets({"OPENAI_API_KEY": "sk-abc4711xyz"})

    assert str(CupelError("sent sk-abc4711xyz")) == "sent ***"
    assert str(TaskError("sent sk-abc4711xyz", path="a.toml")) == "a.toml: sent ***"


def test_json_is_masked_to_its_last_leaf():
    """Names of fields are texts too."""
    remember_secrets({"OPENAI_API_KEY": "sk-abc4711xyz"})

    assert mask_values({"a": ["sk-abc4711xyz", 1, None], "sk-abc4711xyz": True}) == {
        "a": ["*" * 13, 1, None],
        "*" * 13: True,
    }


@given(st.text(max_size=2000))
def test_redacting_never_fails_and_is_done_once(text):
    """Redacted again, an error says the same."""
    assert redact(redact(text)) == redact(text)
