"""What a record has wrong against its reference, in words a rewriter may read."""

from __future__ import annotations

import random

import pytest

from cupel.metrics.differences import find_differences
from cupel.metrics.records import record_metric

QUOTED = {
    "type": "array",
    "items": {
        "properties": {"quote": {"x-grounded": True}, "supports": {"x-refers-to": "claims/id"}},
        "required": ["quote", "supports"],
    },
}
SCHEMA = {
    "properties": {
        "claims": QUOTED, "premises": QUOTED, "stance": {"enum": ["support", "oppose"]}, "tags": {"type": "array"},
    }
}  # fmt: skip
ACT, ROSE, VOTED = "we must act now on prices", "prices rose by a third", "this house voted for it twice"


def record(claims=(), premises=(), **fields):
    return {
        "claims": [{"quote": q} for q in claims],
        "premises": [{"quote": q} for q in premises],
        **fields,
    }


@pytest.mark.parametrize(
    ("given", "wanted", "kind", "words", "quote"),
    [
        pytest.param(
            record([ACT, ROSE]), record([ACT], [ROSE]), "premises_as_claims",
            "the record has 1 of the 1 premises among its claims", ROSE, id="in the wrong list",
        ),
        pytest.param(
            record([ACT]), record([ACT, VOTED]), "claims_missing",
            "claims that are nowhere in the record: 1 of 2", VOTED, id="missing",
        ),
        pytest.param(
            record([ACT], [VOTED]), record([ACT]), "premises_extra",
            "premises that the reference has nowhere: 1", VOTED, id="too many",
        ),
        pytest.param(
            record([ACT + " because everyone can see what is going on"]), record([ACT]), "claims_cut",
            "quotes of claims that say more than the reference's: 1", ACT, id="quoted too far",
        ),
        pytest.param(
            record(stance="support"), record(stance="oppose"), "stance",
            "stance is support where the reference has oppose", None, id="another label",
        ),
        pytest.param(
            record(tags=["a"]), record(tags=["b", "c"]), "tags",
            "tags differ from the reference: one given, several expected", None, id="a list without quotes",
        ),
    ],
)  # fmt: skip
def test_a_fault_is_named_once_with_a_quote_that_shows_it(given, wanted, kind, words, quote):
    """It is told by kind, in words that hold nothing of the document; the quote stands apart."""
    (found,) = find_differences(given, wanted, SCHEMA)

    assert (found.kind, found.words, found.quote) == (kind, words, quote)


def test_a_right_record_has_no_differences():
    """The order of its items does not matter."""
    assert find_differences(record([ACT, VOTED], [ROSE]), record([VOTED, ACT], [ROSE]), SCHEMA) == []


def test_a_field_that_the_reference_leaves_out_is_not_annotated():
    """What the reference leaves out is neither told as a difference nor counted; null says that it should be empty."""
    given = {"claims": [], "premises": [{"quote": ROSE, "supports": 1}], "stance": "support"}

    assert find_differences(given, {"premises": [{"quote": ROSE}]}, SCHEMA) == []
    assert record_metric(given, {"premises": [{"quote": ROSE}]}, metric="items", schema=SCHEMA) == 1
    assert (
        record_metric(given, {"premises": [{"quote": ROSE, "supports": None}]}, metric="items", schema=SCHEMA)
        == 0.5
    )


LABELLED = {
    "properties": {
        "entities": {
            "type": "array",
            "items": {"properties": {"quote": {"x-grounded": True}, "type": {"enum": ["PER", "ORG"]}}},
        },
        "moods": {"type": "array", "items": {"enum": ["joy", "fear"]}},
    }
}


def test_an_item_with_another_label_is_wrong_by_its_label():
    """It is found, and neither missing nor too many."""
    given, wanted = ({"entities": [{"quote": "House", "type": name}]} for name in ("PER", "ORG"))
    (found,) = find_differences(given, wanted, LABELLED)

    assert (found.fault, found.kind) == ("wrong label", "entities_type")
    assert found.words == "type of entities is PER where the reference has ORG: 1"
    assert (found.given["type"], found.wanted["type"], found.quote) == ("PER", "ORG", "House")


def test_the_labels_of_a_list_are_missing_or_too_many_by_their_names():
    """A list of labels has no quotes to be told apart by."""
    found = find_differences({"moods": ["joy"]}, {"moods": ["fear"]}, LABELLED)

    assert [(each.fault, each.kind, each.words) for each in found] == [
        ("missing", "moods_missing", "moods lack fear"),
        ("extra", "moods_extra", "moods have joy, which the reference has not"),
    ]


def test_a_record_that_is_wrong_by_the_metric_differs_in_a_way_that_is_named():
    """Whatever two records of the schema are, none is wrong without a fault, and equal ones have none."""
    drawing = random.Random(7)

    def drawn():
        words = ["the", "house", "of", "prices", "rose", "again", "today"]
        quote = lambda: " ".join(drawing.choices(words, k=drawing.randint(1, 5)))  # noqa: E731
        return {
            "entities": [
                {"quote": quote(), "type": drawing.choice(["PER", "ORG"])}
                for _ in range(drawing.randint(0, 3))
            ],
            "moods": drawing.sample(["joy", "fear"], drawing.randint(0, 2)),
        }

    for _ in range(200):
        one, other = drawn(), drawn()
        for metric in ("record", "items", "exact", "entities", "moods"):
            if record_metric(one, other, metric=metric, schema=LABELLED) < 0.999:
                assert find_differences(one, other, LABELLED, metric=metric), (one, other, metric)
        assert find_differences(one, one, LABELLED, metric="record") == []
