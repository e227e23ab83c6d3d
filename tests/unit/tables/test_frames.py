"""DataFrames in, DataFrames out."""

import numpy as np
import pandas as pd
import pytest

from cupel.errors import InputError
from cupel.tables.columns import task_columns
from cupel.tables.frames import attach_columns, frame_rows
from tests.unit.tables.factory import outcome


@pytest.fixture
def frame():
    """Three rows under an index of their own."""
    return pd.DataFrame(
        {"text": ["One.", None, "Three."], "motion": ["tax", "war", ""], "key": [7, 8, 7]},
        index=["x", "x", "z"],
    )


def test_rows_come_in_order_with_ids_and_inputs(frame):
    """A frame gives the same rows as a file, and no cell is copied."""
    table = frame_rows(frame, "text", "key", {"topic": "motion"})
    rows = list(table)

    assert (len(table), [row.position for row in rows]) == (3, [0, 1, 2])
    assert rows[0].text == "One."
    assert rows[1].text is None or np.isnan(rows[1].text)
    assert [row.doc_id for row in rows] == ["7", "8", "7#2"]
    assert [row.inputs for row in rows] == [{"topic": "tax"}, {"topic": "war"}, {}]
    assert rows[2].problem == "no topic: the cell of column 'motion' is empty"
    assert all(row.values == {} for row in rows)  # noqa: PD011  # a Row, not a frame
    assert "earlier row has" in table.warnings[0]


def test_limit_takes_rows_from_the_top(frame):
    """A limit takes the first rows, as it does of a file."""
    assert [row.text for row in frame_rows(frame, limit=1)] == ["One."]


def test_a_frame_without_rows_gives_a_frame_without_rows():
    """The result has the new columns all the same: a pipeline's empty day is no error."""
    empty = pd.DataFrame({"text": pd.Series([], dtype="object")})

    assert list(frame_rows(empty)) == []
    assert list(attach_columns(empty, [], "stance").columns) == ["text", *task_columns("stance")]


def test_a_missing_column_is_named_with_those_there_are(frame):
    """The error names the likely column too."""
    with pytest.raises(InputError, match=r"the DataFrame: no column 'Text'.*did you mean 'text'"):
        frame_rows(frame, "Text")


def test_a_column_that_occurs_twice_is_refused(frame):
    """Which one is meant cannot be known."""
    with pytest.raises(InputError, match="column 'text' occurs twice"):
        frame_rows(pd.concat([frame, frame], axis=1))


def test_the_input_frame_is_never_changed(frame):
    """It is changed neither by attaching nor by changing the result afterwards."""
    before = frame.copy()
    result = attach_columns(frame, [outcome(), outcome(), outcome()], "stance")
    result.loc[:, "text"] = "changed"
    result.iloc[0, 2] = 99

    pd.testing.assert_frame_equal(frame, before)
    assert result.index.equals(frame.index)
    assert list(result.columns) == ["text", "motion", "key", *task_columns("stance")]


def test_columns_have_useful_types(frame):
    """Records are dicts, unknown numbers NaN, an index with repeated labels is no obstacle."""
    outcomes = [
        outcome(),
        outcome(confidence=None, cost_usd=None, reasons=["in doubt"]),
        outcome(record=None, status="failed", model=None),
    ]
    result = attach_columns(frame, outcomes, "stance")

    assert result["stance"].tolist() == [outcomes[0]["record"], outcomes[1]["record"], None]
    assert result["stance_status"].tolist() == ["accepted", "accepted", "failed"]
    assert result["stance_confidence"].dtype == result["stance_cost_usd"].dtype == np.float64
    assert result["stance_confidence"].isna().tolist() == [False, True, False]
    assert result["stance_reasons"].tolist() == [[], ["in doubt"], []]
    assert result["stance_model"].isna().tolist() == [False, False, True]


def test_unknown_numbers_alone_are_still_a_number_column(frame):
    """An uncalibrated run has no confidence at all; the column's type does not depend on that."""
    result = attach_columns(frame, [outcome(confidence=None)] * 3, "stance")

    assert result["stance_confidence"].dtype == np.float64


def test_the_columns_of_an_earlier_call_are_replaced(frame):
    """A cell of a notebook may run again; they stay where they are, and the frame that was given has the old ones."""
    once = attach_columns(frame, [outcome(status="failed")] * 3, "stance")
    again = attach_columns(once.assign(after=1), [outcome()] * 3, "stance")

    assert list(again.columns) == [*once.columns, "after"]
    assert again["stance_status"].tolist() == ["accepted"] * 3
    assert once["stance_status"].tolist() == ["failed"] * 3


def test_a_frame_with_some_of_the_tasks_columns_is_refused(frame):
    """They are somebody's own, such as the stance people found, and would be lost."""
    frame["stance"] = "mine"

    with pytest.raises(InputError, match="the DataFrame: has the columns 'stance' already"):
        attach_columns(frame, [outcome()] * 3, "stance")


def test_every_row_needs_an_outcome(frame):
    """A dropped row would shift the others."""
    with pytest.raises(ValueError, match="2 outcomes for 3 rows"):
        attach_columns(frame, [outcome()] * 2, "stance")


def test_among_very_many_ids_the_repeated_ones_are_told_apart_too():
    """Another way of comparing begins at 20,000; both say the same."""
    keys = [*range(20_001), 7, 20_000]
    table = frame_rows(pd.DataFrame({"text": "t", "key": keys}), "text", "key", {})

    assert [row.doc_id for row in table][-3:] == ["20000", "7#2", "20000#2"]
    assert "2 rows have an id" in table.warnings[0]
