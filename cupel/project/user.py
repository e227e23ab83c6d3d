"""Who gives the command, as far as this machine knows: a container's user may have neither name nor home."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from cupel.files import full_path

NOBODY = "unknown"


def home_folder() -> Path | None:
    """The user's home; None where the machine knows of none."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def user_name() -> str:
    """What the user is called, a number where there is no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # which, differs between versions of Python
        return str(os.getuid()) if hasattr(os, "getuid") else NOBODY


def expand(path: Path) -> Path:
    """The full path, `~` and `~NAME` in it filled in where that home is known, and left as they are where not."""
    try:
        return full_path(path.expanduser())
    except RuntimeError:
        return full_path(path)
