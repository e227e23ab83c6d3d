"""The command line: one file per command; heavy imports wait until a command needs them."""

from __future__ import annotations

import os
import sys

import typer

from cupel.cli._app import app
from cupel.cli._env import read_environment
from cupel.cli._signals import INTERRUPTED, Signals, outlast_readers
from cupel.cli._start import starting_soon
from cupel.errors import CupelError


def main() -> None:
    """Run a command; what is raised on purpose becomes one clear text and an exit code, never a traceback."""
    # Arrow's own pool keeps tens of megabytes that were read long ago; this one gives them back
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    with outlast_readers(), Signals() as signals:
        code = _run(signals)
    sys.exit(code)


def _run(signals: Signals) -> int:
    try:
        read_environment()
        with starting_soon():
            app()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        return INTERRUPTED if signals.asked and code else code
    except CupelError as error:
        typer.secho(f"{type(error).__name__.removesuffix('Error')}: {error}", fg="red", err=True)
        return INTERRUPTED if signals.asked else error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as error:
        if not signals.asked:
            raise
        # ended half way, this and that finds what it needs gone: that is what was asked for
        typer.secho(f"({type(error).__name__}: {error})"[:200], err=True)
        return INTERRUPTED
    return 0


__all__ = ["app", "main"]
