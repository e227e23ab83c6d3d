"""`cupel.enrich` as cells of a notebook are run: again, under a cap, interrupted, beside another model, on any table."""

from __future__ import annotations

import io
import sys
import types

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pydantic import BaseModel

import cupel
from cupel.errors import InputError
from tests.integration.cascade import CLAIM, TEXT, UNJUDGED, models, record

ARGUMENTS = {"task": "arguments", **UNJUDGED}


@pytest.fixture
def frame():
    """Three speeches, no two the same."""
    return pd.DataFrame({"text": [f"{TEXT} Speech {number}." for number in range(3)], "id": ["a", "b", "c"]})


def test_the_same_cell_three_times_asks_once(project, frame):
    """Its columns are replaced by the same ones, and the frame is what it was after the first time."""
    with models(cheap=record()) as made:
        df = cupel.enrich(frame, project=project, **ARGUMENTS)
        asked = len(made["cheap"].requests)
        once = df.copy()
        for _ in range(2):
            df = cupel.enrich(df, project=project, **ARGUMENTS)

        assert (asked, len(made["cheap"].requests)) == (3, 3)
    pd.testing.assert_frame_equal(df, once)


def test_ids_are_the_tables_own_as_on_the_command_line(project, frame):
    """A column `id` is taken; a copy of the text named so is none of it."""
    with models(cheap=record()):
        df = cupel.enrich(frame, project=project, **ARGUMENTS)

    assert df["arguments_doc_id"].tolist() == ["a", "b", "c"]


def test_a_second_model_stands_beside_the_first(project, frame):
    """By a suffix; a one-off task has a name of its own."""

    class Demand(BaseModel):
        demand: str

    with models(cheap=record(), strong=record(claim="Rents rose by 40 % in ten years")):
        df = cupel.enrich(frame, project=project, **ARGUMENTS)
        other = {
            "task": "arguments",
            "judge": "never",
            "cheap_model": "scripted:strong",
            "strong_model": "none",
        }
        df = cupel.enrich(df, suffix="_b", project=project, **other)
    with models(cheap={"demand": "homes"}):
        df = cupel.enrich(df, schema=Demand, name="demand", project=project, **UNJUDGED)

    assert df.columns.tolist()[2::7] == ["arguments", "arguments_b", "demand"]
    assert df["arguments"][0] != df["arguments_b"][0]
    assert df["demand"][0] == {"demand": "homes"}


def test_at_the_cap_the_paid_rows_come_back_and_a_higher_one_goes_on(project, frame, monkeypatch, caplog):
    """The others have no status, and say why; nothing is paid twice."""
    monkeypatch.setenv("CUPEL_PRICES", "scripted:cheap=1000/1000, scripted:strong=1/1")
    with models(cheap=record()) as made:
        whole = cupel.enrich(frame.assign(text=frame["text"] + " Otherwise."), project=project, **ARGUMENTS)
        one = whole["arguments_cost_usd"].iloc[0]
        capped = cupel.enrich(frame, max_usd=one * 40, limit=1, project=project, **ARGUMENTS)
        capped = cupel.enrich(frame, max_usd=one * 1.5, concurrency=1, project=project, **ARGUMENTS)
        asked = len(made["cheap"].requests)
        raised = cupel.enrich(capped, max_usd=one * 100, project=project, **ARGUMENTS)

        assert len(made["cheap"].requests) - asked == capped["arguments_status"].isna().sum()
    assert capped["arguments_status"].tolist()[0] == "accepted"
    assert capped["arguments_reasons"].tolist()[1:] == [["not run: budget"]] * 2
    assert capped["arguments_status"].isna().tolist() == [False, True, True]
    assert raised["arguments_status"].tolist() == ["accepted"] * 3
    assert "the same call with a higher cap goes on" in caplog.text


def test_rows_beyond_the_limit_say_so(project, frame):
    """Null always means that there is no outcome yet."""
    with models(cheap=record()):
        df = cupel.enrich(frame, limit=1, project=project, **ARGUMENTS)

    assert df["arguments_reasons"].tolist() == [[], ["not run: limit"], ["not run: limit"]]


@pytest.mark.parametrize(
    "kind",
    [pl.DataFrame, pl.LazyFrame, pa.table, lambda rows: pd.DataFrame(rows).to_dict("records")],
    ids=["polars", "lazy", "arrow", "dicts"],
)
def test_another_kind_of_table_is_the_same_run(project, frame, kind):
    """What was paid for with one is found again with the other, and the kind comes back."""
    with models(cheap=record()) as made:
        cupel.enrich(frame, project=project, **ARGUMENTS)
        table = kind(frame.to_dict("list"))
        result = cupel.enrich(table, project=project, **ARGUMENTS)

        assert len(made["cheap"].requests) == 3
    assert type(result) is type(table)
    rows = (
        result
        if isinstance(result, list)
        else (result.collect() if isinstance(result, pl.LazyFrame) else result)
    )
    first = (
        rows[0]
        if isinstance(rows, list)
        else (rows.to_dicts()[0] if isinstance(rows, pl.DataFrame) else rows.to_pylist()[0])
    )
    assert first["arguments"]["claims"] == [{"id": 1, "quote": CLAIM}]


@pytest.mark.parametrize("table", ["debates.csv", {"text": [TEXT]}, 7, [TEXT, 7]])
def test_what_cannot_be_given_back_is_refused_before_a_request(project, table):
    """Nothing is paid for a table that would be lost."""
    with models(cheap=[]) as made:
        with pytest.raises(InputError, match=r"is no table that can be given back|give dicts"):
            cupel.enrich(table, project=project, **ARGUMENTS)
        assert made["cheap"].requests == []


@pytest.fixture
def jupyter(monkeypatch):
    """What is displayed, as a kernel would show it: one output for each display, changed in place."""
    shown: list[list[dict]] = []

    class Handle:
        def __init__(self, content):
            self.content = [content]
            shown.append(self.content)

        def update(self, content, raw):
            self.content.append(content)

    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.display = lambda content, raw, display_id: Handle(content)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    return shown


async def test_a_notebook_shows_a_bar_and_closes_with_cost_statuses_and_report(project, frame, jupyter):
    """One output of the cell, changed in place; `progress=False` shows nothing."""
    with models(cheap=record()):
        cupel.enrich(frame, project=project, **ARGUMENTS)
        cupel.enrich(frame, progress=False, project=project, **ARGUMENTS)

    [output] = jupyter
    last = output[-1]["text/plain"]
    assert all("<script" not in content["text/html"] for content in output)
    assert '<progress max="3" value="3"' in output[-2]["text/html"]
    assert last.startswith("3 rows: 3 accepted · 3 calls, ")
    assert last.rpartition(" · report: ")[2].endswith(".html")
    assert (project.state / "reports").is_dir()


def test_a_script_gets_a_last_line_where_it_asks_for_one(project, frame, capsys):
    """In a schedule nobody looks on: nothing is printed that was not asked for."""
    with models(cheap=record()):
        cupel.enrich(frame, project=project, **ARGUMENTS)
        silent = capsys.readouterr().err
        cupel.enrich(frame, progress=True, report=False, project=project, **ARGUMENTS)

    assert "rows:" not in silent
    assert "3 rows: 3 accepted · nothing was asked" in capsys.readouterr().err


def test_a_terminal_shows_a_bar_that_goes_when_the_last_line_comes(project, frame, monkeypatch):
    """In a script that a person watches: how many are done, and at the end what became of them."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with models(cheap=record()):
        cupel.enrich(frame, report=False, project=project, **ARGUMENTS)
    shown = terminal.getvalue()

    assert "3 accepted" in shown
    assert shown.rstrip().splitlines()[-1].endswith(f"run {cupel.list_runs(project=project)[0]['run_id']}")
