"""`cupel.enrich` on DataFrames: from a script, from a running loop, with a task, a schema or a pydantic class."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import types
import warnings
from pathlib import Path

import pandas as pd
import pytest
from pydantic import BaseModel

import cupel
import cupel.errors
from cupel.errors import CupelError, InputError, SettingError
from cupel.models import set_recordings_folder
from cupel.project import Project
from tests.conftest import ROOT
from tests.integration.cascade import ACCEPTS, CLAIM, MODELS, TEXT, UNJUDGED, models, record


@pytest.fixture
def frame():
    """Three speeches under an index of their own."""
    return pd.DataFrame({"text": [TEXT, "", TEXT + " Again."], "party": ["a", "b", "c"]}, index=[30, 10, 20])


def test_a_frame_comes_back_with_the_tasks_columns_and_the_input_untouched(project, frame):
    """The rows, their order and their index are the same; the frame given is not changed."""
    before = frame.copy()
    with models(cheap=record(), judge=ACCEPTS):
        result = cupel.enrich(frame, task="arguments", project=project, **MODELS)

    pd.testing.assert_frame_equal(frame, before)
    assert list(result.index) == [30, 10, 20]
    assert list(result["arguments_status"]) == ["accepted", "failed", "accepted"]
    assert result.loc[30, "arguments"]["claims"][0]["quote"] == CLAIM
    assert result.loc[10, "arguments_reasons"][0].startswith("no text")


async def test_it_works_inside_a_running_loop_as_in_a_notebook(project, frame):
    """The plain call blocks the cell and needs no await."""
    with models(cheap=record()):
        result = cupel.enrich(frame, task="arguments", project=project, **UNJUDGED)

    assert result["arguments_status"].tolist() == ["accepted", "failed", "accepted"]


async def test_the_async_twin_awaits(project, frame):
    """`aenrich` is for code that is async already."""
    with models(cheap=record()):
        result = await cupel.aenrich(frame, task="arguments", project=project, limit=1, **UNJUDGED)

    assert result["arguments_status"].tolist()[0] == "accepted"
    assert result["arguments_status"].isna().tolist() == [False, True, True]


def test_a_pydantic_class_is_a_task_of_its_own(project, frame):
    """A one-off extraction needs no task folder."""

    class Demand(BaseModel):
        demand: str
        deadline: str | None = None

    with models(cheap={"demand": "build homes", "deadline": None}):
        result = cupel.enrich(
            frame, schema=Demand, instructions="What is demanded?", project=project, **UNJUDGED
        )

    assert result.iloc[0]["ad-hoc"] == {"demand": "build homes", "deadline": None}


def test_records_may_come_as_instances_of_the_class(project, frame):
    """Validated, with dates as dates; a row without a record has none."""

    class Demand(BaseModel):
        demand: str
        deadline: dt.date | None = None
        tags: set[str] = set()

    said = {"demand": "build homes", "deadline": "2026-03-10", "tags": None}
    with models(cheap=said):
        result = cupel.enrich(frame, schema=Demand, instances=True, limit=2, project=project, **UNJUDGED)

    assert result.iloc[0]["ad-hoc"] == Demand(demand="build homes", deadline=dt.date(2026, 3, 10))
    assert result["ad-hoc"].tolist()[1:] == [None, None]


@pytest.mark.parametrize(
    "asked", [{"task": "arguments"}, {"schema": {"properties": {"a": {"type": "string"}}}}]
)
def test_instances_need_a_class(project, frame, asked):
    """Said before anything is asked."""
    with pytest.raises(SettingError, match="instances=True makes instances of a pydantic class"):
        cupel.enrich(frame, instances=True, project=project, **asked, **MODELS)


def test_what_is_no_schema_is_said(project, frame):
    """A class that is no model, say."""
    with pytest.raises(SettingError, match="give a JSON Schema as a dict, or a pydantic class"):
        cupel.enrich(frame, schema=dict[str, int], project=project, **MODELS)


def test_a_further_input_comes_from_its_column(project, frame):
    """The stance task needs a topic for every document."""
    answer = {"evidence": [CLAIM], "reason": "calls for homes", "stance": "favor"}
    frame["about"] = ["building homes", "building homes", ""]
    with models(cheap=answer) as made:
        result = cupel.enrich(frame, task="stance", inputs={"topic": "about"}, project=project, **UNJUDGED)

    assert "building homes" in made["cheap"].requests[0].messages[-1]["content"]
    assert result["stance_status"].tolist() == ["accepted", "failed", "failed"]


def test_a_missing_column_is_named_with_those_there_are(project, frame):
    """A missing column gives no KeyError from pandas."""
    with pytest.raises(InputError, match="party"):
        cupel.enrich(frame, task="arguments", text="speech", project=project, **MODELS)


def test_an_unknown_setting_is_named_with_a_near_miss(project, frame):
    """Misspelt keywords do not vanish."""
    with pytest.raises(SettingError, match="did you mean 'max_refinements'"):
        cupel.enrich(frame, task="arguments", max_refinement=1, project=project, **MODELS)


def test_a_refused_key_is_raised_and_nothing_finished_is_lost(project, frame):
    """What stops a run is an exception in Python; the same call resumes."""
    refused = type("Refused", (Exception,), {"status_code": 401})("bad key")
    with models(cheap=refused), pytest.raises(CupelError, match="key"):
        cupel.enrich(frame, task="arguments", project=project, **UNJUDGED)


def test_modules_named_nodes_or_graphs_of_the_caller_stay_the_callers(project, frame, monkeypatch):
    """Loading the graph neither uses nor hides a user's own `nodes.py`."""
    mine = types.ModuleType("nodes")
    monkeypatch.setitem(sys.modules, "nodes", mine)
    with models(cheap=record()):
        cupel.enrich(frame, task="arguments", project=project, **UNJUDGED)

    assert sys.modules["nodes"] is mine
    assert "graphs" not in sys.modules


def test_a_frame_without_a_task_is_told_which_one_it_gets(project, frame, caplog):
    """It is said before anything is paid, with what it will cost; a task or a schema that is named is not repeated."""
    with models(cheap=record()):
        cupel.enrich(frame, project=project, **UNJUDGED)
        [said] = [each.getMessage() for each in caplog.records if each.name == "cupel"]
        caplog.clear()
        cupel.enrich(frame, "arguments", project=project, **UNJUDGED)

    assert "no task was named, so it is 'arguments' (Claims and premises) on 3 rows" in said
    assert caplog.records == []


OFFLINE = {"task": "arguments", "profile": "offline"}


def test_the_warning_of_the_offline_baseline_points_at_the_callers_line(project, frame):
    """From a script, from a running loop as in a notebook, and awaited: it is the line that asked."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        cupel.enrich(frame, project=project, **OFFLINE)
        asyncio.run(_in_a_loop(frame, project))

    here = Path(__file__).read_text().splitlines()
    told = [warning for warning in seen if warning.category is cupel.errors.OfflineWarning]
    assert [warning.filename for warning in told] == [__file__] * 3
    assert [here[warning.lineno - 1].strip().rpartition("cupel.")[2].partition("(")[0] for warning in told] == [
        "enrich", "enrich", "aenrich",
    ]  # fmt: skip


async def _in_a_loop(frame, project):
    cupel.enrich(frame, project=project, **OFFLINE)
    await cupel.aenrich(frame, project=project, **OFFLINE)


class _Planned(Exception):  # noqa: N818  # no error: the plan was made
    pass


def _enough(_plan):
    raise _Planned


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda speeches, told: cupel.plan(speeches, "arguments", **told).warnings, id="plan"),
        pytest.param(
            lambda speeches, told: cupel.compare(
                speeches, "recorded:demo-cheap", "recorded:demo-strong", tell=_enough, **told
            ),
            id="compare",
        ),
    ],
)
def test_recorded_answers_of_the_project_are_found_from_any_folder(tmp_path, monkeypatch, call):
    """The first call of a notebook in an empty folder: nothing there was set up by another one."""
    set_recordings_folder(None)
    monkeypatch.chdir(tmp_path)
    told = {"profile": "demo", "project": Project(ROOT, tmp_path / ".cupel")}
    speeches = pd.DataFrame({"text": ["We must act.", "We must not."]})

    try:
        warnings = call(speeches, told)
    except _Planned:
        warnings = ()
    assert warnings == ()


async def test_calls_at_once_on_one_loop_have_a_run_log_each_and_all_end(project, tmp_path):
    """`asyncio.gather` of two, the natural way to run two models: the one that ends first takes nothing from the other."""
    short = pd.DataFrame({"text": [TEXT]})
    long = pd.DataFrame({"text": [f"{TEXT} Speech {number}." for number in range(40)]})
    other = Project(project.folder, tmp_path / "other" / ".cupel")
    with models(cheap=record()):
        async with asyncio.timeout(120):
            one, two = await asyncio.gather(
                cupel.aenrich(long, "arguments", project=project, concurrency=1, **UNJUDGED),
                cupel.aenrich(short, "arguments", project=other, **UNJUDGED),
            )

    assert set(one["arguments_status"]) == set(two["arguments_status"]) == {"accepted"}
    for at, table in ((project, long), (other, short)):
        [run] = cupel.list_runs(project=at)
        assert len(cupel.outcomes(run["run_id"], project=at)) == len(table)
