"""The command line: one file per command; heavy imports wait until a command needs them."""

from __future__ import annotations

import os
import sys

import typer

from cupel.cli._app import app
from cupel.cli._env import read_environment
from cupel.cli._start import starting_soon
from cupel.errors import CupelError, MachineError
from cupel.machine import shortage


def main() -> None:
    """Run a command; what is raised on purpose becomes one clear text and an exit code, never a traceback."""
    # Arrow's own pool keeps tens of megabytes that were read long ago; this one gives them back
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        read_environment()
        with starting_soon():
            try:
                app()
            finally:
                sys.stdout.flush()  # a full disk says so here, and not when the interpreter ends
    except CupelError as error:
        typer.secho(f"{type(error).__name__.removesuffix('Error')}: {error}", fg="red", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        short = shortage(error)
        if short is None:
            raise
        typer.secho(f"Machine: {short}", fg="red", err=True)
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), 1
        )  # what could not be written is not tried again at the end
        sys.exit(MachineError.exit_code)
    except KeyboardInterrupt:
        typer.secho("interrupted; the same command goes on where this one stopped", err=True)
        sys.exit(130)


__all__ = ["app", "main"]
