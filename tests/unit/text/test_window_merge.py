"""The records of overlapping windows become one record of the whole document."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from cupel.judging.references import reference_faults
from cupel.state import Evidence, Record
from cupel.task import TaskSpec
from cupel.text.window_merge import WindowRecord, merge_windows

QUOTED = {"id": {"type": "string", "x-id": True}, "quote": {"type": "string", "x-grounded": True}}
SCHEMA = {
    "properties": {
        "claims": {"type": "array", "items": {"properties": QUOTED}},
        "premises": {
            "type": "array",
            "items": {"properties": {**QUOTED, "claim": {"type": "string", "x-refers-to": "claims/id"}}},
        },
        "stance": {"type": "string"},
    }
}


def task(**merge: str) -> TaskSpec:
    """A task with claims, premises that refer to them, and a stance."""
    return TaskSpec(name="t", title="", description="", schema=SCHEMA, prompts={}, merge=merge)


def at(path: str, start: int) -> Evidence:
    """A quote of five characters that stands verbatim where it is said to."""
    return Evidence(
        path=path, quote="quote", match="verbatim", start=start, end=start + 5,
        parts=[[start, start + 5]], similarity=1.0, diff="",
    )  # fmt: skip


def window(*claims: int, stance: str | None = None, premise_of: str | None = None) -> WindowRecord:
    """One window's record: a claim at each place, numbered from c1."""
    record = {
        "claims": [{"id": f"c{number}", "quote": "quote"} for number, _ in enumerate(claims, 1)],
        "premises": [{"id": "p1", "quote": "quote", "claim": premise_of}] if premise_of else [],
        "stance": stance,
    }
    premise = [at("/premises/0/quote", 900 + claims[-1])] if premise_of else []
    return WindowRecord(record, [at(f"/claims/{n}/quote", place) for n, place in enumerate(claims)] + premise)


def test_an_item_that_two_windows_saw_is_kept_once():
    """The same place in the document is the same item, whatever its id in either window."""
    record, evidence = merge_windows(task(), [window(10, 50), window(50, 90)])

    assert [claim["id"] for claim in record["claims"]] == ["c1", "c2", "c3"]
    assert [(entry["path"], entry["start"]) for entry in evidence] == [
        ("/claims/0/quote", 10), ("/claims/1/quote", 50), ("/claims/2/quote", 90),
    ]  # fmt: skip


def test_a_reference_follows_the_new_id_of_what_it_refers_to():
    """The second window's c1 is the document's c2, and its premise's claim becomes that."""
    record, _ = merge_windows(task(), [window(10, 50, premise_of="c1"), window(50, 90, premise_of="c1")])

    assert [(premise["id"], premise["claim"]) for premise in record["premises"]] == [
        ("p1", "c1"),
        ("p2", "c2"),
    ]


def faults(record: Record, schema: dict[str, Any] = SCHEMA) -> list[str]:
    """What is wrong with its ids and references, by kind."""
    return [kind for kind, _ in reference_faults(record, schema)]


def test_a_reference_to_nothing_still_refers_to_nothing():
    """Neither forgotten nor, by chance of the numbers, another window's claim: whoever checks the record sees it."""
    record, _ = merge_windows(
        task(), [window(10, 20, premise_of="c7"), *[window(n) for n in range(50, 500, 50)]]
    )

    assert len(record["claims"]) == 11
    assert faults(record) == ["reference"]


def test_an_id_that_a_window_gave_twice_is_there_twice():
    """Numbers of its own would hide that nobody knows which one a premise is about."""
    first = window(10, 20, premise_of="c1")
    first.record["claims"][1]["id"] = "c1"
    record, _ = merge_windows(task(), [first, window(50)])

    assert faults(record) == ["id"]


def test_a_list_with_ids_may_refer_to_one_that_comes_after_it():
    """The premises stand first and have ids of their own."""
    schema = {"properties": {name: SCHEMA["properties"][name] for name in ("premises", "claims")}}
    record, _ = merge_windows(
        TaskSpec(name="t", title="", description="", schema=schema, prompts={}),
        [window(10, 50, premise_of="c2"), window(50, 90, premise_of="c2")],
    )

    assert [(premise["id"], premise["claim"]) for premise in record["premises"]] == [
        ("p1", "c2"),
        ("p2", "c3"),
    ]


CLAIM = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "x-id": True},
        "said": {"type": "string"},
        "about": {"type": ["integer", "null"], "x-refers-to": "claims/id"},
        "backed_by": {"type": "array", "items": {"type": "integer"}, "x-refers-to": "grounds/id"},
    },
}
GROUND = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "x-id": True},
        "word": {"type": "string"},
        "of": {"anyOf": [{"$ref": "#/$defs/claim_id"}, {"type": "null"}]},
    },
}
WEB = {
    "type": "object",
    "properties": {
        "claims": {"type": "array", "items": {"$ref": "#/$defs/claim"}},
        "main": {"type": ["integer", "null"], "x-refers-to": "claims/id"},
        "grounds": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#/$defs/ground"}}]},
    },
    "$defs": {"claim": CLAIM, "ground": GROUND, "claim_id": {"type": "integer", "x-refers-to": "claims/id"}},
}
"""Lists that refer to each other, to themselves, in lists, and from a single field; behind references and in unions."""


@st.composite
def webs(draw: st.DrawFn) -> Record:
    """A sound record: whatever it refers to is there."""
    claim_ids = draw(st.lists(st.integers(1, 9), unique=True, max_size=4))
    ground_ids = draw(st.lists(st.integers(1, 9), unique=True, max_size=4))
    a_claim = st.sampled_from([None, *claim_ids])
    some_grounds = st.lists(st.sampled_from(ground_ids), max_size=3) if ground_ids else st.just([])
    return {
        "claims": [
            {"id": each, "said": str(each), "about": draw(a_claim), "backed_by": draw(some_grounds)}
            for each in claim_ids
        ],
        "main": draw(a_claim),
        "grounds": [{"id": each, "word": str(each), "of": draw(a_claim)} for each in ground_ids],
    }


@given(st.lists(webs(), min_size=2, max_size=4))
@settings(max_examples=100, deadline=None)
def test_every_reference_of_every_window_is_followed(records):
    """However lists refer to each other: as many references as before, each to the item it was to."""
    for number, record in enumerate(records):  # no two windows saw the same
        for item in record["claims"]:
            item["said"] = f"{number}: {item['said']}"
        for item in record["grounds"]:
            item["word"] = f"{number}: {item['word']}"
    before = [link for record in records for link in links(record)]
    web = TaskSpec(name="t", title="", description="", schema=WEB, prompts={})
    merged, _ = merge_windows(web, [WindowRecord(record, []) for record in records])

    assert faults(merged, WEB) == []
    assert sorted(links(merged)) == sorted(before)
    assert merged["main"] is None or said(merged)[merged["main"]] in {
        said(record)[record["main"]] for record in records if record["main"]
    }


def said(record: Record) -> dict[int, str]:
    """What each claim says, by its id."""
    return {claim["id"]: claim["said"] for claim in record["claims"]}


def links(record: Record) -> list[tuple[str, str]]:
    """Every reference of its items, as what refers and what is referred to."""
    claims, grounds = said(record), {ground["id"]: ground["word"] for ground in record["grounds"]}
    about = [(c["said"], claims[c["about"]]) for c in record["claims"] if c["about"] is not None]
    backed = [(c["said"], grounds[each]) for c in record["claims"] for each in c["backed_by"]]
    return about + backed + [(g["word"], claims[g["of"]]) for g in record["grounds"] if g["of"] is not None]


@pytest.mark.parametrize(
    ("rule", "merged"),
    [
        ("first", "no"),
        ("last", "yes"),
        ("longest", "perhaps"),
        ("majority", "yes"),
        ("join", "no yes perhaps"),
    ],
)
def test_a_single_value_goes_by_the_tasks_rule(rule, merged):
    """Windows without the value have no say."""
    stances = [None, "no", "yes", "perhaps", "yes"]
    record, _ = merge_windows(task(stance=rule), [window(10, stance=stance) for stance in stances])

    assert record["stance"] == merged


TERMS = {
    "properties": {
        "terms": {
            "type": "array",
            "items": {
                "properties": {
                    "term": {"type": "string", "x-grounded": True},
                    "definition": {"type": ["string", "null"], "x-grounded": True},
                }
            },
        }
    }
}


def glossary(start: int, term: str, definition: str | None) -> WindowRecord:
    """One window's record: a term, and what defines it where the window has that, a hundred characters on."""
    found = [at("/terms/0/term", start)] + ([at("/terms/0/definition", start + 100)] if definition else [])
    return WindowRecord({"terms": [{"term": term, "definition": definition}]}, found)


def test_items_of_one_key_are_kept_once_wherever_they_stand():
    """A term that two windows use is one entry, at its first place, with the definition that only the second has."""
    by_term = replace(task(terms="union by term"), schema=TERMS)
    parts = [glossary(10, "Rye flour", None), glossary(500, "rye  flour", "what rye is ground to")]
    record, evidence = merge_windows(by_term, parts)

    assert record == {"terms": [{"term": "Rye flour", "definition": "what rye is ground to"}]}
    assert [(entry["path"], entry["start"]) for entry in evidence] == [
        ("/terms/0/term", 10), ("/terms/0/definition", 600),
    ]  # fmt: skip
    assert parts[0].record == {"terms": [{"term": "Rye flour", "definition": None}]}


def test_items_of_one_list_are_told_apart_by_their_places_without_a_key():
    """The same words at two places are two mentions."""
    parts = [glossary(10, "rye", None), glossary(500, "rye", None)]
    record, _ = merge_windows(replace(task(terms="union"), schema=TERMS), parts)

    assert len(record["terms"]) == 2


def test_items_without_a_value_for_their_key_are_one_by_their_places():
    """Nothing is thrown away because a key is empty."""
    by_definition = replace(task(terms="union by definition"), schema=TERMS)
    record, _ = merge_windows(by_definition, [glossary(10, "rye", None), glossary(500, "oats", None)])

    assert [item["term"] for item in record["terms"]] == ["rye", "oats"]


def test_one_window_is_the_whole_document():
    """Nothing is renumbered, and nothing copied."""
    only = window(10, stance="yes")

    assert merge_windows(task(), [only]) == (only.record, only.evidence)


RELATED = {
    "properties": {
        "names": {"type": "array", "items": {"properties": QUOTED}},
        "relations": {
            "type": "array",
            "items": {
                "properties": {
                    "quote": {"type": "string", "x-grounded": True},
                    "head": {"type": "string", "x-refers-to": "names/id"},
                    "label": {"type": "string"},
                }
            },
        },
    }
}


def related(*relations: tuple[int, str, str], names: tuple[int, ...] = (10, 20)) -> WindowRecord:
    """One window's relations as (place of the quote, head, label), between names that stand where it is said."""
    record = {
        "names": [{"id": f"n{number}", "quote": f"name {place}"} for number, place in enumerate(names, 1)],
        "relations": [{"quote": "quote", "head": head, "label": label} for _, head, label in relations],
    }
    evidence = [at(f"/names/{index}/quote", place) for index, place in enumerate(names)]
    return WindowRecord(
        record, evidence + [at(f"/relations/{index}/quote", row[0]) for index, row in enumerate(relations)]
    )


def merged_relations(*windows: WindowRecord) -> list[tuple[str, str]]:
    """Head and label of every relation of the whole."""
    made = TaskSpec(name="t", title="", description="", schema=RELATED, prompts={})
    record, evidence = merge_windows(made, list(windows))

    assert sum(entry["path"].startswith("/relations/") for entry in evidence) == len(record["relations"])
    return [(row["head"], row["label"]) for row in record["relations"]]


def test_what_one_window_says_several_times_of_one_passage_stays_several():
    """A sentence that makes two people members of one body is quoted for both."""
    both = [(50, "n1", "member_of"), (50, "n2", "member_of"), (50, "n1", "backs")]

    assert merged_relations(related(*both), related(names=(900,))) == [
        ("n1", "member_of"), ("n2", "member_of"), ("n1", "backs"),
    ]  # fmt: skip


def test_of_several_items_at_one_place_each_meets_its_like_in_the_other_window():
    """In whatever order the other window has them, and with ids of its own."""
    first = related((50, "n1", "backs"), names=(10,))
    second = related((50, "n2", "opposes"), (50, "n1", "backs"), names=(10, 60))

    assert merged_relations(first, second) == [("n1", "backs"), ("n2", "opposes")]


def test_an_item_that_two_windows_label_differently_is_one():
    """The first window's label is kept: the passage is in dispute, not there twice."""
    assert merged_relations(related((50, "n1", "backs")), related((50, "n1", "opposes"))) == [("n1", "backs")]


def test_an_item_that_a_window_repeats_is_kept_once():
    """The same passage with the same content says nothing new."""
    twice = [(50, "n1", "backs"), (50, "n1", "backs")]

    assert merged_relations(related(*twice), related(names=(900,))) == [("n1", "backs")]


def test_a_bare_quote_that_two_windows_saw_is_kept_once():
    """A list may hold quotes alone; at which number each window has one says nothing."""
    schema = {"properties": {"evidence": {"type": "array", "items": {"type": "string", "x-grounded": True}}}}
    made = TaskSpec(name="t", title="", description="", schema=schema, prompts={})
    first = WindowRecord({"evidence": ["one", "two"]}, [at("/evidence/0", 10), at("/evidence/1", 50)])
    second = WindowRecord({"evidence": ["two", "six"]}, [at("/evidence/0", 50), at("/evidence/1", 90)])

    record, evidence = merge_windows(made, [first, second])

    assert record["evidence"] == ["one", "two", "six"]
    assert [entry["start"] for entry in evidence] == [10, 50, 90]


def test_a_reference_follows_an_item_that_is_one_by_its_key():
    """A name has one entry, at its first mention, and what the second window relates it to follows there."""
    made = TaskSpec(
        name="t", title="", description="", schema=RELATED, prompts={}, merge={"names": "union by quote"}
    )
    first, second = related((50, "n1", "backs")), related((900, "n2", "opposes"), names=(800, 810))
    second.record["names"][1]["quote"] = first.record["names"][0]["quote"]

    record, _ = merge_windows(made, [first, second])

    assert [name["quote"] for name in record["names"]] == ["name 10", "name 20", "name 800"]
    assert [(row["head"], row["label"]) for row in record["relations"]] == [
        ("n1", "backs"),
        ("n1", "opposes"),
    ]
