"""A measured confidence, or a certificate for packing: `calibrate`, and `acalibrate` for code that is async already."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from cupel.api.choices import (
    check_for_all,
    choose_bundle,
    choose_tasks,
    open_sources,
    split_tasks,
)
from cupel.api.loops import finish
from cupel.api.signatures import twin_of, with_settings
from cupel.api.source import open_source, read_task
from cupel.engine import DEFAULT_TASK, PackTerms
from cupel.errors import SettingError
from cupel.models import check_models, resolve_models, set_recordings_folder, settle_settings
from cupel.project import Project, find_project
from cupel.runs import Job
from cupel.tables import Row

if TYPE_CHECKING:
    from cupel.calibration import BundleResult, CalibrationResult, CallCost, PackingResult
    from cupel.task import TaskSpec

SAMPLE, PACKED_SAMPLE = 300, 600


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationPlan:
    """A calibration before anything is asked.

    Attributes:
        task: The task.
        rows: The sample.
        costs: What the calls will about cost: by tier, or of packing under `packing`.
        terms: How documents are packed; None where a confidence is calibrated.
        notes: What was left out of the gold.
        bundle: The tasks that share a request, where that is measured.
    """

    task: TaskSpec
    rows: Sequence[Row]
    costs: Mapping[str, CallCost]
    terms: PackTerms | None = None
    notes: tuple[str, ...] = ()
    bundle: Sequence[str] = ()


@with_settings
async def acalibrate(
    source: Any,
    task: str | None = None,
    *,
    risk: float = 0.05,
    delta: float = 0.1,
    kind: str = "joint",
    sample: int | None = None,
    gold: str = "",
    field: str = "",
    prerouter: bool = False,
    packing: bool = False,
    pack_size: int = 4,
    pack_chars: int = 1500,
    packing_min: float = 0.95,
    bundle: str | Sequence[str] = "",
    bundle_chars: int = 4000,
    bundle_min: float = 0.95,
    text: str = "text",
    doc_id: str | None = None,
    inputs: Mapping[str, str | Path] | None = None,
    concurrency: int = 16,
    max_usd: float | None = None,
    seed: int = 0,
    tell: Callable[[CalibrationPlan], None] | None = None,
    project: Project | None = None,
    **settings: Any,
) -> CalibrationResult | PackingResult | BundleResult:
    """Run both tiers on a uniform sample, fit a confidence on one part of it, and certify a threshold on the other.

    Args:
        source: The documents: a file's name, or a table of any kind `enrich` takes.
        task: A task of the project; `arguments` where left out.
        risk: At most this share of records may be accepted and wrong …
        delta: … but for this probability over the draw of the sample.
        kind: `joint` (of all documents) or `conditional` (of those accepted).
        sample: Documents to label; 300 where left out, 600 for packing.
        gold: A file of labels, or a column; without it the strong model's record is the reference.
        field: Calibrate this field alone.
        prerouter: Also learn a text router from the sample.
        packing: Instead: measure whether short documents may share a request.
        pack_size: Documents in one request, with `packing`.
        pack_chars: Longest text that is packed, in characters, with `packing`.
        packing_min: Least agreement of packed with single records.
        bundle: Instead: measure whether these tasks may share a request.
        bundle_chars: Longest text that is bundled, in characters, with `bundle`.
        bundle_min: Least agreement of bundled with single records, for each task.
        text: Column with the text.
        doc_id: Column with ids; `id` where there is one.
        inputs: Further inputs of the task: its name → your column, or a `Path` to a file whose text is every document's.
        concurrency: Documents worked on at once.
        max_usd: Hard cap on what it may cost, in US dollars.
        seed: Of the sample, and of which labels fit and which certify.
        tell: Is given what it will about cost, before anything is asked; may raise to end it there.
        project: The project to use; the one around the current folder, else the starter.
        **settings: Any field of `RunContext`.

    Returns:
        The policy (or certificate), where it is stored, and its figures; runs of the task use it from then on.

    Raises:
        NotEnoughDataError: If the sample is too small for what is promised.
        SettingError: For an unknown kind, field or setting.
        CupelError: What stopped it; the same call goes on from there.
    """
    from cupel.calibration import (
        calibrate as certify_threshold,
        certify_packing,
        packing_cost,
        sample_cost,
        sample_packs,
        sample_rows,
    )
    from cupel.cascade import read_signals
    from cupel.metrics import open_gold, tell_gold
    from cupel.routing import Promise, RiskKind

    if kind not in get_args(RiskKind):
        raise SettingError(f"--kind {kind!r}: one of {', '.join(get_args(RiskKind))}")
    project = project or find_project()
    if bundle:
        if task is not None or packing:
            raise SettingError("bundle names the tasks it measures: leave task and packing out")
        return await _calibrate_bundle(
            source, bundle, project, settings, text=text, doc_id=doc_id, inputs=inputs or {}, sample=sample, seed=seed,
            tell=tell, terms={"concurrency": concurrency, "max_usd": max_usd},
            bundled={"max_chars": bundle_chars, "min_agreement": bundle_min},
        )  # fmt: skip
    spec, _, _ = read_task(task, project, default=DEFAULT_TASK, inputs=inputs or {})
    context = settle_settings({**settings, "judge": "never"}, os.environ, task=spec)
    set_recordings_folder(project.recordings)
    check_models(resolve_models(context, os.environ), os.environ)
    read_signals(context)
    table = open_source(
        source, spec, text=text, doc_id=doc_id, inputs=inputs, with_values=bool(gold) and not packing
    )
    job = Job(
        task=spec, context=context, graph="calibrate", input_name=_name_of(source, table.name), concurrency=concurrency, max_usd=max_usd
    )  # fmt: skip
    if packing:
        terms = PackTerms(pack_size, pack_chars)
        rows = sample_packs(table, spec, terms, sample or PACKED_SAMPLE, seed=seed)
        if tell is not None:
            costs = {"packing": packing_cost(rows, spec, context, terms, os.environ)}
            tell(CalibrationPlan(task=spec, rows=rows, costs=costs, terms=terms))
        return await certify_packing(rows, job, project, terms, min_agreement=packing_min, seed=seed)
    golden = open_gold(gold, table, spec, id_column=doc_id) if gold else None
    rows = sample_rows(table, sample or SAMPLE, seed=seed)
    if tell is not None:
        tell(
            CalibrationPlan(
                task=spec, rows=rows, costs=sample_cost(rows, spec, context, os.environ),
                notes=tuple(tell_gold(golden, table)),
            )
        )  # fmt: skip
    promise = Promise(risk=risk, delta=delta, kind=kind)  # type: ignore[arg-type]  # checked above
    return await certify_threshold(
        rows, job, project, promise=promise, gold=golden, seed=seed, prerouter=prerouter, field=field
    )


async def _calibrate_bundle(
    source: Any,
    named: str | Sequence[str],
    project: Project,
    settings: Mapping[str, Any],
    *,
    text: str,
    doc_id: str | None,
    inputs: Mapping[str, str | Path],
    sample: int | None,
    seed: int,
    tell: Callable[[CalibrationPlan], None] | None,
    terms: Mapping[str, Any],
    bundled: Mapping[str, Any],
) -> BundleResult:
    """Sample, tell the cost, ask for each task alone and for all at once, certify."""
    from cupel.calibration import bundle_cost, certify_bundle, sample_bundle

    choices = choose_tasks(split_tasks(named), project, inputs=inputs)
    contexts = [choice.context({**settings, "judge": "never"}) for choice in choices]
    check_for_all(choices, contexts[0])
    bundle = choose_bundle(named, choices, contexts, **bundled)
    if bundle is None:
        raise SettingError("--bundle: name at least two tasks, with commas")
    check_models(resolve_models(contexts[0], os.environ), os.environ)
    table = open_sources(source, choices, text=text, doc_id=doc_id, limit=None, bundle=bundle, inputs=inputs)[
        0
    ]
    rows = sample_bundle(table, bundle, sample or SAMPLE, seed=seed)
    if tell is not None:
        costs = {"bundle": bundle_cost(rows, bundle.tasks, bundle.context, os.environ)}
        tell(CalibrationPlan(task=bundle.tasks[0], rows=rows, costs=costs, bundle=bundle.names))
    jobs = [
        choice.job(context, input_name=_name_of(source, table.name), **terms)
        for choice, context in zip(choices, contexts, strict=True)
    ]
    return await certify_bundle(rows, jobs, project, bundle, seed=seed)


@twin_of(acalibrate)
def calibrate(
    source: Any, task: str | None = None, **settings: Any
) -> CalibrationResult | PackingResult | BundleResult:
    """Measure confidence and certify a threshold. Takes what `acalibrate` takes."""
    return finish(acalibrate(source, task, **settings))


def _name_of(source: Any, table: str) -> str:
    """What the run log calls the documents; of a frame as `enrich` does, so that its answers are found again."""
    return str(source) if table == str(source) else "DataFrame"
