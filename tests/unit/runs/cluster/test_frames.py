"""Dask DataFrames enriched partition by partition, in this process."""

import pandas as pd
import pytest
from pydantic import BaseModel

from cupel.errors import BudgetExceededError, InputError, SettingError
from cupel.runs.cluster import frames
from cupel.runs.cluster.frames import enrich_frame, enrich_partition, is_dask_frame
from cupel.task import RecordClass
from tests.unit.runs.stand_in import job_of
from tests.unit.task.travelling import Stance

CHOSEN = {"text": "text", "doc_id": "id", "inputs": {"topic": "topic"}, "limit": None}
TOLD = {"text": "text", "id_column": "id", "inputs": {"topic": "topic"}}


def speeches(*texts):
    """A frame of these texts."""
    return pd.DataFrame(
        {"id": [f"s{n}" for n in range(len(texts))], "text": texts, "topic": "a tax"}, dtype=object
    )


def lazily(df, partitions=1):
    """The frame as Dask's."""
    from dask.dataframe import from_pandas

    return from_pandas(df, npartitions=partitions)


def test_a_frame_of_dask_is_told_from_one_of_pandas():
    """Dask is not imported to find out."""
    assert is_dask_frame(lazily(speeches("a")))
    assert not is_dask_frame(speeches("a"))


def test_a_lazy_frame_asks_nothing_before_it_is_computed_and_nothing_twice(office):
    """The rows, their order and their columns are kept."""
    lazy = enrich_frame(
        lazily(speeches("a", "b", "c", "d"), 2), job_of(office.project), office.project, **CHOSEN
    )
    before = list(office.graph.asked)
    first = lazy.compute(scheduler="synchronous")
    again = lazy.compute(scheduler="synchronous")

    assert before == []
    assert list(first["stance_status"]) == ["accepted"] * 4
    assert list(first["stance_doc_id"]) == list(again["stance_doc_id"]) == ["s0", "s1", "s2", "s3"]
    assert sorted(office.graph.asked) == ["a", "b", "c", "d"]


def test_a_class_given_as_schema_is_found_by_the_workers(office):
    """By its import path, not by pickling: the record column has its instances."""
    made = RecordClass(Stance)
    job = job_of(office.project, record_class=made, output_schema=made.schema)
    lazy = enrich_frame(lazily(speeches("a", "empty")), job, office.project, **CHOSEN, instances=True)
    records = lazy.compute(scheduler="synchronous")["stance"].tolist()

    assert records == [Stance(reason="It says so."), None]


def test_a_class_no_worker_can_import_is_refused_at_once(office):
    """Before anything is asked, however lazy the frame is."""

    class Local(BaseModel):
        """Only this function knows it."""

        reason: str

    job = job_of(office.project, record_class=RecordClass(Local))
    with pytest.raises(SettingError, match="no worker can import this class"):
        enrich_frame(lazily(speeches("a")), job, office.project, **CHOSEN)


def test_what_ends_the_run_is_raised_from_the_partition(office):
    """Dask shows it as the failure of that partition."""
    with pytest.raises(BudgetExceededError):
        enrich_partition(speeches("too dear"), office.order(), TOLD)


def test_a_partition_too_long_for_its_positions_is_refused(office, monkeypatch):
    """Two partitions' rows would be told apart no more."""
    monkeypatch.setattr(frames, "ROWS_A_PARTITION", 1)
    with pytest.raises(InputError, match="partition 3 has 2 rows; repartition to at most 1 rows each"):
        enrich_partition(speeches("a", "b"), office.order(), TOLD, {"number": 3})


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        pytest.param({"limit": 3}, SettingError, "limit is not for a Dask DataFrame", id="a limit"),
        pytest.param({"text": "speech"}, InputError, "no column 'speech'", id="no such column"),
    ],
)
def test_what_cannot_be_done_lazily_is_said_at_once(office, more, error, says):
    """Not when the frame is computed, hours later."""
    with pytest.raises(error, match=says):
        enrich_frame(lazily(speeches("a")), job_of(office.project), office.project, **{**CHOSEN, **more})
