"""Does loop A help: records judged item by item, refined and judged again, and each held against labels by hand.

    CUPEL_BENCH_DATA=DIR python evals/refinement.py argument_components --cheap-model openai:NAME --judge-model openai:OTHER

`CUPEL_BENCH_DATA` holds one folder per set with a `dev.jsonl`; nothing of it is copied. Every document goes through the
enrich graph: it is extracted, judged, refined where the judge rejects, extracted and judged once more, and the record the
judge thinks better wins. `--judge-way criteria` rejects as a task's questions say, and asks a refiner. By `items` what is
estimated below `--reject-below` is rejected: at 1, every objection is carried out. What a stricter judge would have done
is in the same outcomes, so a column for the task's own `wrong_below` stands beside.

All figures come from the run log under `--state`: the same command again asks nothing that was answered. Every request
that can be made is sent at once and waits for an hour, so an endpoint that somebody answers by hand will do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cupel.context import run_context
from cupel.files import read_text
from cupel.metrics import SpanLabels, evaluate, gain, labelled_spans
from cupel.project import Project, find_project
from cupel.runs import Document, is_unanswered, open_bench
from cupel.state import Attempt, Call, Outcome, VerdictRecord, calls_of
from cupel.task import TaskSpec, load_task

OPTIONS: Mapping[str, Any] = {
    "strong_model": "none",
    "judge": "always",
    "advisory_judge": False,
    "timeout_s": 3500.0,
    "max_retries": 0,
}
"""One tier, and a judge that decides: it is the round that is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldSet:
    """A set of labelled documents, and where a record of the task holds the label of a span."""

    task: str
    labels: SpanLabels
    headline: str


SETS = {
    "argument_components": GoldSet(
        task="arguments",
        labels=SpanLabels(names={"claims": "Claim", "premises": "Premise"}),
        headline="spans.iou50.micro_f1",
    ),
    "ner_europarl": GoldSet(
        task="entities",
        labels=SpanLabels(item="type", names={"LAW": "MISC"}),
        headline="spans.exact.micro_f1",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one document went through.

    Attributes:
        id: Its id in the set.
        first: The spans of the record before any refinement.
        last: The spans of the record that won.
        estimate: How good the judge thought the first record, 0 where code rejected it; None where it could not tell.
        rejected: Whether it was rejected, and so refined.
        kept: Whether a refined record won.
        accepted: Whether the judge accepted what the last refinement brought.
        same: Whether refining brought the first record again, word for word.
        tokens: Tokens of the first extraction and judgement, in and out; `tokens_again` of all that followed.
    """

    id: str
    first: list[dict[str, Any]]
    last: list[dict[str, Any]]
    estimate: float | None
    rejected: bool = False
    kept: bool = False
    accepted: bool = False
    same: bool = False
    tokens: int = 0
    tokens_again: int = 0

    def refined(self, limit: float | None) -> bool:
        """Whether a judge has this record refined that rejects below a limit; without one, what it did reject."""
        if limit is None:
            return self.rejected
        return self.estimate is not None and self.estimate < limit


def choose(path: Path, count: int, longest: int, seed: int) -> list[dict[str, Any]]:
    """Some labelled documents of at most so many characters, in an order that is drawn once for all.

    Those with fewer than two spans are left out: there is next to nothing to refine.
    """
    lines = [json.loads(line) for line in read_text(path).splitlines()]
    fitting = [each for each in lines if len(each["text"]) <= longest and len(each["gold"]["spans"]) >= 2]
    random.Random(seed).shuffle(fitting)
    return fitting[:count]


async def refine_all(
    gold: Sequence[Mapping[str, Any]], task: TaskSpec, options: Mapping[str, Any], project: Project
) -> dict[str, Outcome]:
    """Every document's outcome by its id in the set, with all attempts and verdicts on the way."""
    shown = [
        Document(doc_id=f"{n:03}", text=each["text"], group=f"{n:03}", position=n)
        for n, each in enumerate(gold)  # a set's own ids would tell the reader which set it is
    ]
    context = run_context({**OPTIONS, **options}, os.environ)
    async with open_bench(project, "refinement") as opened:
        outcomes = await replace(opened, concurrency=len(shown)).outcomes(task, context, shown)
    ids = {document.doc_id: str(each["id"]) for document, each in zip(shown, gold, strict=True)}
    return {ids[doc_id]: outcome for doc_id, outcome in outcomes.items()}


def weigh(doc_id: str, outcome: Outcome, labels: SpanLabels) -> Trial:
    """What refining did to one document."""
    attempts = [attempt for attempt in outcome["attempts"] if attempt["record"] is not None]
    verdicts = {verdict["attempt"]: verdict for verdict in outcome["verdicts"]}
    first, later = attempts[0], attempts[1:]
    judged = verdicts.get(first["number"])
    begun = tokens_of([*first["calls"], *(judged["calls"] if judged else ())])
    return Trial(
        id=doc_id,
        first=spans_of(outcome, first, labels),
        last=list(labelled_spans(outcome, labels)),
        estimate=estimate_of(judged),
        rejected=judged is not None and judged["verdict"] == "rejected",
        kept=outcome["record"] != first["record"],
        accepted=bool(later) and is_accepted(verdicts.get(later[-1]["number"])),
        same=bool(later) and later[-1]["record"] == first["record"],
        tokens=begun,
        tokens_again=tokens_of([call for _, call in calls_of(outcome)]) - begun,
    )


def is_accepted(verdict: VerdictRecord | None) -> bool:
    """Whether a judge was asked, and accepts."""
    return verdict is not None and verdict["verdict"] == "accepted"


def tokens_of(calls: Sequence[Call]) -> int:
    """Tokens of some calls, in and out."""
    return sum(call["input_tokens"] + call["output_tokens"] for call in calls)


def spans_of(outcome: Outcome, attempt: Attempt, labels: SpanLabels) -> list[dict[str, Any]]:
    """The spans of one attempt's record, had it been the last word."""
    then: Outcome = {**outcome, "record": attempt["record"], "evidence": attempt["evidence"]}
    return list(labelled_spans(then, labels))


def estimate_of(verdict: VerdictRecord | None) -> float | None:
    """How good the judge thinks a record is, in [0, 1]; what code rejects is worth nothing."""
    if verdict is None:
        return None
    return 0.0 if verdict["code_findings"] else verdict["score"]


# ---- what it comes to


def limits_of(task: TaskSpec, tried: float) -> Sequence[float]:
    """Estimates below which a record may be refined: the task's own, the middle, and the one that was tried.

    >>> from types import SimpleNamespace
    >>> limits_of(SimpleNamespace(wrong_below=0.5), 1.0)
    [0.5, 0.75, 1.0]
    """
    return sorted({min(each, tried) for each in (task.wrong_below, (task.wrong_below + tried) / 2, tried)})


def answers_of(trials: Sequence[Trial], limit: float | None) -> list[dict[str, Any]]:
    """What a cascade answers that refines below an estimate; below 0 that is nothing."""
    return [{"id": each.id, "spans": each.last if each.refined(limit) else each.first} for each in trials]


def figures(
    trials: Sequence[Trial], gold: Sequence[dict[str, Any]], told: GoldSet, limit: float | None
) -> Iterator[tuple[str, str]]:
    """What refining below an estimate comes to, by the name of each figure."""
    before, after = (answers_of(trials, each) for each in (0.0, limit))
    refined = [each for each in trials if each.refined(limit)]
    yield "records refined", f"{len(refined)} of {len(trials)}"
    yield "· the new one kept", str(sum(each.kept for each in refined))
    yield "· accepted then", str(sum(each.accepted for each in refined))
    yield "· thought no better, not kept", str(sum(not each.kept and not each.same for each in refined))
    yield "· the same again", str(sum(each.same for each in refined))
    for name, answers in (("F1 before", before), ("F1 after", after)):
        result = evaluate(gold, answers, kinds=["spans"], headline=told.headline)
        yield name, f"{result.value:.3f} {_show(result.interval or (0.0, 1.0), '.3f')}"
    better = gain(gold, before, after, kinds=["spans"], headline=told.headline)
    yield "gain, paired", f"{better.value:+.3f} {_show(better.interval, '+.3f')}"
    changes = [
        change_of(each, document, told)
        for each, document in zip(trials, gold, strict=True)
        if each.refined(limit)
    ]
    yield "fixes, breaks", f"{sum(each > 0 for each in changes)}, {sum(each < 0 for each in changes)}"
    count = max(1, len(trials))
    begun, spent = (
        sum(each.tokens for each in trials) / count,
        sum(each.tokens_again for each in refined) / count,
    )
    yield "tokens a document", f"{begun:.0f} → {begun + spent:.0f}"


def change_of(trial: Trial, document: dict[str, Any], told: GoldSet) -> float:
    """By how much a document's own F1 rises: more than 0 is a fix, less a break."""
    was, now = (
        evaluate(
            [document],
            [{"id": trial.id, "spans": spans}],
            kinds=["spans"],
            headline=told.headline,
            draws=0,
        )
        for spans in (trial.first, trial.last)
    )
    return now.value - was.value


def _show(interval: tuple[float, float], form: str) -> str:
    low, high = interval
    return f"[{low:{form}}, {high:{form}}]"


def main() -> None:
    """Ask, and print a column of figures for each rule."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", choices=[*SETS])
    parser.add_argument("--cheap-model", required=True)
    parser.add_argument("--judge-model", required=True, help="Another one: no model judges its own record.")
    parser.add_argument("--judge-way", choices=["items", "criteria"], default="items")
    parser.add_argument("--refiner-model", default="none", help="Words criteria; items are worded by code.")
    parser.add_argument("--documents", type=int, default=30)
    parser.add_argument("--longest", type=int, default=900, help="Characters of a document at most.")
    parser.add_argument("--rounds", type=int, default=1, help="Refinements of a document at most.")
    parser.add_argument(
        "--reject-below", type=float, default=1.0, help="By items: the estimate from which a record is left."
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--state", default=".cupel/refinement", help="Where answers are kept; asked once.")
    given = parser.parse_args()
    told, found = SETS[given.set], find_project()
    task = load_task(told.task, found.prompts)
    path = Path(os.environ["CUPEL_BENCH_DATA"]) / given.set / "dev.jsonl"
    gold = choose(path, given.documents, given.longest, given.seed)
    options = {
        "cheap_model": given.cheap_model,
        "judge_model": given.judge_model,
        "refiner_model": given.refiner_model,
        "judge_way": given.judge_way,
        "max_refinements": given.rounds,
    }
    by_items = given.judge_way == "items"
    asked = replace(task, wrong_below=given.reject_below) if by_items else task
    outcomes = asyncio.run(refine_all(gold, asked, options, Project(found.folder, Path(given.state))))
    trials = weigh_all(gold, outcomes, told.labels)
    answered = {each.id for each in trials}
    kept = [each for each in gold if str(each["id"]) in answered]
    if lost := len(gold) - len(kept):
        print(f"{lost} of {len(gold)} documents were not answered, and are left out")
    title = f"{given.set}, {len(kept)} documents, {given.cheap_model} judged by {given.judge_model} by {given.judge_way}"
    limits: Sequence[float | None] = limits_of(task, given.reject_below) if by_items else [None]
    Console(width=110).print(tabulate(trials, kept, told, limits, title))


def weigh_all(
    gold: Sequence[Mapping[str, Any]], outcomes: Mapping[str, Outcome], labels: SpanLabels
) -> list[Trial]:
    """What refining did to each document that was answered, in the order of the gold."""
    ids = [str(each["id"]) for each in gold if str(each["id"]) in outcomes]
    return [
        weigh(doc_id, outcomes[doc_id], labels)
        for doc_id in ids
        if outcomes[doc_id]["record"] is not None and not is_unanswered(outcomes[doc_id])
    ]


def tabulate(
    trials: Sequence[Trial],
    gold: Sequence[dict[str, Any]],
    told: GoldSet,
    limits: Sequence[float | None],
    title: str,
) -> Table:
    """A column for each estimate below which records are refined."""
    named = {"rejected" if limit is None else f"estimated below {limit:g}": limit for limit in limits}
    columns = {name: dict(figures(trials, gold, told, limit)) for name, limit in named.items()}
    table = Table("refined what is", *columns, title=title)
    for name in next(iter(columns.values())):
        table.add_row(name, *(found[name] for found in columns.values()))
    return table


if __name__ == "__main__":
    main()
