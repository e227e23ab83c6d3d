"""What goes wrong on development documents."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cupel.errors import NotEnoughDataError
from cupel.improvement.campaign import Campaign
from cupel.improvement.dev_trials import failures_of
from cupel.improvement.entries import Book
from cupel.improvement.gate import detection, group_sizes, missing_groups, power_of
from cupel.improvement.guards import example_growth
from cupel.improvement.seen import note_seen
from cupel.improvement.splits import HELD_OUT, Split, split
from cupel.improvement.versions import parts_of
from cupel.metrics import Scored
from cupel.models import resolve_models
from cupel.runs import scores_of
from cupel.state import ImproveState, Outcome
from cupel.stats import Rates, fewest_groups
from cupel.text import forbidden

TYPICAL = Rates(0.13, 0.05)
"""What a good edit does to all documents: the case whose chance to pass is told beforehand."""

MOST_MENDED = 5
"""Instructions that mended single records which a rewriter is told."""


async def freeze_split(state: ImproveState, campaign: Campaign) -> Split:
    """Which documents may be learnt from and which are held out; with it the campaign begins in the ledger.

    A campaign that goes on has the split it began with, whatever was seen since.

    Raises:
        NotEnoughDataError: Before anything is paid, where the gate could not pass with what nobody saw yet.
    """
    task = campaign.task
    book = await asyncio.to_thread(campaign.ledger.book, task.name)
    begun = next((entry.data for entry in book.kind("split") if entry.key == campaign.name), None)
    parts = _split_of(begun) if begun else _split(state, campaign, book)
    if begun is None:
        check_groups(campaign, parts, book)
    dev = sorted({campaign.hashes[doc_id] for doc_id in parts.dev})
    sides = {
        "dev": list(parts.dev), "held_out": list(parts.held_out), "spent": list(parts.spent), "groups": dict(parts.groups),
        "dev_docs": dev, "documents": state["documents"], "version": parts.version,
    }  # fmt: skip
    await campaign.note("split", campaign.name, sides)
    # a rewriter learns from them, and whoever reads the causes does
    await asyncio.to_thread(note_seen, campaign.bench.runtime.run_log, task.name, dev, how="improve")
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


def _split(state: ImproveState, campaign: Campaign, book: Book) -> Split:
    known, ids = book.seen(), book.seen_ids
    seen = [doc_id for doc_id, name in campaign.hashes.items() if name in known or doc_id in ids]
    return split(
        campaign.documents.values(), held_out=state.get("held_out") or HELD_OUT, salt=state.get("split_salt") or "1",
        seen=seen, least_groups=fewest_groups(book.next_alpha),
    )  # fmt: skip


def _split_of(begun: Mapping[str, Any]) -> Split:
    sides = [tuple(begun[side]) for side in ("dev", "held_out", "spent")]
    return Split(sides[0], sides[1], begun["groups"], begun["version"], sides[2])


def check_groups(campaign: Campaign, parts: Split, book: Book) -> None:
    """Refuse what could not pass were every held-out document better; it says what is missing.

    Raises:
        NotEnoughDataError: Naming the groups that are missing, and what became of those that were seen.
    """
    sizes = held_out_sizes(parts)
    missing = missing_groups(len(sizes), book.next_alpha)
    if not missing:
        return
    grouped = any(size > 1 for size in Counter(parts.groups.values()).values())
    unit = "groups" if grouped else "documents"
    look = len(book.looks) + 1
    known, ids = book.seen(), book.seen_ids
    where = Counter(
        known.get(campaign.hashes[doc_id], "an earlier ledger")
        for doc_id in (*parts.dev, *parts.spent)
        if campaign.hashes[doc_id] in known or doc_id in ids
    )
    seen = ", ".join(f"{count} in {how}" for how, count in where.most_common())
    end = "" if missing == 1 else "s"
    more = (
        f"documents of at least {missing} new group{end}"
        if grouped
        else f"at least {missing} new document{end}"
    )
    told = f"; of the others {sum(where.values())} documents were seen already ({seen})" if where else ""
    raise NotEnoughDataError(
        f"nothing was spent: at look {look}, which may spend {book.next_alpha:.2g}, the gate passes nothing with fewer than "
        f"{len(sizes) + missing} held-out {unit} that nobody saw, and there are {len(sizes)}{told}. Add {more}; "
        "with so few only a prompt that is better on every one of them passes"
    )


def held_out_sizes(parts: Split) -> tuple[int, ...]:
    """Documents of each held-out group, the smallest first."""
    return group_sizes([parts.groups[doc_id] for doc_id in parts.held_out])


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


def tokens_of(runs: DevRuns) -> float:
    """Tokens that a development document takes under the prompt as it is, on average."""
    return sum(run.tokens for run in runs.scores.values()) / max(1, len(runs.scores))


def token_growth(state: ImproveState, campaign: Campaign, runs: DevRuns) -> float:
    """Share by which a document's tokens may grow: as asked, or a fifth, or what one example more takes."""
    asked = state.get("max_token_growth")
    return asked if asked is not None else example_growth(campaign.task, tokens_of(runs))


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
    sizes = held_out_sizes(parts)
    grouped = any(size > 1 for size in Counter(parts.groups.values()).values())
    dev_groups = len({parts.groups[doc_id] for doc_id in parts.dev})
    in_groups = (f" in {dev_groups} groups", f" in {len(sizes)} groups") if grouped else ("", "")
    yield (
        f"{len(parts.dev)} development documents{in_groups[0]}, and {len(parts.held_out)} held out{in_groups[1]} "
        "that nobody saw"
    )
    if parts.spent:
        yield f"{len(parts.spent)} documents were seen before and are left aside: they can prove nothing any more"
    book = campaign.ledger.book(campaign.task.name)
    # a campaign that goes on has spent its look already, and is told what it was told before it
    own = next((look for look in book.looks if look.key.startswith(f"{campaign.name}:")), None)
    look, alpha = (own.number, own.alpha) if own else (len(book.looks) + 1, book.next_alpha)
    power = detection(sizes, alpha)
    if campaign.graded:
        power = (
            f"{campaign.task.metric!r} is compared document by document; by right and wrong alone, {power}"
        )
    yield f"at look {look}, {power}"
    if passes := power_of(sizes, TYPICAL, alpha):
        yield (
            f"a prompt that fixes {TYPICAL.fixes:.0%} of documents and breaks {TYPICAL.breaks:.0%} would pass in {passes:.0%} "
            "of cases, by right and wrong"
            + (", if documents of a group change independently" if grouped else "")
        )
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
