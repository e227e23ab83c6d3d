"""What lets a run ask about several documents, or for several tasks, in one request: a certificate, or a trial that measures one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cupel.engine import (
    Bundle,
    Packing,
    PackTerms,
    bundled_prompt,
    packed_prompt,
    read_bundle_certificate,
    read_certificate,
)
from cupel.errors import SettingError
from cupel.models import name_at_address
from cupel.runs.job import Job


def certified_terms(job: Job, packing: Packing, cheap: str, state: Path, env: Mapping[str, str]) -> PackTerms:
    """How a run packs documents.

    Args:
        job: What is to be done.
        packing: What it was told of packing.
        cheap: The model that is asked first.
        state: The project's state folder, where certificates are.
        env: Variables that say where the model is asked.

    Raises:
        SettingError: Without a certificate that says how far packed records agree with single ones.
    """
    if job.batch is not None:
        raise SettingError(
            "--packing is not for --batch: a batch is half the price already; leave one of them out"
        )
    if packing.trial is not None:
        return packing.trial
    certificate = read_certificate(state, job.task.name)
    certificate.check(
        model=name_at_address(cheap, env),
        prompt_version=packed_prompt(job.task, cheap, job.context).version,
        min_agreement=packing.min_agreement,
    )
    return certificate.terms


@dataclass(frozen=True, slots=True)
class CertifiedBundle:
    """Tasks that share a request, and what certifies it in words; nothing where it is only measured."""

    bundle: Bundle
    version: str
    """Of the prompt that asks for all of them."""

    sentence: str = ""

    def to_json(self) -> dict[str, Any]:
        """As the run log keeps it with the run's settings."""
        return {
            "tasks": self.bundle.names, "prompt_version": self.version, "longest": self.bundle.longest,
            "certificate": self.sentence,
        }  # fmt: skip


def certified_bundle(bundle: Bundle, cheap: str, state: Path, env: Mapping[str, str]) -> CertifiedBundle:
    """The tasks that share a request, about texts as long as they were measured on; the rest as `certified_terms`.

    Raises:
        SettingError: Without a certificate that says how far bundled records agree with single ones.
    """
    version = bundled_prompt(bundle, cheap).version
    if bundle.trial:
        return CertifiedBundle(bundle, version)
    certificate = read_bundle_certificate(state, bundle.names)
    certificate.check(
        model=name_at_address(cheap, env), prompt_version=version, min_agreement=bundle.min_agreement
    )
    return CertifiedBundle(replace(bundle, max_chars=certificate.max_chars), version, certificate.sentence())
