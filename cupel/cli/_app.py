"""The commands, in the order a newcomer needs them."""

from __future__ import annotations

import typer

from cupel.cli.commands import (
    assistants,
    calibrate,
    charts,
    compare,
    doctor,
    evaluate,
    evaluate_routing,
    export,
    failures,
    forget,
    improve,
    init,
    judge_check,
    labels,
    plan,
    prompts,
    report,
    run,
    runlog,
    runs,
    serve,
    show,
    tasks,
    trust,
)

app = typer.Typer(
    name="cupel",
    help="Documents in; structured, grounded records out: cheap first, strong when in doubt, judged, refined.",
    epilog="A .env of the project, and one beside the file of documents, is read and named; variables that are set already stand.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich would double the time `cupel --help` takes
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    init,
    doctor,
    tasks,
    plan,
    run,
    runs,
    show,
    failures,
    report,
    export,
    charts,
    calibrate,
    evaluate_routing,
    improve,
    judge_check,
    compare,
    forget,
    trust,
):
    app.command()(command)
app.command("eval")(evaluate)
app.add_typer(labels)
app.add_typer(prompts)
app.add_typer(assistants)
app.add_typer(runlog)
app.add_typer(serve)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        from cupel import __version__

        typer.echo(__version__)
        raise typer.Exit
