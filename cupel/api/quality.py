"""How good it is: failures, experiments, two models compared, a judge checked, routing replayed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupel._format import Shown
from cupel.api.lists import Listing
from cupel.api.loops import finish
from cupel.api.signatures import twin_of, with_settings
from cupel.engine import DEFAULT_TASK
from cupel.errors import SettingError
from cupel.limits import DEFAULT_WAIT_S
from cupel.models import resolve_models, set_recordings_folder, settle_settings
from cupel.project import Project, find_project

if TYPE_CHECKING:
    from cupel.evaluation import (
        Comparison,
        ComparisonPlan,
        ExperimentResult,
        FailureGroup,
        JudgeReport,
        RoutingEvaluation,
        SpoiledReport,
    )


def failures(
    task: str | None = None,
    run: str | None = None,
    *,
    limit: int = 20,
    show_held_out: bool = False,
    project: Project | None = None,
) -> Listing[FailureGroup]:
    """What went wrong, grouped by criterion, cause and prompt version, the most frequent first.

    Args:
        task: Only this task's.
        run: Only this run's, by its id or enough of its beginning.
        limit: At most so many groups.
        show_held_out: Also examples of documents the gate holds out, which are spent by being shown.
        project: The project to use; the one around the current folder where left out.

    Raises:
        InputError: If nothing was ever run here, or there is no such run or task.
    """
    from cupel.evaluation import group_failures

    groups = group_failures(project or find_project(), task, run, most=limit, show_held_out=show_held_out)
    return Listing.first(groups, limit)


@dataclass(frozen=True, slots=True)
class FrozenFailures(Shown):
    """A run's failures as a data set.

    Attributes:
        data: `data_set` (its path), `documents`, `failed`, `task`, `run_id` and, where it was uploaded, `langsmith`.
    """

    data: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """What `cupel failures --freeze --json` prints."""
        return self.data


def freeze_failures(
    name: str, task: str | None = None, run: str | None = None, *, criterion: str | None = None, langsmith: bool = False,
    project: Project | None = None,
) -> FrozenFailures:  # fmt: skip
    """Write a run's failures, and as many that passed, as a data set with its card; a name is used once.

    Args:
        name: The data set's, a file name without its end.
        task: Only this task's.
        run: The run's id, or enough of its beginning; the newest where left out.
        criterion: Only those that failed by this criterion.
        langsmith: Also send it to LangSmith.
        project: The project to use; the one around the current folder where left out.

    Raises:
        InputError: For a name that is taken or no file name, or no such run.
        SettingError: For `langsmith` without a key.
    """
    from cupel.evaluation import freeze

    return FrozenFailures(freeze(project or find_project(), name, task, run, criterion, langsmith=langsmith))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation(Shown):
    """An experiment that was run.

    Attributes:
        result: Every variant's figures, with intervals.
        broken: What fell below the committed baseline, in sentences.
        uploads: Addresses in LangSmith, where it was sent there.
    """

    result: ExperimentResult
    broken: tuple[str, ...] = ()
    uploads: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `cupel eval --json` prints."""
        return self.result.to_json() | {"broken": list(self.broken)}


async def aevaluate(
    experiment: str | Path,
    *,
    limit: int | None = None,
    max_usd: float | None = None,
    wait_s: float = DEFAULT_WAIT_S,
    save_baseline: bool = False,
    langsmith: bool = False,
    project: Project | None = None,
) -> Evaluation:
    """Run every variant of an experiment on its documents.

    Args:
        experiment: A TOML as in `evals/experiments/`.
        limit: Only the first so many documents; it is then held against no baseline.
        max_usd: Hard cap on what it may cost, in US dollars.
        wait_s: Seconds to wait for a provider that is down, or for a daily limit.
        save_baseline: Write the figures as the baseline instead of comparing.
        langsmith: Also upload it as an experiment; needs `LANGSMITH_API_KEY`.
        project: The project to use; the one around the current folder where left out.

    Raises:
        InputError: For a data set or baseline that is not there.
        StopRunError: At the cap or a daily limit; the same call goes on from there.
    """
    from cupel.evaluation import read_experiment, run_experiment

    project, told = project or find_project(), await asyncio.to_thread(read_experiment, Path(experiment))
    if limit is not None:
        told = replace(told, limit=limit, baseline=None)
    if save_baseline and told.baseline is None:
        raise SettingError(
            f"{experiment}: --save-baseline needs `baseline = …` in the experiment, and no --limit"
        )
    if langsmith and not os.environ.get("LANGSMITH_API_KEY"):
        raise SettingError("--langsmith needs LANGSMITH_API_KEY")
    result = await run_experiment(project, told, max_usd=max_usd, wait_s=wait_s)
    problems = () if save_baseline else tuple(map(str, await asyncio.to_thread(result.broken)))
    if save_baseline and told.baseline is not None:
        await asyncio.to_thread(result.save, told.baseline)
    urls = await asyncio.to_thread(lambda: tuple(result.upload(os.environ))) if langsmith else ()
    return Evaluation(result=result, broken=problems, uploads=urls)


@twin_of(aevaluate)
def evaluate(experiment: str | Path, **settings: Any) -> Evaluation:
    """Run an experiment and hold it against its baseline. Takes what `aevaluate` takes."""
    return finish(aevaluate(experiment, **settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCheck(Shown):
    """A judge that was checked.

    Attributes:
        judge: The model.
        report: Its agreement with people; or what it caught of records spoiled on purpose.
    """

    judge: str
    report: JudgeReport | SpoiledReport

    def to_json(self) -> dict[str, Any]:
        """What `cupel judge-check --json` prints."""
        return {"judge": self.judge, **self.report.to_json()}


@with_settings
async def ajudge_check(
    labels: str | Path | None = None,
    task: str = DEFAULT_TASK,
    *,
    run: str | None = None,
    limit: int | None = None,
    max_usd: float | None = None,
    project: Project | None = None,
    **settings: Any,
) -> JudgeCheck:
    """Test the judge: its agreement with people, or, without labels, what it catches of records spoiled on purpose.

    Args:
        labels: A file of labels: records with pass or fail, or gold. None for mutation tests on a run.
        task: The task.
        run: The run whose records are looked at; the newest where left out.
        limit: At most so many records.
        max_usd: Hard cap on what it may cost, in US dollars.
        project: The project to use; the one around the current folder where left out.
        **settings: Any field of `RunContext`, such as `judge_model` and `judge_way`.

    Raises:
        SettingError: Where no judge is attached.
        InputError: For labels or a run that cannot be used.
    """
    from cupel.evaluation import compare_with_labels, spoil_run
    from cupel.task import load_task

    project = project or find_project()
    spec, context = load_task(task, project.prompts), settle_settings(settings, os.environ)
    judge = resolve_models(context, os.environ).judge
    if not judge:
        raise SettingError("no judge is attached; name one with --judge-model, or use --profile demo")
    report: JudgeReport | SpoiledReport
    if labels is None:
        report = await spoil_run(project, spec, context, run, limit=limit, max_usd=max_usd)
    else:
        report = await compare_with_labels(
            project, spec, context, Path(labels), run, limit=limit, max_usd=max_usd
        )
    return JudgeCheck(judge=judge, report=report)


@twin_of(ajudge_check)
def judge_check(labels: str | Path | None = None, task: str = DEFAULT_TASK, **settings: Any) -> JudgeCheck:
    """Test the judge, with people's labels or without. Takes what `ajudge_check` takes."""
    return finish(ajudge_check(labels, task, **settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared(Shown):
    """Two models or prompts that were compared.

    Attributes:
        comparison: The figures, and every document with both records and the verdict.
        table: A file with every row, both sides' columns and the verdict.
        page: The records side by side, with the judge's reasons.
    """

    comparison: Comparison
    table: str
    page: str

    def to_json(self) -> dict[str, Any]:
        """What `cupel compare --json` prints."""
        return self.comparison.to_json() | {"table": self.table, "page": self.page}


@with_settings
async def acompare(
    source: Any,
    a: str,
    b: str,
    task: str = DEFAULT_TASK,
    *,
    text: str = "text",
    doc_id: str | None = None,
    inputs: Mapping[str, str | Path] | None = None,
    gold: str = "",
    show_held_out: bool = False,
    out: str | Path | None = None,
    limit: int | None = None,
    concurrency: int = 8,
    max_usd: float | None = None,
    overwrite: bool = False,
    wait_s: float = DEFAULT_WAIT_S,
    tell: Callable[[ComparisonPlan], None] | None = None,
    project: Project | None = None,
    **settings: Any,
) -> Compared:
    """Ask both about the same documents; a third model says which record is better, each shown first once.

    Args:
        source: The documents: a file's name, or a table of any kind `enrich` takes.
        a: `provider:model`, a prompt version, a `rules.toml`, `active`, or `model@version`.
        b: The other one.
        task: The task.
        text: Column with the text.
        doc_id: Column with ids; `id` where there is one, else a hash of the text.
        inputs: Further inputs of the task: its name → your column, or a `Path` to a file whose text is every document's.
        gold: A file of labels, or a column; the column `gold` where there is one.
        show_held_out: Also documents the gate holds out, which are spent by being shown.
        out: Where the table goes, or with `.html` the page; what is not named goes to `.cupel/reports`.
        limit: Only the first so many rows.
        concurrency: Documents worked on at once.
        max_usd: Hard cap on what it may cost, in US dollars.
        overwrite: Replace files of another comparison.
        wait_s: Seconds to wait for a provider that is down, or for a daily limit.
        tell: Is given the plan before anything is asked.
        project: The project to use; the one around the current folder where left out.
        **settings: Any field of `RunContext`, such as `judge_model`.

    Raises:
        UsageError: For a side or column there is not, or an input the task does not take.
        SettingError: Where no judge can tell these two apart.
        StopRunError: At the cap or a daily limit; the same call goes on from there.
    """
    from cupel.evaluation import place_comparison, plan_comparison
    from cupel.report import write_comparison
    from cupel.runs import Columns
    from cupel.tables import check_writable, open_frame, read_input_files

    project = project or find_project()
    context = settle_settings(settings, os.environ)
    set_recordings_folder(project.recordings)
    columns = Columns(text=text, doc_id=doc_id, inputs=read_input_files(inputs))
    file = Path(source) if isinstance(source, str | Path) else None
    plan = await plan_comparison(
        project, file or open_frame(source), task, (a, b), context, columns=columns, limit=limit, gold=gold,
        show_held_out=show_held_out,
    )  # fmt: skip
    rows, page = place_comparison(plan, file, None if out is None else Path(out), columns)
    for output in (rows, page):
        output.check(plan.table.total, overwrite=overwrite)
    check_writable(rows.path, reading=file)
    if tell is not None:
        tell(plan)
    comparison = await plan.run(max_usd=max_usd, concurrency=concurrency, wait_s=wait_s)
    comparison.write_table(rows.path, plan.table, plan.task)
    write_comparison(page.path, comparison.to_json(), comparison.page_rows(), table=rows.path)
    for output in (rows, page):
        output.note(plan.table.total, plan.table.total)
    return Compared(comparison=comparison, table=str(rows.path), page=str(page.path))


@twin_of(acompare)
def compare(source: Any, a: str, b: str, task: str = DEFAULT_TASK, **settings: Any) -> Compared:
    """Compare two models or prompts, judged in both orders by a third. Takes what `acompare` takes."""
    return finish(acompare(source, a, b, task, **settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing(Shown):
    """Routing policies replayed.

    Attributes:
        sets: By source, what every policy would have saved on each of its sets of documents.
    """

    sets: Mapping[str, Sequence[RoutingEvaluation]]

    @property
    def every(self) -> list[RoutingEvaluation]:
        """Every set of every source."""
        return [each for evaluations in self.sets.values() for each in evaluations]

    def to_json(self) -> dict[str, Any]:
        """What `cupel evaluate-routing --json` prints."""
        from cupel.evaluation import to_baseline

        return to_baseline(self.every)


def evaluate_routing(
    *sources: str | Path,
    data: str | Path | None = None,
    seeds: int = 1,
    only: str = "",
    policy: str = "",
    learn: bool = True,
    intervals: bool = True,
    tell: Callable[[str], None] | None = None,
) -> Routing:
    """Say what any routing would have saved, on documents that both models have answered; no model is asked.

    Args:
        *sources: Experiments (.toml), or rows of your own runs (.csv, .jsonl, .parquet).
        data: Folder with the data an experiment names.
        seeds: Fold seeds to average trained policies over.
        only: Only sets whose name contains this.
        policy: Only policies whose name contains this.
        learn: Also replay policies that are trained.
        intervals: Bootstrap intervals of APGR and saving.
        tell: Is given the name of each set as it is begun.

    Raises:
        SettingError: Where no set or policy has such a name.
        InputError: For a source that cannot be read.
    """
    from cupel.evaluation import evaluate as replay, load_experiment, policies_for

    folder = None if data is None else Path(data)
    if folder is not None and (folder / "routing").is_dir():
        folder = folder / "routing"
    folds = [7, *(seed for seed in range(seeds) if seed != 7)][:seeds]
    sets: dict[str, list[RoutingEvaluation]] = {}
    for path in map(Path, sources):
        found = sets.setdefault(str(path), [])
        for source in load_experiment(path, data=folder).sources:
            if only not in source.rows.name:
                continue
            if tell is not None:
                tell(source.rows.name)
            every = policies_for(source.rows, learn=learn and source.learn, core=source.core)
            chosen = [each for each in every if policy in each.name]
            found.append(replay(source.rows, policies=chosen, seeds=folds, intervals=intervals))
    routing = Routing(sets=sets)
    if not any(each.lines for each in routing.every):
        raise SettingError(
            f"no set is named like {only!r} with a policy named like {policy!r}; leave --only or --policy out"
        )
    return routing
