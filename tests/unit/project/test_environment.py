"""Where keys go is said where it is unusual and the project decided it; what a `.env` may not set is left out."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from cupel.errors import SettingError
from cupel.models.endpoints import Endpoint, announce, endpoint
from cupel.models.ids import ModelId
from cupel.project import (
    Project,
    address_problem,
    adopt_variables,
    environment,
    host_of,
    is_nearby,
    note_variables,
)
from cupel.runlog.store import open_run_log
from cupel.tracing.tracer import DEFAULT_ENDPOINT, langsmith_client
from cupel.tracing.transport import Sending

KEY = "gsk_s3ntinel4711"


@pytest.fixture(autouse=True)
def a_new_process(monkeypatch):
    """Nothing was read, and nothing said."""
    monkeypatch.setattr(environment, "_from_project", {})
    monkeypatch.setattr(environment, "_said", set())


@pytest.fixture
def adopt(tmp_path):
    """A project whose `.env` says this, adopted into that environment."""

    def adopted(text, env=None):
        (tmp_path / "langgraph.json").write_text('{"graphs": {}, "env": ".env"}')
        (tmp_path / ".env").write_text(text)
        made = dict(env or {})
        adopt_variables(Project(tmp_path, tmp_path / ".cupel"), made)
        return made

    return adopted


def announced(env, capsys, model="groq:x", proxy=None):
    """What is said as this model is opened."""
    where = endpoint(ModelId.parse(model), env)
    announce(ModelId.parse(model).provider, where, env, proxy=proxy)
    announce(ModelId.parse(model).provider, where, env, proxy=proxy)
    said = capsys.readouterr().err.splitlines()
    return [line for line in said if not line.startswith("note: read ")]


def test_a_key_that_a_project_sends_elsewhere_is_announced_once(adopt, capsys):
    """In one line, with the host and the variable, and without the key."""
    env = adopt("GROQ_BASE_URL=https://evil.example/x\n", {"GROQ_API_KEY": KEY})

    assert announced(env, capsys) == [
        "note: GROQ_API_KEY goes to evil.example, which the project's .env names (GROQ_BASE_URL)"
    ]


@pytest.mark.parametrize(
    ("own", "dotenv"),
    [
        ({"GROQ_API_KEY": KEY, "GROQ_BASE_URL": "https://gateway.example"}, ""),
        (
            {"GROQ_API_KEY": KEY, "GROQ_BASE_URL": "https://gateway.example"},
            "GROQ_BASE_URL=https://evil.example",
        ),
        ({}, f"GROQ_API_KEY={KEY}\nGROQ_BASE_URL=https://api.groq.com"),
        ({"GROQ_API_KEY": KEY}, ""),
    ],
    ids=["one's own environment", "which stands against a .env", "the provider's own host", "no address"],
)
def test_nothing_is_said_where_a_person_or_the_provider_named_the_host(adopt, capsys, own, dotenv):
    """Who set the host knows it."""
    assert announced(adopt(dotenv, own), capsys) == []


def test_a_local_server_on_this_machine_is_where_its_key_belongs(adopt, capsys):
    """One elsewhere is announced."""
    env = adopt("LOCAL_API_KEY=s3ntinel4711\nCUPEL_LOCAL_BASE_URL=http://127.0.0.1:8000/v1\n")
    assert announced(env, capsys, "local:x") == []

    env = adopt("CUPEL_LOCAL_BASE_URL=https://gpu.example/v1\n", {"LOCAL_API_KEY": "s3ntinel4711"})
    assert announced(env, capsys, "local:x") == [
        "note: LOCAL_API_KEY goes to gpu.example, which the project's .env names (CUPEL_LOCAL_BASE_URL)"
    ]


def test_a_server_that_read_the_env_file_itself_is_told_apart_by_its_values(adopt, tmp_path, capsys):
    """`langgraph dev` sets what stands there before any code of ours runs."""
    env = adopt("GROQ_BASE_URL=https://evil.example\n", {"GROQ_API_KEY": KEY})
    environment._from_project.clear()
    note_variables(Project(tmp_path, tmp_path / ".cupel"), env)

    assert len(announced(env, capsys)) == 1


def test_a_proxy_and_certificates_of_a_project_are_announced(adopt, capsys):
    """Together they read all that is encrypted."""
    env = adopt(
        "HTTPS_PROXY=http://me:pw@evil.example:3128\nSSL_CERT_FILE=/x/evil.pem\n", {"GROQ_API_KEY": KEY}
    )
    said = announced(env, capsys, proxy=env["HTTPS_PROXY"])

    assert said == [
        "note: requests go through the proxy evil.example:3128, which the project's .env names",
        "note: whom to trust as api.groq.com is said by SSL_CERT_FILE in the project's .env",
    ]


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://api.example.com/v1", True), ("http://8.8.8.8/v1", True), ("http://127.0.0.1:8000/v1", False),
        ("http://[::1]:8000/v1", False), ("http://10.1.2.3/v1", False), ("http://192.168.1.9:11434/v1", False), ("http://vllm:8000/v1", False),
        ("http://gpu.lan/v1", False), ("http://host.docker.internal:11434/v1", False), ("https://api.example.com/v1", False),
    ],
)  # fmt: skip
def test_what_travels_unencrypted_beyond_this_network_is_warned_of(capsys, url, warned):
    """Loopback and private ranges are home, by number and by name."""
    announce("local", Endpoint(url), {})

    assert ("is not encrypted" in capsys.readouterr().err) is warned


LEFT_OUT = [
    "PATH", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONHTTPSVERIFY", "LD_PRELOAD", "ld_preload", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "GLIBC_TUNABLES",
    "GCONV_PATH", "MALLOC_CONF", "OPENSSL_CONF", "OPENSSL_MODULES", "NODE_OPTIONS", "BASH_ENV", "ENV", "IFS", "GIT_SSH_COMMAND", "SHELL", "EDITOR", "PAGER",
    "BROWSER", "LOCPATH", "NLSPATH", "DASK_DISTRIBUTED__WORKER__PRELOAD", "DASK_CONFIG", "DISTRIBUTED_X", "PGHOST", "PGHOSTADDR", "PGSERVICEFILE", "PGPASSFILE",
    "PGSSLMODE", "OTEL_EXPORTER_OTLP_ENDPOINT", "LANGSMITH_OTEL_ENABLED", "SSLKEYLOGFILE", "NETRC", "TMPDIR", "TEMP", "TMP", "HOSTALIASES", "LOCALDOMAIN",
    "RES_OPTIONS", "HOME", "XDG_CONFIG_HOME", "APPDATA", "USERPROFILE", "CUPEL_TRUST", "cupel_trust", "home",
]  # fmt: skip
"""What a project's `.env` may not set: what runs code, leads astray, gives away, or says who is trusted."""


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_project_sets_nothing_that_runs_code_or_gives_keys_away(adopt, capsys, name):
    """It is left out, and said so."""
    assert adopt(f"{name}=/tmp/evil.so\nCUPEL_JUDGE=never\n") == {"CUPEL_JUDGE": "never"}
    assert capsys.readouterr().err.endswith(
        f"note: {name} in the project's .env is left out: set it in your own environment\n"
    )


def opened(env):
    """What is opened before a first request: the model, tracing, the run log's address."""
    if env.get("CUPEL_DATABASE_URL"):
        with suppress(Exception):  # nobody answers there
            open_run_log(Path("/nowhere/.cupel"), {**env, "CUPEL_RUN_LOG_WAIT_S": "0"}).close()
    model = ModelId.parse("openai:x")
    where = endpoint(model, env)
    announce(
        model.provider,
        where,
        env,
        proxy=env.get("HTTPS_PROXY") or env.get("https_proxy") or env.get("ALL_PROXY"),
    )
    if env.get("LANGSMITH_API_KEY"):
        langsmith_client(env.get("LANGSMITH_ENDPOINT", DEFAULT_ENDPOINT), env, Sending(1.0, lambda _: None))


@pytest.mark.parametrize(
    ("dotenv", "said"),
    [
        ("OPENAI_BASE_URL=https://evil.example/v1", "OPENAI_API_KEY goes to evil.example"),
        ("OPENAI_BASE_URL=https://evil.example/v1\nCUPEL_ENDPOINT_NAME=openai=default", "OPENAI_API_KEY goes to evil.example"),
        ("OPENAI_BASE_URL=http://8.8.8.8/v1", "is not encrypted"),
        ("HTTPS_PROXY=http://evil.example:3128", "requests go through the proxy evil.example:3128"),
        ("https_proxy=http://evil.example:3128", "requests go through the proxy evil.example:3128"),
        ("ALL_PROXY=http://evil.example:3128", "requests go through the proxy evil.example:3128"),
        ("SSL_CERT_FILE=/x/evil.pem", "is said by SSL_CERT_FILE"), ("SSL_CERT_DIR=/x", "is said by SSL_CERT_DIR"),
        ("REQUESTS_CA_BUNDLE=/x", "is said by REQUESTS_CA_BUNDLE"), ("CURL_CA_BUNDLE=/x", "is said by CURL_CA_BUNDLE"),
        ("LANGSMITH_ENDPOINT=https://evil.example", "LANGSMITH_API_KEY goes to evil.example"),
        ("LANGSMITH_TRACING=true", "documents are traced to api.smith.langchain.com"),
        ("LANGSMITH_TRACING_V2=true", "documents are traced to api.smith.langchain.com"),
        ("CUPEL_DATABASE_URL=postgresql://me:s3ntinel@127.0.0.2:1/db?connect_timeout=1&x", ""),
        ("CUPEL_DATABASE_URL=postgresql://me:s3ntinel4711@db.invalid:1/db?connect_timeout=1", "the run log is db.invalid:1"),
        ("CUPEL_DATABASE_URL=sqlite:////nowhere/of/theirs.sqlite", "the run log is /nowhere/of/theirs.sqlite"),
    ],
)  # fmt: skip
def test_where_a_project_sends_documents_is_announced(adopt, capsys, dotenv, said):
    """A line each before anything is sent, with the variable that decided it, and without what is secret."""
    env = adopt(dotenv + "\n", {"OPENAI_API_KEY": KEY, "LANGSMITH_API_KEY": "lsv2_s3ntinel4711"})
    opened(env)
    told = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note: read ")]

    assert any(said in line for line in told) if said else told == []
    assert "s3ntinel" not in "".join(told)
    assert all("the project's .env" in line or "not encrypted" in line for line in told)


def test_what_a_project_says_of_a_run_itself_is_taken(adopt):
    """Its settings and keys are what a `.env` is for."""
    said = {
        "CUPEL_JUDGE": "never",
        "GROQ_API_KEY": "gsk",
        "CUPEL_ENDPOINT_NAME": "lab",
        "CUPEL_CHEAP_MODEL": "groq:x",
        "LANGSMITH_PROJECT": "p",
    }

    assert adopt("".join(f"{name}={value}\n" for name, value in said.items())) == said


@given(
    st.text(max_size=60),
    st.sampled_from(["", "http://", "https://", "http://h:", "http://[", "http://me:pw@"]),
)
def test_an_address_is_good_or_has_a_reason_and_never_an_exception(text, scheme):
    """What is good has a host that can be asked for and shown."""
    url = scheme + text
    problem = address_problem(url)

    assert problem is None or problem
    assert isinstance(host_of(url), str)
    assert is_nearby(host_of(url)) in (True, False)
    if problem is None:
        assert host_of(url)


@pytest.mark.parametrize(
    "url", ["nonsense", "http://", "http://h:0/v1", "http://h:x", "http://[::1", "http://a b"]
)
def test_a_model_at_no_address_is_a_wrong_setting(url):
    """It is found before anything is sent."""
    with pytest.raises(SettingError, match="is no address"):
        endpoint(ModelId.parse("groq:x"), {"GROQ_API_KEY": KEY, "GROQ_BASE_URL": url})
