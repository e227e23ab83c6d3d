"""The certificate without which nothing is packed: how far packed records agree with single ones, as measured."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from cupel.engine.packing.packs import PackTerms
from cupel.errors import SettingError
from cupel.files import read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class PackingCertificate:
    """What `cupel calibrate --packing` measured, and what it holds for."""

    task: str
    model: str
    prompt_version: str
    """Of the packed prompt: the task's own wording, its schema and `packing.md`."""

    size: int
    max_chars: int
    metric: str
    agreement: float
    """Mean over documents of the task's metric of the packed record against the single one, in [0, 1]."""

    lower: float
    """One-sided lower bound of it; packs, not documents, are taken to be independent."""

    confidence: float
    packs: int
    documents: int
    unlabelled: int
    """Documents without a record even when asked alone; left out."""

    asked_alone: int
    """Documents the packed request had no record of its own for; a run asks them alone as well, at this rate."""

    single_tokens: int
    packed_tokens: int
    """What the measured documents took, what had to be asked alone after all included."""

    single_usd: float | None
    packed_usd: float | None
    date: str

    @property
    def terms(self) -> PackTerms:
        """What may be packed."""
        return PackTerms(self.size, self.max_chars)

    @property
    def saved(self) -> float:
        """Share of the tokens that packing saves; negative where it costs more."""
        return 1 - self.packed_tokens / self.single_tokens if self.single_tokens else 0.0

    def sentence(self) -> str:
        """What is certified, in words."""
        return (
            f"packed records of {self.task} agree with single ones to {self.agreement:.3f} on average, to at least "
            f"{self.lower:.3f} (one-sided, {self.confidence:.0%}): up to {self.size} documents of at most "
            f"{self.max_chars} characters in one request to {self.model}, prompt {self.prompt_version}, measured on "
            f"{self.documents} documents in {self.packs} packs on {self.date}; {self.saved:.0%} fewer tokens"
        )

    def to_json(self) -> str:
        """For the file."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"

    def check(self, *, model: str, prompt_version: str, min_agreement: float) -> None:
        """See that it holds for a run.

        Raises:
            SettingError: For another model or prompt, or an agreement that is too low, with the next step.
        """
        again = f"measure again: {command(self.task)}"
        if (self.model, self.prompt_version) != (model, prompt_version):
            raise SettingError(
                f"--packing: the certificate of {self.task} is for {self.model} and prompt {self.prompt_version}, "
                f"this run asks {model} with prompt {prompt_version}; {again}"
            )
        if self.lower < min_agreement:
            raise SettingError(
                f"--packing: packed records of {self.task} agree with single ones to at least {self.lower:.3f} only, "
                f"and {min_agreement:g} is asked for; run without --packing, or with smaller packs: "
                f"{command(self.task)} --pack-size {max(2, self.size // 2)}"
            )
        if self.saved <= 0:
            raise SettingError(
                f"--packing: it saves nothing for {self.task} ({self.single_tokens} tokens one by one, "
                f"{self.packed_tokens} packed); run without --packing"
            )


def certificate_path(state: Path, task: str) -> Path:
    """Where `cupel calibrate --packing` stores a task's certificate."""
    return state / "policies" / f"{task}.packing.json"


def read_certificate(state: Path, task: str) -> PackingCertificate:
    """The certificate of a task.

    Raises:
        SettingError: If there is none, or the file cannot be read as one.
    """
    path = certificate_path(state, task)
    try:
        return PackingCertificate(**json.loads(read_text(path)))
    except FileNotFoundError as error:
        raise SettingError(
            f"--packing: nobody has measured yet whether {task} may be packed; do so first: {command(task)}"
        ) from error
    except (ValueError, TypeError) as error:
        raise SettingError(
            f"{path}: not a packing certificate ({error}); make it anew: {command(task)}"
        ) from error


def command(task: str) -> str:
    """What makes a certificate.

    >>> command("arguments")
    'cupel calibrate FILE --task arguments --packing'
    """
    return f"cupel calibrate FILE --task {task} --packing"
