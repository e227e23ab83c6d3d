"""cupel plan: what a run will take, before anything is paid."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cupel.cli import _options as options
from cupel.cli.commands.run import run

NO_BEARING = {
    "out": "where the rows go is the same to what they cost",
    "timeout_s": "how long a call may take is not how long it takes",
    "max_retries": "what failed is not billed, and how much will fail nobody knows",
    "retry_failed": "a plan is for a run from nothing",
    "packing_min": "a certificate says whether packing is allowed, not what it takes",
    "bundle_min": "so does a bundle's",
    "wait": "outages are not foreseen",
    "batch_poll_s": "the provider takes as long as it takes",
    "batch_documents": "so it does, in however many waves",
    "engine": "the same calls are made on a cluster",
    "scheduler": "so they are on somebody else's",
    "key": "no server is asked",
    "report": "it asks no model",
    "safe_csv": "neither does a cell",
    "tidy": "nor does a row of an item",
    "overwrite": "nothing is written",
    "stop_within": "nothing is in flight",
    "gold": "what a record should be is compared without a model",
    "show_held_out": "so it is, shown or not",
}
"""Options of `cupel run` that a plan takes and passes over, and why."""


@options.also(run, NO_BEARING)
def plan(
    file: options.File,
    task: options.Tasks = None,
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
    judge_way: options.JudgeWay = None,
    advisory_judge: options.AdvisoryJudge = None,
    max_refinements: options.MaxRefinements = None,
    output_language: options.OutputLanguage = None,
    policy: options.Policy = None,
    signals: options.Signals = None,
    prerouter: options.Prerouter = None,
    packing: options.Packing = False,
    bundle: options.Bundle = "",
    near_duplicates: options.NearDuplicates = None,
    schema: options.Schema = None,
    instructions: options.Instructions = "",
    limits: options.Limits = "",
    batch: options.Batch = False,
    graph: options.Graph = "enrich",
    server: options.Server = None,
    sample: Annotated[int, typer.Option(min=2, help="Rows to render, drawn from the whole file.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the sample and the intervals.")] = 7,
    as_json: options.AsJson = False,
) -> None:
    """Estimate calls, tokens, cost and time of a run.

    From a uniform sample of the rows and the run log's own history. No model is called, nothing is paid.
    """
    if server is not None:
        print(f"note: planned by this machine's models and prompts; {server} has its own", file=sys.stderr)
    from cupel.cli.plan import FilePlan, plan_file

    plan_file(options.of(FilePlan, locals(), inputs=options.read_inputs(inputs)))
