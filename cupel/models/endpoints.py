"""Where each HTTP provider is, and which variables hold its key and address.

Another address is another model: what answers there, and what is learnt of it, does not hold for the provider's own.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from cupel.errors import SettingError, SetupError
from cupel.models.ids import ModelId
from cupel.project import address_problem, announce_destination
from cupel.redaction import remember_secrets


@dataclass(frozen=True, slots=True)
class _Site:
    key_variable: str
    url_variables: tuple[str, ...]
    default_url: str
    path: str = ""
    """Appended to an address that does not end in `/v1`."""

    needs_key: bool = True


LAST_IN_A_HEADER = 0xFF
"""The last sign of Latin-1, which is what a header can hold."""

SITES: Mapping[str, _Site] = {
    # Groq's own client takes the address without the path, so both forms are seen
    "groq": _Site("GROQ_API_KEY", ("GROQ_BASE_URL",), "https://api.groq.com", "/openai/v1"),
    "openai": _Site("OPENAI_API_KEY", ("OPENAI_BASE_URL",), "https://api.openai.com/v1"),
    "openrouter": _Site("OPENROUTER_API_KEY", ("OPENROUTER_BASE_URL",), "https://openrouter.ai/api/v1"),
    "local": _Site(
        "LOCAL_API_KEY", ("CUPEL_LOCAL_BASE_URL", "LOCAL_BASE_URL"), "", path="/v1", needs_key=False
    ),
}


_RECORDER = _Site("CUPEL_RECORD_API_KEY", ("CUPEL_RECORD_BASE_URL",), "", needs_key=False)
"""What records answers for `recorded:` models."""
OWN_ADDRESS = "default"
"""In `CUPEL_ENDPOINT_NAME`: the provider itself answers there, through a proxy, say."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible API: its address up to `/v1`, and the key. Neither is printed: both may hold a secret."""

    url: str = field(repr=False)
    key: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """Host, port and path, for messages and names; nothing secret stands in them.

        >>> Endpoint("https://me:secret@Gateway.example/team/v1?key=x").place
        'gateway.example:443/team/v1'
        """
        return _place(self.url, "")


def endpoint(model: ModelId, env: Mapping[str, str]) -> Endpoint:
    """Where to ask `model`.

    Raises:
        SettingError: When the variable with its key, or a local server's address, is not set.
        SetupError: When a key or an address is set that could never be sent.
    """
    site = SITES[model.provider]
    return _checked(
        model, _named_url(site, env), env.get(site.key_variable, "").strip(), _variable(site, env)
    )


@functools.lru_cache(maxsize=64)
def _checked(model: ModelId, named_url: str, key: str, variable: str) -> Endpoint:
    """The endpoint at an address and with a key, once both are known to be sendable; each call of a run asks for it."""
    site = SITES[model.provider]
    url = named_url or site.default_url
    if not url:
        raise SettingError(
            f"{model}: no address; set {site.url_variables[0]} to the server's OpenAI-compatible URL, "
            "such as http://127.0.0.1:11434/v1 (Ollama) or http://127.0.0.1:8000/v1 (vLLM)"
        )
    if problem := address_problem(url):
        raise SettingError(f"{model}: {_without_secrets(url)!r} is no address; {problem}")
    if site.needs_key and not key:
        raise SettingError(f"{model}: {site.key_variable} is not set")
    _check_sendable(model, variable, url, site.key_variable, key)
    url = url.rstrip("/")
    return Endpoint(url if url.endswith("/v1") else url + site.path, key)


def announce(provider: str, where: Endpoint, env: Mapping[str, str], *, proxy: str | None = None) -> None:
    """Note the key as a secret, and say in a line where it goes, if that is not where it usually goes."""
    remember_secrets(env)
    site = SITES.get(provider, _RECORDER)
    remember_secrets({site.key_variable: where.key})
    announce_destination(
        where.url, env, names=site.url_variables, key=site.key_variable if where.key else "",
        default_url=site.default_url, proxy=proxy,
    )  # fmt: skip


def _check_sendable(model: ModelId, url_variable: str, url: str, key_variable: str, key: str) -> None:
    """Refuse what would fail at every single document; neither the key nor a password is shown."""
    unsendable = next((sign for sign in key if not sign.isprintable() or ord(sign) > LAST_IN_A_HEADER), None)
    if unsendable is not None:
        raise SetupError(
            f"{model}: {key_variable} holds {_sign_name(unsendable)}, which no key has; set it anew, in one line"
        )
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise SetupError(
            f"{model}: {url_variable} holds a user name or password, which is not sent with a key; take it out of the "
            f"address, and give the key in {key_variable}"
        )


def _sign_name(sign: str) -> str:
    return "a line break" if sign in "\r\n" else unicodedata.name(sign, f"the sign U+{ord(sign):04X}").lower()


def find_other_place(provider: str, env: Mapping[str, str]) -> str:
    """What tells the address a provider is asked at from its own; empty where it is its own, or none is needed.

    Host, port and path, or the name `CUPEL_ENDPOINT_NAME` gives it.

    Raises:
        SettingError: For `CUPEL_ENDPOINT_NAME` that cannot be read.

    >>> find_other_place("openai", {}), find_other_place("openai", {"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1/"})
    ('', '127.0.0.1:8000/v1')
    >>> find_other_place("openai", {"OPENAI_BASE_URL": "http://10.0.0.7/v1", "CUPEL_ENDPOINT_NAME": "lab"})
    'lab'
    """
    site = SITES.get(provider)
    url = None if site is None else _named_url(site, env)
    return "" if not url else _other_place(provider, url, env.get("CUPEL_ENDPOINT_NAME", ""))


@functools.lru_cache(maxsize=64)
def _other_place(provider: str, url: str, names: str) -> str:
    site = SITES[provider]
    place = _place(url, site.path)
    if place == _place(site.default_url, site.path):
        return ""
    named = _name_of(provider, names)
    return "" if named == OWN_ADDRESS else named or place


def _name_of(provider: str, names: str) -> str:
    """The name given to this provider's address: one for all, or `provider=name`, with commas between.

    >>> _name_of("openai", "lab"), _name_of("openai", "local=den, openai=lab"), _name_of("groq", "openai=lab")
    ('lab', 'lab', '')
    """
    named = ""
    for entry in filter(None, (part.strip() for part in names.split(","))):
        whose, is_pair, name = (part.strip() for part in entry.rpartition("="))
        if is_pair and (whose not in SITES or not name):
            raise SettingError(
                f"CUPEL_ENDPOINT_NAME: {entry!r} is neither a name nor `provider=name`; "
                f"the providers with an address are {', '.join(SITES)}"
            )
        if whose in ("", provider):
            named = name
    return named


def _named_url(site: _Site, env: Mapping[str, str]) -> str:
    return env.get(_variable(site, env), "").strip()


def _variable(site: _Site, env: Mapping[str, str]) -> str:
    """The variable an address was given in; empty where there is none."""
    return next((name for name in site.url_variables if env.get(name, "").strip()), "")


def _place(url: str, path: str) -> str:
    """Host, port and path of an address, completed as a request completes it; empty where there is no host."""
    parts = _split(url)
    if parts is None or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port or (443 if parts.scheme == "https" else 80)
    given = parts.path.rstrip("/")
    return f"{host}:{port}{given if given.endswith('/v1') else given + path}"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:  # a port that is no number, half a bracket
        return None
    return parts if has_port else None


def _without_secrets(url: str) -> str:
    """An address for a message: without a query, and without what stands before an @.

    >>> _without_secrets("htp://me:pass@word@host/v1?key=secret")
    'htp://…@host/v1'
    """
    shown = url.partition("?")[0].partition("#")[0]
    scheme, mark, rest = shown.rpartition("://")
    return scheme + mark + (f"…@{rest.rpartition('@')[2]}" if "@" in rest else rest)


def has_key(provider: str, env: Mapping[str, str]) -> bool:
    """Whether the environment has what this provider needs."""
    site = SITES[provider]
    names = (site.key_variable,) if site.needs_key else site.url_variables
    return any(env.get(name, "").strip() for name in names)


def needed_variable(provider: str) -> str:
    """The variable that makes this provider usable: its key, or a local server's address."""
    site = SITES[provider]
    return site.key_variable if site.needs_key else site.url_variables[0]
