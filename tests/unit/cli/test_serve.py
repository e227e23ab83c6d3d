"""cupel serve: what callers may do, and their keys, as an owner types it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cupel.cli import app
from cupel.errors import SettingError, UsageError
from tests.conftest import clone_project


@pytest.fixture
def typed(tmp_path, monkeypatch):
    """A command given in a project of one's own."""
    folder = clone_project(tmp_path)
    monkeypatch.chdir(folder)

    def give(*args):
        return CliRunner().invoke(app, ["serve", *args], catch_exceptions=True)

    return give


def test_a_key_is_made_listed_and_revoked(typed):
    """The key is printed once, alone on the output; afterwards its name is."""
    made = typed("keys", "create", "ada")
    key = json.loads(typed("keys", "create", "prom", "--metrics", "--json").stdout)
    typed("keys", "revoke", "ada")
    listed = json.loads(typed("keys", "list", "--json").stdout)

    assert made.stdout.strip().startswith("cupel_")
    assert len(made.stdout.split()) == 1
    assert key["key"].startswith("cupel_")
    assert [(use["name"], use["kind"], bool(use["revoked_at"])) for use in listed] == [
        ("ada", "caller", True), ("prom", "metrics", False),
    ]  # fmt: skip
    assert "cupel_" not in typed("keys", "list").stdout


def test_a_policy_is_checked_as_it_will_be_read(typed, tmp_path):
    """None, a wrong one and a good one; a model without a price is told of."""
    none = typed("check")
    (tmp_path / "serve.toml").write_text('tasks = ["stanc"]')
    wrong = typed("check")
    (tmp_path / "serve.toml").write_text(
        'graphs = ["enrich"]\ntasks = ["stance"]\nmodels = ["openai:nobody-knows"]'
    )
    good = typed("check")

    assert isinstance(none.exception, SettingError)
    assert "there is none. Without it a server lets its own machine do everything" in str(none.exception)
    assert "tasks: there is no 'stanc'; there are arguments" in str(wrong.exception)
    assert "tasks: stance" in good.stdout
    assert "the price of openai:nobody-knows is unknown" in good.stdout
    assert "one that runs goes by what it read then" in good.stdout
    assert json.loads(typed("check", "--json").stdout)["models_allowed"] == ["openai:nobody-knows"]


def test_a_key_that_is_not_there_is_said_to_be_none(typed):
    """The names of those there are come with it."""
    typed("keys", "create", "ada")

    refused = typed("keys", "revoke", "bob")
    assert isinstance(refused.exception, UsageError)
    assert "there is no key 'bob'; there are ada" in str(refused.exception)
