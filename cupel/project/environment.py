"""What a project's `.env` sets, and what is said before a key or a document follows it to another place.

A project may come from anywhere, and its `.env` with it. What it sets counts, but not in silence where it decides
who gets a key; and what would run code, or write down what is encrypted, only a person's own environment sets.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path

from cupel._format import safe
from cupel.errors import ProjectError
from cupel.files import read_text
from cupel.project.addresses import host_of, is_loopback, is_nearby
from cupel.project.folder import Project
from cupel.project.trust import CONFIG, TRUST_VARIABLES
from cupel.redaction import redact, remember_secrets

_NOT_FROM_A_PROJECT = (
    *(
        "LD_",
        "DYLD_",
        "PYTHON",
        "GLIBC_",
        "GCONV_",
        "MALLOC_",
        "OPENSSL_",
        "NODE_",
        "BASH_",
        "GIT_",
    ),  # run code
    *("DASK_", "DISTRIBUTED_"),  # so do their preloads
    *(
        "PG",
        "OTEL_",
        "LANGSMITH_OTEL_",
        "LANGCHAIN_OTEL_",
    ),  # send passwords or documents elsewhere in silence
)
_NEVER = TRUST_VARIABLES | {
    *("PATH", "IFS", "ENV", "SHELL", "EDITOR", "VISUAL", "PAGER", "BROWSER", "LOCPATH", "NLSPATH"),
    *("SSLKEYLOGFILE", "NETRC", "TMPDIR", "TEMP", "TMP", "HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS"),
}
"""What runs code, writes down what is encrypted, or leads names, files and passwords astray."""

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

_from_project: dict[str, str] = {}
"""What a project's `.env` set in this process's environment."""

_said: set[str] = set()


def adopt_variables(project: Project, env: MutableMapping[str, str]) -> None:
    """Set what the project's `.env` says and nothing has set; and say what of it is set, and what is left out."""
    _adopt(read_by_project(project), project.folder / ".env", env)


def read_variables(path: Path, env: MutableMapping[str, str] = os.environ) -> None:
    """The same for a `.env` beside a file of documents or a notebook; nothing where there is none.

    Raises:
        ProjectError: If it is no text.
    """
    if not path.is_file():
        remember_secrets(env)
        return
    from dotenv import dotenv_values

    try:
        values = dotenv_values(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(
            f"{path}: cannot be read: {error}; save it as UTF-8, a line NAME=VALUE each"
        ) from None
    _adopt({name: value for name, value in values.items() if value is not None}, path, env)


def _adopt(values: Mapping[str, str], source: Path, env: MutableMapping[str, str]) -> None:
    adopted, left_out = [], []
    for name, value in values.items():
        if name in env:
            continue
        if not name or "=" in name or "\0" in name + value:
            _say(f"{name!r} in the project's .env is no variable that can be set, and is left out")
            continue
        if name.upper().startswith(_NOT_FROM_A_PROJECT) or name.upper() in _NEVER:
            left_out.append(name)
            continue
        env[name] = value
        _from_project[name] = value
        adopted.append(name)
    if adopted:
        _say(f"read {source} ({', '.join(adopted)})")
    if left_out:
        _say(
            f"{', '.join(sorted(left_out))} in the project's .env is left out: set it in your own environment"
        )
    remember_secrets(env)


def note_variables(project: Project, env: Mapping[str, str]) -> None:
    """Note what an environment has of the project's `.env` where somebody else read it, as `langgraph dev` does."""
    remember_secrets(env)
    if _from_project:
        return
    _from_project.update(
        {name: value for name, value in read_by_project(project).items() if env.get(name) == value}
    )


def read_by_project(project: Project) -> dict[str, str]:
    """The variables that `env` of the project's langgraph.json names: a file's, or its own.

    Only of the folder the command is given in or one above it, never of the starter.
    """
    if project.state.parent != project.folder:
        return {}
    env = _env_of(project)
    if isinstance(env, Mapping):
        return {str(name): str(value) for name, value in env.items()}
    path = project.folder / env
    try:
        if not env or not path.is_file():
            return {}
        from dotenv import dotenv_values

        return {name: value for name, value in dotenv_values(path).items() if value is not None}
    except (OSError, ValueError) as error:  # not UTF-8, say
        _say(f"{path}: cannot be read, so nothing of it is set ({error})")
        return {}


def _env_of(project: Project) -> str | Mapping[str, object]:
    try:
        env = json.loads(read_text(project.folder / CONFIG)).get("env", "")
    except (OSError, ValueError, AttributeError, RecursionError):
        return ""  # whatever needs that file says what is wrong with it
    return env if isinstance(env, str | Mapping) else ""


def announce_destination(
    url: str,
    env: Mapping[str, str],
    *,
    names: tuple[str, ...],
    key: str,
    default_url: str,
    proxy: str | None = None,
) -> None:
    """Say in a line, once, what is unusual about where documents and a key go; nothing where nothing is.

    Args:
        url: The address.
        env: The environment it was read from.
        names: Variables that may have named it.
        key: The variable of the key that goes there; empty for none.
        default_url: Where the provider is unless told otherwise; empty for none.
        proxy: The proxy on the way.
    """
    host, usual = host_of(url), host_of(default_url)
    named = [name for name in names if _came_with_project(name, env)]
    if key and named and host != usual and (usual or not is_loopback(host)):
        _say(f"{key} goes to {host}, which the project's .env names ({named[0]})")
    if url.startswith("http://") and not is_nearby(host):
        _say(
            f"what goes to {host} is not encrypted: its address begins with http://; use https:// where it has it"
        )
    if is_loopback(host):
        return
    if proxy and any(_came_with_project(name, env) for name in _proxy_variables()):
        _say(f"requests go through the proxy {host_of(proxy)}, which the project's .env names")
    for name in _CERTIFICATES:
        if _came_with_project(name, env):
            _say(f"whom to trust as {host} is said by {name} in the project's .env")


def announce_place(what: str, place: str, env: Mapping[str, str], *, names: tuple[str, ...]) -> None:
    """Say in a line, once, that documents go where the project's `.env` says; nothing where a person said so, or it is this machine.

    Args:
        what: What goes there, such as "traces go to".
        place: An address, or a file.
        env: The environment it was read from.
        names: Variables that may have decided it.
    """
    named = [name for name in names if _came_with_project(name, env)]
    if named and not ("://" in place and is_loopback(host_of(place))):
        shown = (
            (host_of(place) or redact(place)) if "://" in place else place
        )  # a socket's address has no host
        _say(f"{what} {shown}, as the project's .env says ({', '.join(named)})")


def _proxy_variables() -> Iterator[str]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        yield from (name, name.lower())


def _came_with_project(name: str, env: Mapping[str, str]) -> bool:
    return bool(env.get(name)) and _from_project.get(name) == env[name]


def _say(what: str) -> None:
    if what in _said:
        return
    _said.add(what)
    line = safe(what).replace("\n", "␊")
    with suppress(OSError, ValueError):  # nobody reads it any more
        sys.stderr.write(f"note: {line}\n")
