"""cupel calibrate: a confidence that is measured, and a threshold with a certificate."""

from __future__ import annotations

from typing import Annotated

import typer

from cupel.cli import _options as options


def calibrate(
    command: typer.Context,
    file: options.File,
    task: options.Task = "",
    risk: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="What may be accepted and wrong, as a share.")
    ] = 0.05,
    delta: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="Chance that the promise is broken.")
    ] = 0.1,
    kind: Annotated[
        str,
        typer.Option(help="joint: P(accepted and wrong) ≤ risk. conditional: P(wrong | accepted) ≤ risk."),
    ] = "joint",
    sample: Annotated[
        int | None,
        typer.Option(
            min=2, help="Documents to label, drawn uniformly from the file: 300, or 600 with --packing."
        ),
    ] = None,
    gold: Annotated[
        str,
        typer.Option(
            metavar="FILE|COLUMN",
            help="A file of labels, or a column; without it the strong model is the reference.",
        ),
    ] = "",
    signals: Annotated[
        str | None,
        typer.Option(
            help="Further signals that cost calls: agreement, self_verified, self_consistency; default none."
        ),
    ] = None,
    field: Annotated[str, typer.Option(help="Calibrate this field alone, beside the whole record.")] = "",
    prerouter: Annotated[
        bool, typer.Option("--prerouter", help="Also learn a text router from the sample.")
    ] = False,
    packing: Annotated[
        bool,
        typer.Option(
            "--packing",
            help="Instead: measure whether short documents may share a request (`cupel run --packing`).",
        ),
    ] = False,
    pack_size: Annotated[int, typer.Option(help="Documents in one request, with --packing.")] = 4,
    pack_chars: Annotated[
        int, typer.Option(help="Longest text that is packed, in characters, with --packing.")
    ] = 1500,
    packing_min: options.PackingMin = 0.95,
    bundle: Annotated[
        str,
        typer.Option(
            "--bundle",
            metavar="TASK,TASK",
            help="Instead: measure whether these tasks may share a request (`cupel run --bundle`).",
        ),
    ] = "",
    bundle_chars: Annotated[
        int, typer.Option(help="Longest text that is bundled, in characters, with --bundle.")
    ] = 4000,
    bundle_min: options.BundleMin = 0.95,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before spending.")] = False,
    profile: options.Profile = None,
    text_column: options.TextColumn = "text",
    id_column: options.IdColumn = None,
    inputs: options.Inputs = None,
    concurrency: options.Concurrency = 16,
    max_usd: options.MaxUsd = None,
    cheap_model: options.CheapModel = None,
    strong_model: options.StrongModel = None,
    agreement_model: options.AgreementModel = None,
    seed: Annotated[int, typer.Option(help="Of the sample, and of which labels fit and which certify.")] = 0,
    stop_within: options.StopWithin = 20.0,
    as_json: options.AsJson = False,
) -> None:
    """Measure confidence and certify a threshold.

    Both tiers are run on a uniform sample; the score is fitted on one part of it, certified on the other.
    With --packing the cheap model is asked about a sample alone and in packs, and their agreement is certified; with --bundle
    for each task alone and for all of them at once.
    """
    if packing:
        options.refuse_beside(
            command, "--packing", "risk", "delta", "kind", "gold", "signals", "field", "prerouter"
        )
        options.refuse_beside(command, "--packing", "strong_model", "agreement_model")
    else:
        options.refuse_without(command, "--packing", "pack_size", "pack_chars", "packing_min")
    if bundle:
        options.refuse_beside(
            command,
            "--bundle",
            "task",
            "packing",
            "risk",
            "delta",
            "kind",
            "gold",
            "signals",
            "field",
            "prerouter",
        )
        options.refuse_beside(command, "--bundle", "strong_model", "agreement_model")
    else:
        options.refuse_without(command, "--bundle", "bundle_chars", "bundle_min")
    from cupel.cli.calibrate import CalibrationRun, run_calibration

    run_calibration(options.of(CalibrationRun, locals(), inputs=options.read_inputs(inputs)))
