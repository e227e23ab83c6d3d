"""Where a run log is: `CUPEL_DATABASE_URL`, or a file in the project's state folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cupel.errors import SettingError
from cupel.redaction import HIDDEN, redact, remember_secrets

if TYPE_CHECKING:
    from sqlalchemy import URL

VARIABLE = "CUPEL_DATABASE_URL"
SQLITE = "sqlite:///"
_POSTGRES = "postgresql+psycopg://"
_FORMS = (
    f"give postgresql://USER@HOST/DATABASE or {SQLITE}PATH, or unset it for a file in the project's .cupel"
)


def database_url(state: Path, env: Mapping[str, str]) -> str:
    """`CUPEL_DATABASE_URL`, else an SQLite file in the project's state folder.

    Raises:
        SettingError: The address is none that a run log can be at.
    """
    url = env.get(VARIABLE, "").strip()
    if not url:
        return f"{SQLITE}{state / 'runlog.sqlite'}"
    remember_secrets(env)
    given = url
    if url.startswith(("postgres://", "postgresql://")):
        url = _POSTGRES + url.split("://", 1)[1]
    if problem := _problem(url):
        shown = given if given.startswith(SQLITE) else show_address(given)
        raise SettingError(f"{VARIABLE}: {shown!r} {problem}; {_FORMS}")
    return url


def _problem(url: str) -> str | None:
    """Why no run log can be at an address; None where one may be."""
    if not url.isprintable():
        return "has characters that no address has"
    if url.startswith(SQLITE):
        return _file_problem(url.removeprefix(SQLITE))
    if " " in url:
        return "has a space in it"
    if url.startswith(_POSTGRES):
        return _server_problem(url)
    return "names a kind of database that is not supported" if "://" in url else "is no address"


def _file_problem(path: str) -> str | None:
    if path in ("", ":memory:"):
        return "names no file"
    if "?" in path and "=" in path.rpartition("?")[2]:
        return "has parameters, which a file does not take"
    return "is a folder" if Path(path).is_dir() else None


def _server_problem(url: str) -> str | None:
    from sqlalchemy.exc import ArgumentError

    try:
        parts = sqlalchemy_address(url)
    except (ArgumentError, ValueError):
        return "cannot be read: is its port a number, and are @ : / in a password written as %40 %3A %2F?"
    if parts.port is not None and not 0 < parts.port < 65536:
        return f"has the port {parts.port}, which is none"
    if "@" in (parts.host or "") or "/" in (parts.database or ""):
        return "cannot be read: @ : / in a password are written as %40 %3A %2F"
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import make_conninfo
    except ImportError:
        return None  # opening it says what to install
    try:
        make_conninfo(**{name: str(value) for name, value in parts.query.items()})
    except ProgrammingError as error:
        return f"has a parameter that PostgreSQL does not know ({str(error).strip()})"
    return None


def sqlalchemy_address(url: str) -> URL:
    """The address for SQLAlchemy; a file's path is taken as it stands, whatever `?` and `%` are in it."""
    from sqlalchemy.engine import URL, make_url

    if url.startswith(SQLITE):
        return URL.create("sqlite", database=url.removeprefix(SQLITE))
    return make_url(url)


def show_address(url: str) -> str:
    """The address without a password, whether or not it can be read.

    >>> show_address("postgresql+psycopg://me:secret@db/cupel")
    'postgresql+psycopg://me:***@db/cupel'
    """
    if url.startswith(SQLITE):
        return url.removeprefix(SQLITE)
    scheme, mark, rest = url.partition("://")
    before, at, after = rest.rpartition("@")
    if not at:
        return redact(url)
    return redact(f"{scheme}{mark}{before.partition(':')[0]}{f':{HIDDEN}' if ':' in before else ''}@{after}")
