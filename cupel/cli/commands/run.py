"""cupel run: a file of documents through the cascade, resumable, with one row out for each row in."""

from __future__ import annotations

import typer

from cupel.cli import _options as options

OF_THIS_MACHINE = (
    "packing", "packing_min", "bundle", "bundle_min", "limits", "batch", "batch_poll_s", "batch_documents", "engine", "scheduler",
)  # fmt: skip
"""Options that say how this machine asks models: a server is asked for whole documents."""


def run(
    command: typer.Context,
    file: options.File,
    task: options.Tasks = None,
    out: options.Out = None,
    profile: options.Profile = None,
    text_column: options.TextColumn = "text",
    id_column: options.IdColumn = None,
    inputs: options.Inputs = None,
    gold: options.Gold = "",
    show_held_out: options.ShowHeldOut = False,
    limit: options.Limit = None,
    concurrency: options.Concurrency = 16,
    max_usd: options.MaxUsd = None,
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
    timeout_s: options.TimeoutS = None,
    max_retries: options.MaxRetries = None,
    schema: options.Schema = None,
    instructions: options.Instructions = "",
    retry_failed: options.RetryFailed = False,
    packing: options.Packing = False,
    packing_min: options.PackingMin = 0.95,
    bundle: options.Bundle = "",
    bundle_min: options.BundleMin = 0.95,
    near_duplicates: options.NearDuplicates = None,
    limits: options.Limits = "",
    wait: options.Wait = "120",
    batch: options.Batch = False,
    batch_poll_s: options.BatchPollS = 10.0,
    batch_documents: options.BatchDocuments = 2000,
    engine: options.Engine = "local",
    scheduler: options.Scheduler = None,
    server: options.Server = None,
    key: options.Key = None,
    report: options.Report = True,
    safe_csv: options.SafeCsv = False,
    tidy: options.Tidy = False,
    graph: options.Graph = "enrich",
    overwrite: options.Overwrite = False,
    stop_within: options.StopWithin = 20.0,
    as_json: options.AsJson = False,
) -> None:
    """Enrich a file. The same command again resumes: nothing finished is asked or paid twice.

    Several tasks in one go (`--task arguments,sentiment`) are one run with one cap, and one file with the columns of each.

    To stay cheap: `cupel plan` first, `--limit 20` to look at a few rows, `--max-usd` as a hard cap, and `--strong-model
    none --judge never` for the cheap model alone.
    """
    if not packing:
        options.refuse_without(command, "--packing", "packing_min")
    if not bundle:
        options.refuse_without(command, "--bundle", "bundle_min")
    if not batch:
        options.refuse_without(command, "--batch", "batch_poll_s", "batch_documents")
    if server is None:
        options.refuse_without(command, "--server", "key")
    else:
        options.refuse_beside(command, "--server", *OF_THIS_MACHINE)
    from cupel.api import FileRun
    from cupel.cli.run import run_file

    told = options.of(FileRun, locals(), inputs=options.read_inputs(inputs))
    raise typer.Exit(run_file(told, as_json=as_json))
