"""The command line: one file per command; heavy imports wait until a command needs them."""

from __future__ import annotations

import os
import sys

import typer

from cupel.cli._app import app
from cupel.cli._env import read_environment
from cupel.cli._start import starting_soon
from cupel.cli._streams import show_only
from cupel.errors import CupelError


def main() -> None:
    """Run a command; what is raised on purpose becomes one clear text and an exit code, never a traceback."""
    # Arrow's own pool keeps tens of megabytes that were read long ago; this one gives them back
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    with show_only():
        _run()


def _run() -> None:
    try:
        read_environment()
        with starting_soon():
            app()
    except CupelError as error:
        typer.secho(f"{type(error).__name__.removesuffix('Error')}: {error}", fg="red", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.secho("interrupted; the same command goes on where this one stopped", err=True)
        sys.exit(130)


__all__ = ["app", "main"]
