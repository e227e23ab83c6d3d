"""cupel plan: what a run will take, before anything is paid."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cupel.cli import _options as options


def plan(
    file: options.File,
    task: options.Task = "",
    profile: options.Profile = None,
    text_column: options.TextColumn = "text",
    id_column: options.IdColumn = None,
    inputs: options.Inputs = None,
    limit: options.Limit = None,
    concurrency: options.Concurrency = 16,
    max_usd: Annotated[float | None, typer.Option(min=0, help="Say whether this cap would do.")] = None,
    max_usd_per_document: options.MaxUsdPerDocument = None,
    cheap_model: options.CheapModel = None,
    strong_model: options.StrongModel = None,
    judge_model: options.JudgeModel = None,
    jury_models: options.Jury = None,
    refiner_model: options.RefinerModel = None,
    agreement_model: options.AgreementModel = None,
    fallback_model: options.FallbackModel = None,
    judge: options.Judge = None,
    max_refinements: Annotated[
        int | None, typer.Option(help="Refinement rounds per tier, 0 for none; default 2.")
    ] = None,
    output_language: Annotated[
        str | None, typer.Option(help="Language of free-text fields; default the task's own.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            help="Calibrated policy: `auto` (default, the newest), `none`, or a file of `cupel calibrate`."
        ),
    ] = None,
    near_duplicates: options.NearDuplicates = None,
    schema: options.Schema = None,
    instructions: options.Instructions = "",
    graph: Annotated[str, typer.Option(help="Graph of langgraph.json to plan for.")] = "enrich",
    sample: Annotated[int, typer.Option(min=2, help="Rows to render, drawn from the whole file.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the sample and the intervals.")] = 7,
    as_json: options.AsJson = False,
    # what `run` also takes, so that one word of a command can be changed; none of it bears on a plan
    out: Annotated[Path | None, typer.Option("--out", "-o", hidden=True)] = None,
    timeout_s: Annotated[float | None, typer.Option(hidden=True)] = None,
    max_retries: Annotated[int | None, typer.Option(hidden=True)] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", hidden=True)] = False,
    packing: Annotated[bool, typer.Option("--packing", hidden=True)] = False,
    packing_min: Annotated[float, typer.Option(hidden=True)] = 0.95,
    wait: Annotated[str, typer.Option("--wait", hidden=True)] = "120",
    report: Annotated[bool, typer.Option(hidden=True)] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", hidden=True)] = False,
) -> None:
    """Estimate calls, tokens, cost and time of a run.

    From a uniform sample of the rows and the run log's own history. No model is called, nothing is paid.
    """
    del (
        out,
        timeout_s,
        max_retries,
        retry_failed,
        packing_min,
        wait,
        report,
        overwrite,
    )
    from cupel.cli.plan import FilePlan, plan_file

    plan_file(options.of(FilePlan, locals(), inputs=options.read_inputs(inputs)))
