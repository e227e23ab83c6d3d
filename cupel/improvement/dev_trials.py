"""Development documents tried under a version: scores, and failures in words that hold no document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cupel.improvement.campaign import Campaign
from cupel.improvement.engines import Tried
from cupel.improvement.failure_clusters import Failure
from cupel.improvement.guards import LeakGuard
from cupel.improvement.versions import replace_prompt
from cupel.metrics import find_differences
from cupel.runlog import failure_rows
from cupel.runs import scores_of
from cupel.state import Outcome
from cupel.task import Rule


@dataclass(frozen=True, slots=True)
class DevTrials:
    """What an engine may try rules on: the development side, by ids, scored as a re-test is."""

    campaign: Campaign
    failing: Sequence[str]
    passing: Sequence[str]

    @property
    def groups(self) -> Mapping[str, str]:
        """Document id → its debate or speaker."""
        known = self.campaign.documents
        return {doc_id: known[doc_id].group for doc_id in (*self.failing, *self.passing)}

    @property
    def leaks(self) -> LeakGuard:
        """Knows every document, those held out included."""
        return self.campaign.leaks

    async def tried(self, rules: Sequence[Rule], ids: Sequence[str]) -> Tried:
        """Run documents under other rules; those of the held-out side are not to be had."""
        if strange := set(ids) - {*self.failing, *self.passing}:
            raise ValueError(f"not of the development side: {sorted(strange)[:3]}")
        campaign = self.campaign
        task = replace_prompt(campaign.task, rules)
        found = await campaign.outcomes(task, campaign.trial, ids)
        right_or_wrong, _ = scores_of(found, campaign.chosen(ids), task)
        wrong = [doc_id for doc_id in ids if doc_id in right_or_wrong and right_or_wrong[doc_id].score < 1]
        failures = [
            failure for doc_id in wrong for failure in failures_of(found[doc_id], found[doc_id], campaign)
        ]
        return Tried(
            {doc_id: run.score for doc_id, run in campaign.scores(found, ids).items()}, tuple(failures)
        )


def failures_of(judged: Outcome, plain: Outcome, campaign: Campaign) -> list[Failure]:
    """What went wrong on a document: by code, by the judge, and against its gold."""
    document = campaign.documents[judged["doc_id"]]
    rows = failure_rows("", "", judged, created_at="")
    found = [
        Failure(
            doc_id=row["doc_id"],
            criterion=row["criterion"],
            prompt_version=row["prompt_version"],
            critique=row["reasoning"],
            quote=row["quote"],
            quote_verified=row["cause"] == "judge" and row["quote"] is not None,
            fixed_by=row["fixed_by"] if row["fixed_by"] in ("addendum", "escalation") else "none",
            cost_usd=row["cost_usd"],
        )
        for row in rows
        if row["cause"] != "provider"
    ]
    if document.gold is not None:
        found += [
            Failure(
                doc_id=document.doc_id,
                criterion=f"reference_{fault.kind}",
                prompt_version=plain["prompt_version"],
                critique=fault.words,
                quote=fault.quote,
                quote_verified=fault.quote is not None and fault.quote in document.text,
                cost_usd=plain["cost_usd"],
            )
            for fault in find_differences(plain["record"], document.gold, campaign.task.schema)
        ]
    return found
