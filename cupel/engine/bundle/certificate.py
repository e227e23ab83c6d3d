"""The certificate without which no tasks share a request: how far bundled records agree with single ones, as measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cupel.errors import SettingError
from cupel.files import read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAgreement:
    """What was measured of one task of a bundle."""

    metric: str
    agreement: float
    """Mean over documents of the task's metric of the bundled record against the single one, in [0, 1]."""

    lower: float
    """One-sided lower bound of it; documents are taken to be independent."""

    documents: int
    unlabelled: int
    """Documents without a record even when asked alone; left out."""

    asked_alone: int
    """Documents the bundled request had no record of this task for; a run asks for them alone as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleCertificate:
    """What `cupel calibrate --bundle` measured, and what it holds for."""

    tasks: dict[str, TaskAgreement]
    model: str
    prompt_version: str
    """Of the bundled prompt: the wording and schemas of all tasks, and `bundle.md`."""

    max_chars: int
    confidence: float
    single_tokens: int
    bundled_tokens: int
    """What the measured documents took, what had to be asked alone after all included."""

    single_usd: float | None
    bundled_usd: float | None
    date: str

    @property
    def lower(self) -> float:
        """The bound of the task that agrees least."""
        return min(each.lower for each in self.tasks.values())

    @property
    def saved(self) -> float:
        """Share of the tokens that the bundle saves; negative where it costs more."""
        return 1 - self.bundled_tokens / self.single_tokens if self.single_tokens else 0.0

    def sentence(self) -> str:
        """What is certified, in words."""
        each = "; ".join(
            f"{task} to {one.agreement:.3f} on average, to at least {one.lower:.3f}, on {one.documents} documents"
            for task, one in self.tasks.items()
        )
        return (
            f"bundled records agree with single ones: {each} (one-sided, {self.confidence:.0%}); texts of at most "
            f"{self.max_chars} characters, {self.model}, prompt {self.prompt_version}, measured on {self.date}; "
            f"{self.saved:.0%} fewer tokens"
        )

    def to_json(self) -> str:
        """For the file."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"

    def check(self, *, model: str, prompt_version: str, min_agreement: float) -> None:
        """See that it holds for a run.

        Raises:
            SettingError: For another model or prompt, or an agreement that is too low, with the next step.
        """
        named = ",".join(self.tasks)
        if (self.model, self.prompt_version) != (model, prompt_version):
            raise SettingError(
                f"--bundle {named}: the certificate is for {self.model} and prompt {self.prompt_version}, this run asks "
                f"{model} with prompt {prompt_version}; measure again: {command(list(self.tasks))}"
            )
        for task, one in self.tasks.items():
            if one.lower < min_agreement:
                raise SettingError(
                    f"--bundle {named}: bundled records of {task} agree with single ones to at least {one.lower:.3f} only, "
                    f"and {min_agreement:g} is asked for; run it without --bundle, or bundle the others"
                )
        if self.saved <= 0:
            raise SettingError(
                f"--bundle {named}: it saves nothing ({self.single_tokens} tokens one by one, {self.bundled_tokens} "
                "bundled); run without --bundle"
            )


def bundle_path(state: Path, tasks: Sequence[str]) -> Path:
    """Where `cupel calibrate --bundle` stores the certificate of these tasks.

    >>> bundle_path(Path(".cupel"), ["stance", "emotion"]).name
    'emotion+stance.bundle.json'
    """
    return state / "policies" / f"{'+'.join(sorted(tasks))}.bundle.json"


def read_bundle_certificate(state: Path, tasks: Sequence[str]) -> BundleCertificate:
    """The certificate of these tasks.

    Raises:
        SettingError: If there is none, or the file cannot be read as one.
    """
    path = bundle_path(state, tasks)
    try:
        written = json.loads(read_text(path))
        each = {task: TaskAgreement(**one) for task, one in written["tasks"].items()}
        return BundleCertificate(**{**written, "tasks": each})
    except FileNotFoundError as error:
        raise SettingError(
            f"--bundle {','.join(tasks)}: nobody has measured yet whether they may share a request; do so first: "
            f"{command(tasks)}"
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SettingError(
            f"{path}: not a bundle's certificate ({error}); make it anew: {command(tasks)}"
        ) from error


def command(tasks: Sequence[str]) -> str:
    """What makes a certificate.

    >>> command(["emotion", "stance"])
    'cupel calibrate FILE --bundle emotion,stance'
    """
    return f"cupel calibrate FILE --bundle {','.join(tasks)}"
