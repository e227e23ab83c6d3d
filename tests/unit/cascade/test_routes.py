"""Where a document goes next, and when the loop on it ends."""

import pytest

from cupel.cascade.routes import critique_hash, record_hash, stop_reason


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, None, id="one rejection, rounds left"),
        pytest.param({"verdict": "accepted"}, "accepted", id="accepted"),
        pytest.param({"verdict": "unknown"}, "unknown", id="the judge does not know"),
        pytest.param({"budget_left": False}, "budget", id="nothing left to spend"),
        pytest.param({"max_refinements": 0}, "rounds", id="no round allowed"),
        pytest.param({"record_hashes": ["a", "b", "c"]}, "rounds", id="two rounds spent"),
        pytest.param({"record_hashes": ["a", "a"]}, "repeated_record", id="the same record again"),
        pytest.param(
            {"record_hashes": ["a", "b"], "critique_hashes": ["x", "x"]},
            "repeated_critique",
            id="the same critique",
        ),
        pytest.param(
            {"record_hashes": ["a", "b"], "critique_hashes": ["x", "y"]}, None, id="something new each time"
        ),
    ],
)
def test_refining_stops_when_another_round_would_teach_nothing(changes, expected):
    """A verdict, an empty purse, spent rounds or a repetition end it."""
    state = {"verdict": "rejected", "record_hashes": ["a"], "critique_hashes": ["x"], "max_refinements": 2}

    assert stop_reason(**{**state, **changes}) == expected


def test_a_record_is_the_same_whatever_the_order_of_its_keys():
    """List order counts, key order does not."""
    assert record_hash({"a": 1, "b": [1, 2]}) == record_hash({"b": [1, 2], "a": 1})
    assert record_hash({"b": [1, 2]}) != record_hash({"b": [2, 1]})


def test_a_critique_is_the_same_when_it_objects_to_the_same():
    """Order, case and spacing of the evidence do not make it new; another criterion or quote does."""
    first = critique_hash([("stance", "We  must"), ("complete", None)])

    assert first == critique_hash([("complete", None), ("stance", "we must")])
    assert first != critique_hash([("stance", "we must")])
    assert first != critique_hash([("stance", "we may"), ("complete", None)])
