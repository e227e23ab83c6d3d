"""Records spoiled on purpose."""

import copy

import pytest
from jsonschema import Draft202012Validator

from cupel.judging.findings import Finding, Verdict
from cupel.judging.mutation_tally import tally
from cupel.judging.mutations import MASTER_KEYS, MUTATIONS, PRAISE, UNCHANGED, mutate

TEXT = (
    "We must act now because waiting costs more every year. The ice melts and nobody here can stop it alone. "
    "Mr Smith told us: “all of this can wait for years.”"
)
SCHEMA = {
    "type": "object",
    "properties": {
        "matter": {"type": "string"},
        "claims": {"type": "array", "items": {"$ref": "#/$defs/claim"}},
        "premises": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "quote": {"type": "string", "x-grounded": True},
                    "supports": {"type": ["integer", "null"], "x-refers-to": "claims/id"},
                },
            },
        },
        "stance": {"enum": ["support", "oppose", "none"]},
    },
    "$defs": {
        "claim": {
            "type": "object",
            "properties": {
                "id": {"type": "integer", "x-id": True},
                "quote": {"type": "string", "x-grounded": True},
            },
        }
    },
}
RECORD = {
    "matter": "Acting on the climate.",
    "claims": [{"id": 1, "quote": "We must act now"}, {"id": 2, "quote": "nobody here can stop it alone"}],
    "premises": [
        {"quote": "waiting costs more every year", "supports": 1},
        {"quote": "The ice melts", "supports": None},
    ],
    "stance": "support",
}


def spoiled(seed=7, record=RECORD):
    return {mutation.name: mutation for mutation in mutate(record, SCHEMA, text=TEXT, seed=seed)}


@pytest.mark.parametrize("seed", range(12))
def test_every_mutation_changes_the_record_and_leaves_it_valid(seed):
    """The judge, not the schema, must notice; the original is untouched."""
    before = copy.deepcopy(RECORD)
    made = spoiled(seed)

    assert before == RECORD
    assert set(made) == {UNCHANGED, *MUTATIONS}
    for name, mutation in made.items():
        assert (mutation.record == RECORD) == (name == UNCHANGED), name
        assert Draft202012Validator(SCHEMA).is_valid(mutation.record), name


@pytest.mark.parametrize("seed", range(12))
def test_each_mutation_does_what_its_name_says(seed):
    """A mutation does what its name says to the record, and nothing else."""
    made = spoiled(seed)
    sizes = {name: len(m.record["claims"]) + len(m.record["premises"]) for name, m in made.items()}
    quotes = [
        item["quote"]
        for item in (*made["quote_faked"].record["claims"], *made["quote_faked"].record["premises"])
    ]

    assert sizes["item_dropped"] == 3
    assert sizes["item_split"] == sizes["voice_taken"] == 5
    assert [item["quote"] for item in made["item_split"].record["claims"]][1:] == [
        "nobody here can",
        "stop it alone",
    ]
    assert made["voice_taken"].record["claims"][-1]["quote"] == "all of this can wait for years."
    assert len(made["list_changed"].record["claims"]) in {1, 3}
    assert not any(item["supports"] for item in made["references_dropped"].record["premises"])
    assert sizes["item_duplicated"] == 5
    assert made["label_flipped"].record["stance"] in {"oppose", "none"}
    assert made["reference_moved"].record["premises"][0]["supports"] == 2
    assert sum(quote not in TEXT for quote in quotes) == 1
    assert made["text_truncated"].record["claims"][1]["quote"] == "nobody here can"
    assert made["master_key"].record["matter"] in MASTER_KEYS
    assert made["praise_added"].record["matter"] == f"Acting on the climate. {PRAISE}"


def test_nothing_refers_to_a_dropped_item():
    """A dangling reference would give it away."""
    for seed in range(30):
        record = spoiled(seed)["item_dropped"].record
        ids = {claim["id"] for claim in record["claims"]}

        assert {premise["supports"] for premise in record["premises"]} <= ids | {None}


def test_the_same_seed_spoils_the_same_way():
    """A test of a judge can be repeated."""
    assert spoiled(3) == spoiled(3)
    assert spoiled(3) != spoiled(4)


def test_what_does_not_apply_is_left_out():
    """A record without items, labels or words can hardly be spoiled."""
    empty = {"claims": [], "premises": [], "matter": ""}
    names = {m.name for m in mutate({"claims": [], "premises": []}, SCHEMA, text="")}

    assert names == {UNCHANGED}
    assert "text_truncated" not in spoiled(record=empty)


def test_what_was_caught_and_missed_is_counted_by_mutation():
    """Code's catches apart from the judge's; what was left open is in no rate."""
    fault = Finding(criterion="quote", finding="fail")
    rows = {
        row.name: row
        for row in tally(
            [
                ("quote_faked", Verdict(verdict="rejected", code_findings=(fault,))),
                ("quote_faked", Verdict(verdict="rejected")),
                ("quote_faked", Verdict(verdict="accepted")),
                ("reference_moved", Verdict(verdict="accepted", findings=(fault,))),
                ("quote_faked", Verdict(verdict="unknown")),
                (UNCHANGED, Verdict(verdict="accepted")),
            ]
        )
    }
    faked = rows["quote_faked"]

    assert (faked.caught_by_code, faked.caught_by_judge, faked.missed, faked.unknown) == (1, 1, 1, 1)
    assert faked.rate == pytest.approx(2 / 3)
    assert (faked.noticed, rows["reference_moved"].noticed, rows["reference_moved"].missed) == (0, 1, 1)
    assert rows[UNCHANGED].rate == 0
    assert rows["label_flipped"].rate is None
    assert len(rows) == len(MUTATIONS) + 1


def test_a_quote_that_stands_alone_is_no_list_of_entries():
    """One quote at the top of a record is faked or cut, and never taken apart letter by letter."""
    quote = {"type": ["string", "null"], "x-grounded": True}
    schema = {"type": "object", "properties": {"claim": quote, "stray": quote, "clear": {"type": "boolean"}}}
    record = {"claim": "waiting costs more every year", "stray": None, "clear": True}
    made = [one for seed in range(20) for one in mutate(record, schema, text=TEXT, seed=seed)]

    assert {one.name for one in made} >= {UNCHANGED, "quote_faked", "text_truncated"}
    assert not {one.name for one in made} & {"list_changed", "item_split", "voice_taken", "item_dropped"}
    assert all(Draft202012Validator(schema).is_valid(one.record) for one in made)


def test_a_yes_or_no_is_a_label_too():
    """Where a record answers questions, a wrong answer is what goes wrong."""
    schema = {"type": "object", "properties": {"clear": {"type": "boolean"}}}
    flipped = [one for one in mutate({"clear": True}, schema, text=TEXT) if one.name == "label_flipped"]

    assert [one.record for one in flipped] == [{"clear": False}]
