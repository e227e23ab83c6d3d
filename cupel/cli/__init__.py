"""The command line: one file per command; heavy imports wait until a command needs them."""

from __future__ import annotations

import os
import sys

from cupel.cli._app import app
from cupel.cli._env import read_environment
from cupel.cli._last_resort import Details, explain, finish_output, overheard, say
from cupel.cli._signals import INTERRUPTED, Signals, leave, outlast_readers
from cupel.cli._start import starting_soon
from cupel.cli._streams import show_only
from cupel.errors import CupelError, MachineError, UsageError, shortage


def main() -> None:
    """Run a command; whatever happens becomes one clear text and an exit code, never a traceback."""
    # Arrow's own pool keeps tens of megabytes that were read long ago; this one gives them back
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    for name in ("stdout", "stderr"):  # closed by whoever started this
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  # open for as long as the process lives
    with outlast_readers(), show_only(), overheard() as details, Signals() as signals:
        code = _run(details, signals)
        code = finish_output() or code
    if signals.asked:
        leave(code)
    sys.exit(code)


def _run(details: Details, signals: Signals) -> int:
    """Run a command; its exit code."""
    try:
        _check_folder()
        _check_arguments(sys.argv[1:])
        read_environment()
        with starting_soon():
            app()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        return INTERRUPTED if signals.asked and code else code
    except CupelError as error:
        say(f"{type(error).__name__.removesuffix('Error')}: {error}")
        return INTERRUPTED if signals.asked else error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as error:  # noqa: BLE001  # the last resort
        if signals.asked:
            # ended half way, this and that finds what it needs gone: that is what was asked for
            say(f"note: ({type(error).__name__}: {error})"[:200])
            return INTERRUPTED
        return _explain(error, details)
    return 0


def _explain(error: BaseException, details: Details) -> int:
    short = shortage(error)
    if short is None:
        return explain(error, details)
    say(f"Machine: {short}")
    return MachineError.exit_code


def _check_folder() -> None:
    """See that there is a folder to be in.

    Raises:
        UsageError: It was removed, or nobody may look at the way to it.
    """
    try:
        os.getcwd()  # noqa: PTH109  # a path of it is not needed
    except OSError as error:
        raise UsageError(
            f"the folder this command was given in cannot be found any more ({error.strerror}); `cd` to one that is there"
        ) from None


def _check_arguments(arguments: list[str]) -> None:
    """See that what was typed can be written down: in the run log, a report, JSON.

    Raises:
        UsageError: Part of it is not UTF-8, as a file's name may be.
    """
    for argument in arguments:
        if any("\ud800" <= char <= "\udfff" for char in argument):
            raise UsageError(f"{argument!a} is not UTF-8; rename that file, or give it by another name")


__all__ = ["app", "main"]
