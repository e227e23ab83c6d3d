"""Every error Cupel raises on purpose.

    CupelError
    ├── UsageError               what was asked for cannot be done         (change the command or call)
    │   ├── InputError           a file, column or row cannot be read       (fix the input)
    │   │   └── MissingColumnError  … it has no such column             (name one it has)
    │   ├── OutputPathError      the result could not be written there      (choose another path)
    │   ├── SettingError         a setting is unknown or impossible         (fix the setting)
    │   │   └── SetupError       a key or address here that cannot be used  (mend the variable it names)
    │   ├── ProjectError         langgraph.json or a graph cannot be loaded (fix the project, or `cupel init`)
    │   │   └── UntrustedError   its code would run, and nobody allowed it  (look at it, then `cupel trust`)
    │   └── TaskError            a task folder or prompt file is wrong      (fix the file)
    ├── NotEnoughDataError       too few documents or labels to conclude    (collect more; it says how many)
    ├── RunBusyError             another process is at this very run        (wait for it, or end it)
    ├── RunLogError              the run log is away, damaged or foreign    (see the text)
    ├── ModelError               a provider call failed
    │   ├── ProviderRefusedError wrong key, unknown model, no credit        (stops the run)
    │   ├── ProviderOutageError  still failing after every retry            (recorded on the document)
    │   │   └── CircuitOpenError known to be down, so not asked             (the outage fallback takes over)
    │   └── BadRequestError      this request will never be answered        (recorded on the document)
    │       └── SchemaRefusedError  … because of its schema                 (stops the run where the first answers agree)
    ├── DocumentBudgetError      this document may spend no more            (recorded on the document)
    ├── StopRunError             the run ends here and can be resumed with the same command
    │   ├── BudgetExceededError  the run may spend no more                  (raise `--max-usd`)
    │   ├── UnknownPriceError    a model without a price under a cap        (give its price, or no cap)
    │   ├── StoppedError         somebody asked the run to stop             (the same command goes on)
    │   ├── BatchPendingError    batch jobs are still at a provider         (the same command collects them)
    │   ├── ProviderLimitError   a daily limit is reached                   (wait; it says until when)
    │   ├── ProviderDownError    a provider and its fallback stay down      (wait; the same command goes on)
    │   └── MachineError         this machine is short of something         (see the text)
    └── RecordingMissingError    a `recorded:` model has no such answer     (record again; it says how)

A failure on one document is recorded on that document's outcome. Only `UsageError`, `RunLogError`,
`ProviderRefusedError` and `StopRunError` end a run; nothing finished is lost by any of them.
"""

from __future__ import annotations

import re
from pathlib import Path

from cupel.errors.machine import LEAST_CONNECTIONS, SPARE_FILES, chain, connections_at_once, shortage
from cupel.redaction import redact


class CupelError(RuntimeError):
    """Base of everything raised on purpose; `exit_code` is what the command line returns.

    What it says is redacted as it is made: whatever it quotes, of a provider, a library or an address, it is
    read in rows, reports, traces and terminals. A RuntimeError, because a LangGraph server hides the words of most
    other kinds from its users.
    """

    exit_code = 2

    def __init__(self, *said: object) -> None:
        super().__init__(*(redact(part) if isinstance(part, str) else part for part in said))


_OPTION = re.compile(r"`?(?<![\w-])--([a-z][a-z-]+)(?: ([a-z]+)(?=`))?`?")
_FOLDER = re.compile(r"(?<![\w:/.~])(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\:;,'\"()<>]+[/\\])+")


def tell_client(said: object) -> str:
    """What Cupel says, for who speaks to a server: settings in place of options, and no folder of the machine.

    >>> tell_client("/srv/app/prompts/x/extract.md: no text; use --judge-model or `--judge never`")
    'extract.md: no text; use judge_model or `judge: never`'
    """
    text = _OPTION.sub(_as_setting, str(said))
    return _FOLDER.sub("", text)


def _as_setting(option: re.Match[str]) -> str:
    name = {"jury": "jury_models"}.get(option[1], option[1].replace("-", "_"))
    return f"`{name}: {option[2]}`" if option[2] else name


class UsageError(CupelError):
    """What was asked for cannot be done."""


class InputError(UsageError):
    """A file, column or row cannot be read."""


class MissingColumnError(InputError):
    """A file has no such column."""


class OutputPathError(UsageError):
    """The result could not be written there."""


class SettingError(UsageError):
    """A setting is unknown or impossible."""


class SetupError(SettingError):
    """A key or an address in this machine's environment is none that could ever be sent."""

    exit_code = 6


class ProjectError(UsageError):
    """langgraph.json or one of its graphs cannot be loaded."""


class UntrustedError(ProjectError):
    """A project's own code would run, and this user has not allowed it."""


class TaskError(UsageError):
    """A task folder or prompt file is wrong.

    Args:
        problem: What is wrong, with the offending value and the valid ones.
        path: The file to fix; it leads the message.
    """

    def __init__(self, problem: str, *, path: Path | str | None = None) -> None:
        super().__init__(f"{path}: {problem}" if path is not None else problem)
        self.path = path


class OfflineWarning(UserWarning):
    """No language model was asked: the offline baseline filled the records."""


class NotEnoughDataError(CupelError):
    """Too few documents or labels to conclude anything."""


class RunBusyError(CupelError):
    """Another process is at this very run."""


class RunLogError(CupelError):
    """The run log is locked, gone, full, damaged, or was written by something else."""

    exit_code = 6


class ModelError(CupelError):
    """A provider call failed.

    Args:
        problem: What the provider said, shortened.
        model: The model id that was asked.
        status: The HTTP status, where there was one.
    """

    exit_code = 5

    def __init__(self, problem: str, *, model: str = "", status: int | None = None) -> None:
        super().__init__(f"{model}: {problem}" if model else problem)
        self.model = model
        self.status = status


class ProviderRefusedError(ModelError):
    """Wrong key, unknown model or no credit: every further call would fail too."""


class ProviderOutageError(ModelError):
    """Still failing after every retry."""


class CircuitOpenError(ProviderOutageError):
    """The provider has just failed several times in a row, so this call was not sent.

    Args:
        problem: How often it failed and with what.
        model: The model id that would have been asked.
        retry_in_s: Seconds until one call is let through to try again.
    """

    def __init__(self, problem: str, *, model: str = "", retry_in_s: float = 0.0) -> None:
        super().__init__(problem, model=model)
        self.retry_in_s = retry_in_s


class BadRequestError(ModelError):
    """This request will never be answered: too long, or refused by the provider's checks.

    Args:
        problem: What the provider said.
        model: The model id that was asked.
        status: The HTTP status, where there was one.
        of_document: Whether the document is why: it is too long, or was filtered. Else others may well share its lot.
    """

    def __init__(
        self, problem: str, *, model: str = "", status: int | None = None, of_document: bool = False
    ) -> None:
        super().__init__(problem, model=model, status=status)
        self.of_document = of_document


class SchemaRefusedError(BadRequestError):
    """The provider takes no request with this schema.

    Args:
        problem: What the provider said.
        model: The model id that was asked.
        status: The HTTP status, where there was one.
        where: The field it named, such as `claims.quote`; empty where it named none.
    """

    def __init__(self, problem: str, *, model: str = "", status: int | None = None, where: str = "") -> None:
        super().__init__(problem, model=model, status=status)
        self.problem = problem
        self.where = where


class DocumentBudgetError(CupelError):
    """This document may spend no more; the run goes on with the others."""

    exit_code = 3


class StopRunError(CupelError):
    """The run ends here and can be resumed with the same command."""

    exit_code = 3


class BudgetExceededError(StopRunError):
    """The run may spend no more."""


class UnknownPriceError(StopRunError):
    """A model without a known price was asked under a spending cap."""

    exit_code = 2


class StoppedError(StopRunError):
    """Somebody asked the run to stop, so nothing new is sent."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__(
            "it was asked to stop, so nothing new was sent to a model; the same command goes on from here"
        )


class BatchPendingError(StopRunError):
    """The run was asked to stop while batch jobs were at a provider; they go on there."""

    exit_code = 130


class ProviderLimitError(StopRunError):
    """A daily limit is reached.

    Args:
        problem: Which limit, of which model.
        resets_in_s: Seconds until the provider says it opens again, if it said so.
    """

    exit_code = 4

    def __init__(self, problem: str, *, resets_in_s: float | None = None) -> None:
        super().__init__(problem)
        self.resets_in_s = resets_in_s


class ProviderDownError(StopRunError):
    """A provider that is needed, and its fallback, have been down for longer than the run waits."""

    exit_code = 4


class MachineError(StopRunError):
    """This machine is short of something a run needs: open files, memory, room on a disk."""

    exit_code = 6


class RecordingMissingError(ModelError):
    """A `recorded:` model has no answer to this very request."""
