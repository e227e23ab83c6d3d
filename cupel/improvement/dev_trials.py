"""Development documents tried under a version: scores, and failures in words that hold no document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cupel.improvement.campaign import Campaign
from cupel.improvement.failure_clusters import Failure
from cupel.improvement.guards import LeakGuard
from cupel.metrics import Difference, find_differences
from cupel.runlog import failure_rows
from cupel.runs import scores_of
from cupel.state import Outcome, Record
from cupel.task import TaskSpec, labels_in


@dataclass(frozen=True, slots=True)
class Tried:
    """What a prompt made of some development documents.

    Attributes:
        scores: Document id → score in [0, 1]; a document nobody could score is not there.
        failures: What went wrong.
    """

    scores: Mapping[str, float]
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class DevTrials:
    """What an engine may try a prompt on: the development side, by ids, scored as a re-test is.

    Attributes:
        failing: Documents the prompt as it is gets wrong.
        passing: Documents it gets right.
    """

    _campaign: Campaign
    failing: Sequence[str]
    passing: Sequence[str]

    @property
    def groups(self) -> Mapping[str, str]:
        """Document id → its debate or speaker."""
        documents = self._campaign.documents
        return {doc_id: documents[doc_id].group for doc_id in (*self.failing, *self.passing)}

    @property
    def leaks(self) -> LeakGuard:
        """Knows every document, those held out included."""
        return self._campaign.leaks

    async def try_prompt(self, task: TaskSpec, ids: Sequence[str]) -> Tried:
        """Run documents under another prompt, from the run log where it knows them.

        Raises:
            ValueError: For a document of the held-out side: those are not to be had.
            StopRunError: When the campaign's budget or a daily limit was reached.
        """
        if strange := set(ids) - {*self.failing, *self.passing}:
            raise ValueError(f"not of the development side: {sorted(strange)[:3]}")
        campaign = self._campaign
        outcomes = await campaign.outcomes(task, campaign.trial, ids)
        right_or_wrong, _ = scores_of(outcomes, campaign.chosen(ids), task)
        failures = tuple(
            failure
            for doc_id in ids
            if doc_id in right_or_wrong and right_or_wrong[doc_id].score < 1
            for failure in failures_of(outcomes[doc_id], outcomes[doc_id], campaign)
        )
        return Tried({name: run.score for name, run in campaign.scores(outcomes, ids).items()}, failures)


def failures_of(judged: Outcome, plain: Outcome, campaign: Campaign) -> list[Failure]:
    """What went wrong on a document: by code, by the judge, and against its gold."""
    document = campaign.documents[judged["doc_id"]]
    rows = failure_rows("", "", judged, created_at="")
    failures = [Failure.of(row, text=document.text) for row in rows if row["cause"] != "provider"]
    if document.gold is not None:
        task = campaign.task
        faults = _differences(plain["record"], document.gold, task)
        labels = labels_in(task.asked)
        failures += [Failure.by_gold(fault, plain, document.text, labels) for fault in faults]
    return failures


def _differences(record: Record | None, gold: Record, task: TaskSpec) -> list[Difference]:
    """What a rewriter may answer: no prompt changes how code computes a field."""
    own = None if record is None else task.shown(record)
    return find_differences(own, task.shown(gold), task.asked, metric=task.metric)
