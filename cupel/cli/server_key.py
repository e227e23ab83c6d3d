"""The key of a server for the command line: from a file, a hidden question or a variable, and never from the line itself."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from pathlib import Path

from cupel.context import RunContext
from cupel.errors import SettingError
from cupel.files import read_text
from cupel.project import host_of, is_nearby
from cupel.redaction import remember_secrets
from cupel.runs import check_server, read_key

_BEGINS = "cupel_"


def read_server_key(told: str | None, url: str, env: Mapping[str, str]) -> str:
    """The key for a server; empty where none is set, as a server on this machine may want none.

    Args:
        told: A file, `-` for a question, None for the variable.
        url: The server's address: a key that would go to it in the clear is worth a word.
        env: Environment variables.

    Raises:
        SettingError: If it is the key itself, or a file that cannot be read.
    """
    address = check_server(url)
    key = read_key(_given(told), env)
    if key and address.startswith("http://") and not is_nearby(host_of(address)):
        print(
            f"note: http:// carries the key to {host_of(address)} where others can read it; use https://",
            file=sys.stderr,
        )
    return key


def note_unsent(env: Mapping[str, str]) -> None:
    """Say which settings of this machine's environment a server does not see."""
    unsent = [
        f"CUPEL_{name.upper()}"
        for name in RunContext.model_fields
        if env.get(f"CUPEL_{name.upper()}", "").strip()
    ]
    if unsent:
        print(
            f"note: {', '.join(unsent)}: not sent, the server has settings of its own; give an option instead",
            file=sys.stderr,
        )


def _given(told: str | None) -> str | None:
    if told is None:
        return None
    if told == "-":
        key = getpass.getpass("key of the server: ") if sys.stdin.isatty() else sys.stdin.readline().strip()
        if not key:
            raise SettingError("--key -: no key was given; the first line of standard input is taken")
        return key
    if told.startswith(_BEGINS) and not Path(told).exists():
        remember_secrets({"KEY": told})
        raise SettingError(
            "--key takes a file with the key, not the key: in the command line others could read it, and the shell keeps it. "
            "Make a new key, and set CUPEL_SERVER_KEY, or give `--key -` to be asked for it"
        )
    try:
        key = read_text(Path(told)).strip()
    except (OSError, ValueError) as error:
        raise SettingError(
            f"--key {told}: cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    if not key:
        raise SettingError(
            f"--key {told}: the file is empty; it holds the key, as `cupel serve keys create` printed it"
        )
    return key
