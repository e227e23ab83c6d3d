"""cupel run: a file of documents through the cascade, resumable, with one row out for each row in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cupel.cli import _options as options


def run(
    command: typer.Context,
    file: options.File,
    task: options.Task = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to write; the suffix says the format.")
    ] = None,
    profile: options.Profile = None,
    text_column: options.TextColumn = "text",
    id_column: options.IdColumn = None,
    inputs: options.Inputs = None,
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
    signals: Annotated[
        str | None,
        typer.Option(
            help="Signals that cost calls: agreement, self_verified, self_consistency; default none."
        ),
    ] = None,
    prerouter: Annotated[
        str | None,
        typer.Option(help="A learnt text router (a file) that may skip the cheap model; default none."),
    ] = None,
    timeout_s: Annotated[
        float | None, typer.Option(help="Give up on one call after so many seconds; default 120.")
    ] = None,
    max_retries: Annotated[
        int | None, typer.Option(help="Repeats of a call after passing failures; default 6.")
    ] = None,
    schema: options.Schema = None,
    instructions: options.Instructions = "",
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask anew for the documents that failed before.")
    ] = False,
    packing: Annotated[
        bool,
        typer.Option(
            "--packing",
            help="Several short documents in one request, where `cupel calibrate --packing` certified it.",
        ),
    ] = False,
    packing_min: options.PackingMin = 0.95,
    near_duplicates: options.NearDuplicates = None,
    limits: Annotated[
        str, typer.Option(help='Your own limits, such as "groq:*=rpm:30,tpm:6000"; also CUPEL_LIMITS.')
    ] = "",
    wait: options.Wait = "120",
    batch: Annotated[
        bool, typer.Option("--batch", help="By the providers' batch APIs (openai, groq): half price, slow.")
    ] = False,
    batch_poll_s: Annotated[
        float, typer.Option(min=0.05, help="Seconds before the first look at a batch job; they grow.")
    ] = 10.0,
    batch_documents: Annotated[
        int, typer.Option(min=1, max=50_000, help="Documents in one wave of batch jobs.")
    ] = 2000,
    engine: Annotated[str, typer.Option(help="`local`, or `dask`: partitions on a cluster.")] = "local",
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler; a cluster on this machine when left out.")
    ] = None,
    report: Annotated[bool, typer.Option(help="Write the HTML report.")] = True,
    safe_csv: Annotated[
        bool,
        typer.Option("--safe-csv", help="In CSV and TSV, write cells that a spreadsheet would run as text."),
    ] = False,
    graph: Annotated[str, typer.Option(help="Graph of langgraph.json to run.")] = "enrich",
    overwrite: options.Overwrite = False,
    stop_within: options.StopWithin = 20.0,
    as_json: options.AsJson = False,
) -> None:
    """Enrich a file. The same command again resumes: nothing finished is asked or paid twice.

    To stay cheap: `cupel plan` first, `--limit 20` to look at a few rows, `--max-usd` as a hard cap, and `--strong-model
    none --judge never` for the cheap model alone.
    """
    if not packing:
        options.refuse_without(command, "--packing", "packing_min")
    if not batch:
        options.refuse_without(command, "--batch", "batch_poll_s", "batch_documents")
    from cupel.cli.run import FileRun, run_file

    raise typer.Exit(run_file(options.of(FileRun, locals(), inputs=options.read_inputs(inputs))))
