"""What goes wrong on development documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cupel.improvement.campaign import Campaign
from cupel.improvement.dev_trials import failures_of
from cupel.improvement.gate import detection, look_alpha
from cupel.improvement.splits import HELD_OUT, Split, split
from cupel.improvement.versions import parts_of
from cupel.metrics import Scored
from cupel.models import resolve_models
from cupel.runs import scores_of
from cupel.state import ImproveState, Outcome
from cupel.text import forbidden

MOST_MENDED = 5
"""Instructions that mended single records which a rewriter is told."""


async def freeze_split(state: ImproveState, campaign: Campaign) -> Split:
    """Which documents may be learnt from and which are held out; with it the campaign begins in the ledger."""
    parts = split(campaign.documents.values(), held_out=state.get("held_out") or HELD_OUT)
    dev, held_out, task = list(parts.dev), list(parts.held_out), campaign.task
    sides = {"dev": dev, "held_out": held_out, "documents": state["documents"], "version": parts.version}
    await campaign.note("split", parts.version, sides)
    version = {
        "version": campaign.version, "parent": None, "author": "file", **parts_of(task),
    }  # fmt: skip
    await campaign.note("version", campaign.version, version)
    settings = {
        "version": campaign.version, "held_out": parts.version, "engine": state.get("engine") or "reflect",
        "models": resolve_models(campaign.context, campaign.bench.runtime.env).all(), "gate_judge": campaign.gate_judge,
        "jury": list(campaign.jury), "decided_by": "gold" if campaign.by_gold else "judge",
    }  # fmt: skip
    await campaign.note("note", f"{campaign.name}:begins", settings)
    return parts


@dataclass(frozen=True, slots=True)
class DevRuns:
    """The development documents under the prompt as it is.

    Attributes:
        judged: Outcomes with the judge's word on each, refined where that helps: what went wrong, and what mended it.
        plain: Outcomes as versions are compared, nothing refined.
        scores: Of the plain outcomes.
        unknown: Documents nobody could score.
    """

    judged: Mapping[str, Outcome]
    plain: Mapping[str, Outcome]
    scores: Mapping[str, Scored]
    unknown: Sequence[str]

    @property
    def failed(self) -> list[str]:
        """Documents that are not as good as they could be: where gold grades, all of them are raw material."""
        return sorted(doc_id for doc_id, run in self.scores.items() if run.score < 1)

    @property
    def passed(self) -> list[str]:
        """The other scored documents."""
        return sorted(self.scores.keys() - set(self.failed))


async def run_dev(campaign: Campaign, ids: Sequence[str]) -> DevRuns:
    """Run the prompt as it is on the development side, and score it."""
    judging = (
        campaign.context if campaign.by_gold else campaign.context.model_copy(update={"judge": "always"})
    )
    judged = await campaign.outcomes(campaign.task, judging, ids)
    plain = await campaign.outcomes(campaign.task, campaign.trial, ids)
    return DevRuns(
        judged, plain, *scores_of(plain, campaign.chosen(ids), campaign.task, graded=campaign.graded)
    )


def gather_failures(campaign: Campaign, runs: DevRuns) -> list[dict[str, Any]]:
    """What went wrong on the failed documents, by code, by the judge, and against gold; and in the run that was named."""
    failures = [
        failure
        for doc_id in runs.failed
        for failure in failures_of(runs.judged[doc_id], runs.plain[doc_id], campaign)
    ]
    if campaign.production is not None:
        # what is held out stays so, whichever run it was in
        held_out = [d.text for doc_id, d in campaign.documents.items() if doc_id not in runs.plain]
        failures += campaign.production.without(held_out)
    return [asdict(failure) for failure in dict.fromkeys(failures)]


def list_mended(campaign: Campaign, runs: DevRuns) -> str:
    """Instructions that mended single records, as far as a rewriter may read them: the best source of a rule."""
    written = [
        text
        for outcome in runs.judged.values()
        if outcome["status"] == "accepted"
        for addendum in outcome["addenda"]
        for text in addendum["instructions"]
        if forbidden(text) is None and campaign.leaks.leak(text) is None
    ]
    return "\n".join(f"- {text}" for text in list(dict.fromkeys(written))[:MOST_MENDED])


def tell_notes(campaign: Campaign, parts: Split, runs: DevRuns) -> Iterator[str]:
    """What to know about the documents and the test."""
    yield f"{len(parts.dev)} development and {len(parts.held_out)} held-out documents"
    look = campaign.ledger.looks(campaign.task.name, parts.version) + 1
    power = detection(len(parts.held_out), look_alpha(look))
    if campaign.graded:
        power = (
            f"{campaign.task.metric!r} is compared document by document; by right and wrong alone, {power}"
        )
    yield f"at look {look}, {power}"
    if runs.unknown:
        yield f"{len(runs.unknown)} development documents could not be scored and are left out"
    yield from campaign.warnings
    scores, by = runs.scores, "their gold" if campaign.by_gold else "the judge"
    if campaign.graded and scores:
        mean = sum(run.score for run in scores.values()) / len(scores)
        yield f"{campaign.task.metric!r} is {mean:.3f} on average on the {len(scores)} development documents"
    elif scores and len(runs.failed) == len(scores):
        yield f"every development document fails by {by}: look at it before trusting it"
    elif scores and not runs.failed:
        yield f"no development document fails by {by}"
