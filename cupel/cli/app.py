"""The commands, in the order a newcomer needs them."""

from __future__ import annotations

import typer

from cupel.cli.plan import plan
from cupel.cli.run import run

app = typer.Typer(
    name="cupel",
    help="Documents in; structured, grounded records out: cheap first, strong when in doubt, judged, refined.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich would double the time `cupel --help` takes
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.command()(plan)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        from cupel import __version__

        typer.echo(__version__)
        raise typer.Exit
