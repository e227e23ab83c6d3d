"""Where a run stands, and what makes it end early."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cupel.errors import BudgetExceededError, CupelError, StoppedError, StopRunError
from cupel.judging import audits_in, false_pass_rate
from cupel.runlog import FORGOTTEN, Usage, is_forgotten
from cupel.runs.causes import Causes
from cupel.state import Outcome, VerdictName
from cupel.text import is_taken_over


@dataclass(slots=True)
class Progress:
    """Where a run stands; read it while it goes on."""

    total: int | None = None
    done: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    escalated: int = 0
    reused: int = 0
    """Outcomes that were in the run log already."""

    audits: Counter[VerdictName] = field(default_factory=Counter)
    """What second judges said of a random sample of what the judge accepted."""

    duplicates: int = 0
    """Outcomes taken over from an earlier row with the same, or nearly the same, text."""

    usage: Usage = field(default_factory=Usage)
    """Of all outcomes so far, those that were in the run log included."""

    undecided: int = 0
    """Outcomes that may be the run's fault: the same command walks their documents anew."""

    causes: Causes = field(default_factory=Causes)
    """Why rows failed."""

    started: float = field(default_factory=time.monotonic)

    @classmethod
    def sum_of(cls, parts: Sequence[Progress]) -> Progress:
        """Where several stand together, every document counted once in each; what only one has, such as causes, left out."""
        totals = [part.total for part in parts]
        whole = cls(total=None if None in totals else sum(filter(None, totals)))
        for part in parts:
            for name in ("done", "escalated", "reused", "duplicates", "undecided"):
                setattr(whole, name, getattr(whole, name) + getattr(part, name))
            whole.statuses.update(part.statuses)
            whole.audits.update(part.audits)
            whole.started = min(whole.started, part.started)
        return whole

    def note(self, outcome: Outcome, *, reused: bool) -> None:
        """One more document has its outcome."""
        self.done += 1
        if is_forgotten(outcome):
            self.statuses[FORGOTTEN] += 1
            return
        self.statuses[outcome["status"]] += 1
        self.escalated += "escalate" in outcome["path"]
        if not is_taken_over(outcome):  # its verdict is another row's, and counts there
            self.audits.update(audits_in(outcome))
        self.reused += reused
        self.usage.add(outcome)
        self.causes.note(outcome)


class Stop:
    """Asks a run to start nothing more; what is in flight is finished and saved."""

    def __init__(self) -> None:
        self.requested = False
        self.error: CupelError | None = None
        self.interrupted = False

    def because_of(self, error: CupelError) -> None:
        """Remember the first error that ended the run; what only says that it was told to stop is none."""
        if isinstance(error, StoppedError):
            self.interrupt()
            return
        if self.requested and type(error) is StopRunError:
            return
        self.requested = True
        self.error = self.error or error

    @property
    def why(self) -> str | None:
        """Why rows were not reached, in a word: `budget`, `interrupted` or `stopped`; None where nothing ended the run."""
        if isinstance(self.error, BudgetExceededError):
            return "budget"
        if self.interrupted:
            return "interrupted"
        return "stopped" if self.requested else None

    def check(self) -> None:
        """Raise what ended the run early, if anything did.

        Raises:
            StoppedError: Where a person asked for it.
            CupelError: What else ended it.
        """
        if self.error is not None:
            raise self.error
        if self.interrupted:
            raise StoppedError

    def interrupt(self) -> None:
        """A person asked for it (Ctrl-C), or whoever ends processes here."""
        self.requested = self.interrupted = True


def statuses_of(progress: Progress) -> dict[str, int]:
    """How many documents have which status, by name; `pending` those that were not reached."""
    missing = (progress.total or progress.done) - progress.done
    return dict(sorted(progress.statuses.items())) | ({"pending": missing} if missing else {})


def audits_of(progress: Progress) -> dict[str, Any] | None:
    """The false-pass rate as the second judges see it, over all documents of this invocation; None without audits."""
    if not progress.audits:
        return None
    seen = false_pass_rate(list(progress.audits.elements()))
    return {
        "audited": seen.audited,
        "rejected": progress.audits["rejected"],
        "unknown": seen.unknown,
        "false_pass_rate": seen.rate,
        "interval": list(seen.interval),
    }
