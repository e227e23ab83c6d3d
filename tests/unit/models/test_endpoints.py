"""Another address is another model, and what is secret in an address stays out of every name and message."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given, strategies as st

from cupel.errors import SettingError
from cupel.models.endpoints import SITES, endpoint, find_other_place
from cupel.models.factory import name_at_address
from cupel.models.ids import ModelId
from cupel.testing import scripted

PROVIDERS = sorted(SITES)
_NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)
_HOSTS = st.builds(".".join, st.lists(_NAMES, min_size=1, max_size=3)) | st.just("[::1]")
_PORTS = st.none() | st.integers(1, 65_535)
_PATHS = st.lists(_NAMES, max_size=3).map(lambda parts: "".join(f"/{part}" for part in parts))
_PLACES = st.tuples(_HOSTS, _PORTS, _PATHS)
_SECRETS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=6, max_size=12)


def at(provider, url, **more):
    """An environment in which a provider is asked at this address."""
    return {SITES[provider].url_variables[0]: url, SITES[provider].key_variable: "sk-test", **more}


def written(scheme, host, port, path, user=""):
    """An address as somebody writes it."""
    return f"{scheme}://{user}{host}{'' if port is None else f':{port}'}{path}"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_providers_own_address_adds_nothing_however_it_is_spelt(provider):
    """What was paid for before is found again: its key does not know of addresses."""
    model = f"{provider}:m"
    own = SITES[provider].default_url
    host = urlsplit(own).hostname or ""
    spellings = [own, f"{own}/", own.replace(host, f"{host.upper()}:443")] if own else []

    assert name_at_address(model, {}) == model
    assert {name_at_address(model, at(provider, url)) for url in spellings} <= {model}


@given(
    provider=st.sampled_from(PROVIDERS), scheme=st.sampled_from(["http", "https"]), one=_PLACES, other=_PLACES
)
def test_host_port_and_path_tell_two_addresses_apart(provider, scheme, one, other):
    """Two addresses have one name just when host, port and path are the same."""
    usual = 443 if scheme == "https" else 80
    end = SITES[provider].path

    def parts(host, port, path):
        return host, port or usual, path if path.endswith("/v1") else path + end

    names = [find_other_place(provider, at(provider, written(scheme, *place))) for place in (one, other)]

    assert (names[0] == names[1]) == (parts(*one) == parts(*other))
    assert all(names)


@given(
    provider=st.sampled_from(PROVIDERS),
    scheme=st.sampled_from(["http", "https", "ftp"]),
    place=_PLACES | st.just(("host", 99_999, "")),
    secrets=st.lists(_SECRETS, min_size=3, max_size=3),
)
def test_what_is_secret_in_an_address_is_in_no_name_and_no_message(provider, scheme, place, secrets):
    """Neither user, password nor query: not in the key of an answer, not in an error, not in a representation."""
    user, password, query = secrets
    env = at(provider, written(scheme, *place, f"{user}:{password}@") + f"?key={query}")
    said = [find_other_place(provider, env)]
    try:
        where = endpoint(ModelId.parse(f"{provider}:m"), env)
        said += [repr(where), where.place]
    except SettingError as error:
        said.append(str(error))

    assert not [secret for secret in secrets for text in said if secret in text]
    assert said[0] == find_other_place(provider, at(provider, written(scheme, *place)))


def test_a_name_stands_for_an_address_that_moves():
    """The same name keeps what was paid for, whichever host and port it has today."""
    names = {
        name_at_address("openai:m", at("openai", url, CUPEL_ENDPOINT_NAME="lab"))
        for url in ("http://10.0.0.7:8000/v1", "http://10.0.0.8:9000/v1")
    }

    assert names == {"openai:m@lab"}


def test_each_provider_may_have_a_name_of_its_own_and_default_is_the_provider_itself():
    """A proxy in front of the provider itself is no other model."""
    env = at("openai", "https://proxy.example/v1", CUPEL_ENDPOINT_NAME="openai=default, local=den")
    env |= at("local", "http://127.0.0.1:11434/v1") | at("groq", "http://127.0.0.1:1")

    named = [name_at_address(f"{provider}:m", env) for provider in ("openai", "local", "groq")]

    assert named == ["openai:m", "local:m@den", "groq:m@127.0.0.1:1/openai/v1"]


@pytest.mark.parametrize("names", ["opnai=lab", "openai=", "=lab=lab"])
def test_a_name_for_nobodys_address_is_refused(names):
    """It lists the providers that have an address."""
    with pytest.raises(SettingError, match=r"CUPEL_ENDPOINT_NAME: .* groq, openai, openrouter, local"):
        find_other_place("openai", at("openai", "http://10.0.0.7/v1", CUPEL_ENDPOINT_NAME=names))


def test_a_model_that_needs_no_provider_has_no_address(monkeypatch):
    """Neither the offline baseline nor a model that is attached under any name."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://10.0.0.7/v1")
    with scripted({"openai:mine": "{}"}):
        assert name_at_address("openai:mine") == "openai:mine"
    assert name_at_address("offline:baseline") == "offline:baseline"
