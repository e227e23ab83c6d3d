"""The commands, in the order a newcomer needs them."""

from __future__ import annotations

import typer

from cupel.cli.calibrate import calibrate
from cupel.cli.compare import compare
from cupel.cli.doctor import doctor
from cupel.cli.evaluate import evaluate
from cupel.cli.evaluate_routing import evaluate_routing
from cupel.cli.failures import failures
from cupel.cli.improve import improve
from cupel.cli.init import init
from cupel.cli.judge_check import judge_check
from cupel.cli.plan import plan
from cupel.cli.prompts import prompts
from cupel.cli.report import report
from cupel.cli.run import run
from cupel.cli.show import show
from cupel.cli.tasks import tasks

app = typer.Typer(
    name="cupel",
    help="Documents in; structured, grounded records out: cheap first, strong when in doubt, judged, refined.",
    epilog="In a project its .env is read, as `langgraph dev` reads it; variables that are set already stand.",
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
    show,
    failures,
    report,
    calibrate,
    evaluate_routing,
    improve,
    judge_check,
    compare,
):
    app.command()(command)
app.command("eval")(evaluate)
app.add_typer(prompts)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        from cupel import __version__

        typer.echo(__version__)
        raise typer.Exit
