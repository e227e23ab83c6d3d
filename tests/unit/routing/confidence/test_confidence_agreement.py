"""Two records agree by what they say, in whatever order they say it."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, strategies as st
from scipy.optimize import linear_sum_assignment

from cupel.routing.confidence.agreement import best_total, record_agreement


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param({"a": [1, 2, 3]}, {"a": [3, 1, 2]}, 1.0, id="order of items does not matter"),
        pytest.param({"a": [1, 1]}, {"a": [1, 2]}, 0.5, id="an item is matched once"),
        pytest.param({"a": [1]}, {"a": [1, 2, 3, 4]}, 0.25, id="missing items count"),
        pytest.param({"a": []}, {"a": []}, 1.0, id="both found nothing"),
        pytest.param({"a": []}, {"a": [1]}, 0.0, id="one found nothing"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, 0.5, id="a field only one has"),
        pytest.param({"a": None}, {"a": None}, 1.0, id="both null"),
        pytest.param({"a": True}, {"a": 1}, 0.0, id="true is not one"),
        pytest.param({"a": "supports"}, {"a": "opposes"}, 0.0, id="labels are never half right"),
        pytest.param({"q": "x", "start": 3}, {"q": "x", "start": 90}, 1.0, id="offsets do not count"),
        pytest.param({}, {}, 1.0, id="empty records"),
        pytest.param(None, {"a": 1}, None, id="no record, no agreement"),
    ],
)
def test_records_are_compared_field_by_field(first, second, expected):
    """The agreement of two records is known by hand, field by field."""
    assert record_agreement(first, second) == expected


def test_lists_of_objects_are_matched_as_a_whole_and_not_by_position():
    """Items are paired in the best way, not greedily."""
    first = {
        "claims": [
            {"quote": "taxes must fall now", "topic": "tax"},
            {"quote": "we need peace", "topic": "war"},
        ]
    }
    second = {
        "claims": [{"quote": "we need peace", "topic": "war"}, {"quote": "taxes must fall", "topic": "tax"}]
    }

    assert record_agreement(first, second) > 0.9


@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=7))
def test_the_pairing_is_optimal(matrix):
    """The pairing has the same total as SciPy's assignment."""
    rows, columns = linear_sum_assignment(matrix, maximize=True)
    wanted = sum(matrix[r][c] for r, c in zip(rows, columns, strict=True))

    assert best_total(matrix) == pytest.approx(wanted)


def test_a_long_list_is_no_trap():
    """Sixty items against sixty stay well under a second."""
    items = [f"claim number {i} about topic {i % 7}" for i in range(60)]
    shuffled = random.Random(0).sample(items, len(items))
    start = time.perf_counter()

    assert record_agreement({"c": items}, {"c": shuffled}) == pytest.approx(1.0)
    assert time.perf_counter() - start < 2
