"""Whether a judge names the very place that was spoiled, and not one beside it."""

from __future__ import annotations

import pytest

from cupel.evaluation.spoiled import is_found
from cupel.judging import Mutation


def fault(path, field, criterion="premises_cut", quote=None):
    return {
        "criterion": criterion,
        "finding": "fail",
        "path": path,
        "field": field,
        "evidence_quote": quote,
    }


def named(mutation, *findings):
    return is_found({"code_findings": [], "findings": list(findings)}, mutation)


MOVED = Mutation("reference_moved", {}, "/premises/1/supports", "1 became 2")
LISTED = Mutation("list_changed", {}, "/claims/4", "'it rained' moved to claims")
SPLIT = Mutation("item_split", {}, "/claims/0", "split into …")


@pytest.mark.parametrize(
    ("mutation", "path", "field", "found"),
    [
        pytest.param(MOVED, "/premises/1", "supports", True, id="the reference"),
        pytest.param(MOVED, "/premises/1", "should not be here", True, id="the item as a whole"),
        pytest.param(MOVED, "/premises/1", "quote", False, id="the quote beside it"),
        pytest.param(MOVED, "/premises/10", "supports", False, id="another item"),
        pytest.param(LISTED, "/claims/4", "wrong list", True, id="the list"),
        pytest.param(
            LISTED, "/claims/4", "quote", False, id="a quote in the wrong list is not about the list"
        ),
        pytest.param(SPLIT, "/claims/0", "quote", True, id="a half"),
    ],
)
def test_a_fault_is_found_where_it_was_made(mutation, path, field, found):
    """A full stop too many in a quote is no word on the reference that was moved."""
    assert named(mutation, fault(path, field)) is found


def test_something_missing_from_a_list_is_no_word_on_its_items():
    """It names the list, which every item of it stands under."""
    assert not named(SPLIT, fault("/claims", "", "claims_missing", "it snowed"))


def test_what_was_dropped_is_found_by_its_words():
    """Something else that is missing is not it."""
    dropped = Mutation("item_dropped", {}, "/claims/0", "dropped {'quote': 'it snowed'}")

    assert named(dropped, fault("/claims", "", "claims_missing", "it snowed"))
    assert not named(dropped, fault("/claims", "", "claims_missing", "it rained"))
