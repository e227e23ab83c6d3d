"""An option is the same wherever it may be set: in a command, a function, a job and a worker's order."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields

import pytest

import cupel
from cupel.api import FileRun
from cupel.cli._app import app
from cupel.cli.calibrate import CalibrationRun
from cupel.cli.commands import calibrate, compare, improve, judge_check, plan, run
from cupel.cli.plan import FilePlan
from cupel.context import RunContext
from cupel.runs.cluster.orders import Order
from cupel.runs.job import Job, Terms, Work

SAID_ELSEWISE = {"text_column", "id_column", "wait"}
"""Options that a function has under another name (`text`, `doc_id`, `wait_s`)."""


def defaults(function):
    """The parameters of a command or function that have a default."""
    every = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in every if each.default is not inspect.Parameter.empty}


@pytest.mark.parametrize(
    ("command", "told"), [(run, FileRun), (plan, FilePlan), (calibrate, CalibrationRun)], ids=["run", "plan", "calibrate"]
)  # fmt: skip
def test_a_command_and_its_work_have_one_default(command, told):
    """What nobody typed is the same as what nobody passed."""
    typed = defaults(command)
    own = {each.name: each.default for each in fields(told) if each.default is not MISSING}
    shared = typed.keys() & own.keys() - {"inputs"}

    assert len(shared) > 5
    assert {name: typed[name] for name in shared} == {name: own[name] for name in shared}


@pytest.mark.parametrize(
    ("command", "function"),
    [
        (run, cupel.enrich), (plan, cupel.plan), (calibrate, cupel.calibrate), (compare, cupel.compare),
        (improve, cupel.improve), (judge_check, cupel.judge_check),
    ],
    ids=["run", "plan", "calibrate", "compare", "improve", "judge-check"],
)  # fmt: skip
def test_a_command_and_its_function_have_one_default(command, function):
    """Every option that both have, but for settings: there None is what the profile says."""
    typed, passed = defaults(command), defaults(function)
    shared = (typed.keys() & passed.keys()) - RunContext.model_fields.keys()
    unlike = {
        name: (typed[name], passed[name])
        for name in shared
        if typed[name] != passed[name] and {typed[name], passed[name]} != {None, ""}
    }

    # `enrich` writes a report where somebody looks on; a command always
    assert {name for name in unlike if name not in ("task", "report")} == set()


@pytest.mark.parametrize("kind", [Job, Order, FileRun, FilePlan])
def test_terms_are_declared_once(kind):
    """A job, a worker's order and a command's work inherit them, and copy none by hand."""
    assert issubclass(kind, Terms)
    mine = set(vars(kind).get("__annotations__", {}))

    assert mine & {each.name for each in fields(Terms)} == set()
    assert kind in (FileRun, FilePlan) or mine & {each.name for each in fields(Work)} == set()


def test_every_setting_of_a_command_is_one_of_the_context():
    """No command has a setting of its own that a function could not be told."""
    commands = {
        command.name or command.callback.__name__: command.callback for command in app.registered_commands
    }
    for function, name in ((cupel.enrich, "run"), (cupel.plan, "plan"), (cupel.compare, "compare")):
        typed = set(inspect.signature(commands[name]).parameters) & set(RunContext.model_fields)

        assert typed <= set(inspect.signature(function).parameters)
