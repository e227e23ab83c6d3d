"""`cupel plan` takes the line of `cupel run`, and shows what bears on a plan."""

from __future__ import annotations

import typer

from cupel.cli._app import app
from cupel.cli.commands.plan import NO_BEARING

COMMANDS = typer.main.get_command(app).commands
RUN = {option.name: option for option in COMMANDS["run"].params}
PLAN = {option.name: option for option in COMMANDS["plan"].params}


def test_every_option_of_run_is_one_of_plan_with_the_same_words():
    """So a line is planned first by changing one word of it, and no option can be forgotten."""
    assert set(RUN) - set(PLAN) == set()
    assert {name: PLAN[name].opts for name in RUN} == {name: RUN[name].opts for name in RUN}
    assert {name: PLAN[name].default for name in RUN} == {name: RUN[name].default for name in RUN}


def test_what_plan_passes_over_is_listed_with_a_reason_and_hidden():
    """All else is shown, since it changes what a plan says."""
    hidden = {name for name, option in PLAN.items() if getattr(option, "hidden", False)}

    assert hidden == set(NO_BEARING)
    assert all(NO_BEARING.values())
