"""A record against its reference."""

import copy
import itertools
import random

import pytest

from cupel.metrics.assignment import best_pairs
from cupel.metrics.records import record_metric

SCHEMA = {
    "type": "object",
    "properties": {
        "claims": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "x-id": True},
                    "text": {"type": "string"},
                    "quote": {"type": "string", "x-grounded": True},
                    "stance": {"enum": ["in favour", "in doubt"]},
                },
            },
        },
        "premises": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "quote": {"type": "string", "x-grounded": True},
                    "supports": {"anyOf": [{"type": "string"}, {"type": "null"}], "x-refers-to": "claims/id"},
                },
            },
        },
        "topic": {"type": ["string", "null"]},
    },
}
REFERENCE = {
    "claims": [
        {"id": "c1", "text": "Action is due.", "quote": "we must act now", "stance": "in favour"},
        {"id": "c2", "text": "Waiting costs.", "quote": "waiting costs more", "stance": "in doubt"},
    ],
    "premises": [
        {"quote": "the ice melts", "supports": "c1"},
        {"quote": "prices rise each year", "supports": "c2"},
    ],
    "topic": "climate",
}


def score(change=None, metric="record"):
    record = copy.deepcopy(REFERENCE)
    if change:
        change(record)
    return record_metric(record, REFERENCE, metric=metric, schema=SCHEMA)


@pytest.mark.parametrize("metric", ["record", "exact", "items", "claims", "topic"])
def test_the_reference_itself_scores_one(metric):
    """By every metric the reference itself scores 1."""
    assert score(metric=metric) == 1


@pytest.mark.parametrize("metric", ["record", "exact", "items"])
def test_order_and_names_of_ids_do_not_matter(metric):
    """The same claims in another order under other ids, their premises following, are the same record."""

    def reorder(record):
        record["claims"].reverse()
        record["premises"].reverse()
        names = {"c2": "a", "c1": "b"}
        for claim in record["claims"]:
            claim["id"] = names[claim["id"]]
        for premise in record["premises"]:
            premise["supports"] = names[premise["supports"]]

    assert score(reorder, metric) == 1


def test_a_premise_that_supports_another_claim_is_half_right():
    """Its quote is right, what it refers to is not."""
    swapped = score(
        lambda r: [p.update(supports=s) for p, s in zip(r["premises"], ["c2", "c1"], strict=True)],
        "premises",
    )

    assert swapped == 0.5


@pytest.mark.parametrize(
    ("change", "metric", "expected"),
    [
        pytest.param(lambda r: r["claims"].pop(), "claims", 2 / 3, id="an item missing"),
        pytest.param(
            lambda r: r["claims"].append(copy.deepcopy(r["claims"][0])),
            "claims",
            4 / 5,
            id="an item twice",
        ),
        pytest.param(lambda r: r["claims"][0].update(stance="in doubt"), "claims", 5 / 6, id="a wrong label"),
        pytest.param(
            lambda r: r["claims"][0].update(quote="we act now"),
            "claims",
            (2 + 6 / 7) / 6 + 0.5,
            id="a short quote",
        ),
        pytest.param(
            lambda r: r["claims"][0].update(quote="elsewhere said"), "claims", 0.5, id="another place"
        ),
        pytest.param(lambda r: r.update(claims=[]), "claims", 0, id="nothing found"),
        pytest.param(lambda r: r.update(topic=None), "topic", 0, id="left empty"),
        pytest.param(lambda r: r.update(topic=None), "exact", 0, id="not equal"),
        pytest.param(lambda r: r.update(topic=None), "items", 1, id="items only"),
        pytest.param(lambda r: r.update(topic=None), "record", 2 / 3, id="one field of three"),
    ],
)
def test_what_differs_costs_its_share(change, metric, expected):
    """Each field counts alike, each item alike."""
    assert score(change, metric) == pytest.approx(expected)


def test_labels_are_right_or_wrong_though_their_words_overlap():
    """One of "in favour" is not nearly "in doubt"."""
    assert (
        record_metric({"s": "in doubt"}, {"s": "in favour"}, schema={"properties": {"s": {"enum": []}}}) == 0
    )
    assert record_metric({"s": "in doubt"}, {"s": "in favour"}) == 0.5


def test_no_record_scores_zero_and_two_empty_ones_agree():
    """Where nothing was to be found, nothing found is right."""
    assert record_metric(None, REFERENCE) == 0
    assert record_metric({"claims": []}, {"claims": []}) == 1
    assert record_metric({"claims": [{"quote": "x"}]}, {"claims": []}) == 0
    assert record_metric({}, {}, metric="items") == 1


def test_true_is_not_one():
    """JSON tells them apart."""
    assert record_metric({"n": True}, {"n": 1}) == 0
    assert record_metric({"n": 1.0}, {"n": 1}) == 1


@pytest.mark.parametrize("metric", ["f1", "exact:x", ""])
def test_an_unknown_metric_names_those_there_are(metric):
    """It is found before anything is scored."""
    with pytest.raises(ValueError, match="record, exact, items, a, b"):
        record_metric({}, {"b": 1}, metric=metric, schema={"properties": {"a": {}}})


def test_a_schema_behind_a_reference_is_followed():
    """Marks beside `$ref` count too."""
    schema = {
        "properties": {"s": {"$ref": "#/$defs/label"}},
        "$defs": {"label": {"enum": ["in doubt", "in favour"]}},
    }

    assert record_metric({"s": "in doubt"}, {"s": "in favour"}, schema=schema) == 0


@pytest.mark.parametrize("seed", range(60))
def test_the_pairing_is_the_best_there_is(seed):
    """No permutation, tried in turn, is better."""
    drawing = random.Random(seed)
    rows, columns = drawing.randint(1, 5), drawing.randint(1, 5)
    worth = [[drawing.choice([0, 0.25, 0.5, drawing.random()]) for _ in range(columns)] for _ in range(rows)]
    pairs = best_pairs(worth)
    small = min(rows, columns)
    best = max(
        sum(worth[r][c] for r, c in zip(chosen, order, strict=True))
        for chosen in itertools.combinations(range(rows), small)
        for order in itertools.permutations(range(columns), small)
    )

    assert len(pairs) == len({r for r, _ in pairs}) == len({c for _, c in pairs}) == small
    assert sum(worth[r][c] for r, c in pairs) == pytest.approx(best)


def test_nothing_to_pair_pairs_nothing():
    """An empty side is no error."""
    assert best_pairs([]) == best_pairs([[], []]) == []
