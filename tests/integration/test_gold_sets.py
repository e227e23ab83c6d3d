"""`evals/sets`: records as answers to gold, and gold that code makes."""

from __future__ import annotations

import importlib
import itertools

import pytest

from cupel.metrics import evaluate
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def sets():
    """The modules of the folder, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "evals"))
        yield {name: importlib.import_module(f"sets.{name}") for name in ("answers", "gold", "planted")}


def outcome(record, text="", **quotes):
    """An outcome with a record and its quotes, by path; a quote stands where the text has it first."""
    evidence = [
        {"path": path, "quote": quote, "start": at, "end": at + len(quote)}
        if (at := text.find(quote)) >= 0
        else {"path": path, "quote": quote, "start": None, "end": None}
        for path, quote in quotes.items()
    ]
    return {"record": record, "evidence": evidence}


# ---- records as answers


def test_a_text_without_a_sign_of_emotion_is_neutral(sets):
    """Labels are the different ones among the items; a missing record is no answer at all."""
    answer = sets["gold"].SETS["emotion"].answer

    assert answer(outcome({"signs": [], "emotion": "neutral"}), {}) == {"ekman": ["neutral"]}
    assert answer(outcome({"signs": [{"emotion": "joy"}, {"emotion": "joy"}]}), {}) == {"ekman": ["joy"]}
    assert answer(outcome(None), {}) == {"ekman": []}


def test_relations_hold_between_names_wherever_they_stand(sets):
    """The gold has the second mention of a name; a task that lists names once is right all the same."""
    told = sets["gold"].SETS["entity_relations"]
    text = "Ada was in Lisbon. Ada lives in Lisbon."
    spans = [
        {"start": 19, "end": 22, "label": "Peop", "id": "e0"},
        {"start": 32, "end": 38, "label": "Loc", "id": "e1"},
    ]
    document = told.prepare(
        {
            "id": "d",
            "text": text,
            "meta": {},
            "gold": {"spans": spans, "relations": [{"head": "e0", "tail": "e1", "label": "Live_In"}]},
        }
    )
    record = {
        "entities": [{"id": 1, "quote": "Ada", "type": "PER"}, {"id": 2, "quote": "Lisbon", "type": "LOC"}],
        "relations": [
            {"head": 1, "relation": "lives_in", "tail": 2},
            {"head": 1, "relation": "backs", "tail": 2},
        ],
    }
    quotes = {"/entities/0/quote": "Ada", "/entities/1/quote": "Lisbon"}
    answer = told.answer(outcome(record, text, **quotes), document)

    assert document["gold"]["spans"][0]["start"] == 0
    assert evaluate([document], [{"id": "d"} | answer], kinds=["relations"], draws=0).value == 1


def test_the_plain_sentences_relations_name_an_end_several_times(sets):
    """One person in two relations is one span with one id."""
    text = "Ada lives in Lisbon and works for Arte."
    ends = [("Ada", "Peop", "Live_In", "Lisbon", "Loc"), ("Ada", "Peop", "Work_For", "Arte", "Org")]
    names = ("head", "head_type", "relation", "tail", "tail_type")
    record = {"relations": [dict(zip(names, row, strict=True)) for row in ends]}
    quotes = {
        f"/relations/{at}/{end}": record["relations"][at][end] for at in (0, 1) for end in ("head", "tail")
    }
    answer = sets["answers"].flat_relations(outcome(record, text, **quotes), {"text": text})

    assert len(answer["spans"]) == 3
    assert answer["relations"][0]["head"] == answer["relations"][1]["head"]


def test_a_piece_of_evidence_is_what_the_record_says_of_it_and_the_claim(sets):
    """In contradiction with the claim's line it refutes it, whatever else is said; what is said of two pieces says nothing of it."""
    text = "CLAIM: it rains\nEVIDENCE 1: streets are wet\nEVIDENCE 2: it is dry\nEVIDENCE 3: hm\nEVIDENCE 4: no cloud"
    record = {
        "contradictions": [
            {"first": "it rains", "second": "it is dry"},
            {"first": "hm", "second": "streets are wet"},
        ],
        "on_claim": [
            {"quote": "streets are wet", "relation": "supports"},
            {"quote": "it is dry", "relation": "supports"},
            {"quote": "no cloud", "relation": "against"},
            {"quote": "nowhere", "relation": "supports"},
        ],
    }
    quotes = {
        f"/{items}/{at}/{end}": item[end]
        for items, ends in (("contradictions", ("first", "second")), ("on_claim", ("quote",)))
        for at, item in enumerate(record[items])
        for end in ends
    }
    answer = sets["gold"].SETS["claim_evidence"].answer(outcome(record, text, **quotes), {"text": text})

    assert answer == {"evidence_labels": ["supports", "refutes", "not_enough_info", "refutes"]}


def test_labels_the_gold_has_no_name_for_are_left_out(sets):
    """And of a passage with two quotes the named field alone counts."""
    record = {
        "passages": [{"quote": "so what", "device": "slogan"}, {"quote": "like rain", "device": "metaphor"}]
    }
    told = outcome(
        record, "so what, like rain", **{"/passages/0/quote": "so what", "/passages/1/quote": "like rain"}
    )
    answer = sets["gold"].SETS["fallacies"].answer(told, {})

    assert [span["label"] for span in answer["spans"]] == ["Slogans"]


def test_documents_an_author_may_have_read_are_not_shown(sets, tmp_path):
    """The first thirty lines of a set are theirs."""
    lines = "".join(f'{{"id": {n}, "text": "t", "meta": {{}}, "gold": {{}}}}\n' for n in range(50))
    (tmp_path / "dev.jsonl").write_text(lines)
    shown = sets["gold"].SETS["emotion"].documents(tmp_path / "dev.jsonl", 50)

    assert sorted(each["id"] for each in shown) == list(range(30, 50))


# ---- gold that code makes


def speech(number, text, role="", debate=""):
    return {
        "id": f"s{number}",
        "text": text,
        "meta": {"debate_title": debate or f"debate {number}", "role": role, "date": "2025-03-10"},
        "gold": {},
    }


LONG = (
    "Mr President, dear colleagues, we met in spring. "
    + "The roads are full of holes. " * 12
    + "Yes.\n"
    + "The roads are full of holes. " * 12
)


def test_joined_speeches_are_cut_where_each_begins(sets):
    """Of as many debates, and without the address that everybody knows for a beginning."""
    made = sets["planted"].join_speeches([speech(n, LONG) for n in range(12)])

    for each in made:
        cuts = [0, *each["gold"]["boundaries"], len(each["text"]) + 1]
        parts = [each["text"][low : high - 1] for low, high in itertools.pairwise(cuts)]
        assert {part[:16] for part in parts} == {"We met in spring"}
        assert 3 <= len(set(each["meta"]["of"])) <= 5


def test_planted_dates_stand_where_they_are_said_to_and_mean_what_the_calendar_says(sets):
    """One day, one month, one month without its year, two counted from the day of the text."""
    made = sets["planted"].plant_dates([speech(n, LONG) for n in range(8)])

    for each in made:
        planted = each["meta"]["planted"]
        assert [each["text"][one["start"] : one["end"]] for one in planted] == [
            one["said"] for one in planted
        ]
        assert sorted(one["kind"] for one in planted) == ["counted", "counted", "day", "month", "no year"]
        assert each["gold"]["evidence_labels"] == [one["date"] for one in planted]


def test_a_date_counts_by_the_event_whose_time_words_stand_there(sets):
    """An event that nobody planted is no fault, and one that is missing is one."""
    text = "In May 1990 it rained. Yesterday it did not."
    planted = [{"start": 0, "end": 11}, {"start": 23, "end": 32}]
    told = outcome(
        {"events": [{"date": "1990-05"}, {"date": "2000"}]}, text, **{"/events/0/when": "May 1990"}
    )

    assert sets["planted"].dates(told, {"meta": {"planted": planted}}) == {
        "evidence_labels": ["1990-05", None]
    }


def test_half_of_the_pairs_are_no_answers(sets):
    """Turned round, or put together from two debates."""
    roles = ("blue-card question", "blue-card answer")
    speeches = [speech(n, f"text {n}", roles[n % 2], f"debate {n // 2}") for n in range(8)]
    made = sets["planted"].pair_up(speeches)

    assert sorted(each["gold"]["label"] for each in made) == ["answers"] * 4 + ["other"] * 4
    assert {each["meta"]["kind"] for each in made} == {"answers", "reversed", "two debates"}


@pytest.mark.parametrize("name", ["sections", "timeline", "threads"])
def test_a_floor_is_an_answer_to_every_document(sets, name):
    """It can be scored, and the gold itself is better."""
    told = sets["planted"].SETS[name]
    roles = ("", "blue-card question", "blue-card answer")
    made = told.make([speech(n, LONG, roles[n % 3], f"debate {n // 3 if n % 3 else n}") for n in range(60)])
    for floor in told.floors.values():
        answers = [{"id": each["id"]} | floor(each) for each in made]
        perfect = [{"id": each["id"]} | each["gold"] for each in made]
        values = [
            evaluate(made, each, kinds=told.kinds, headline=told.headline, draws=0).value
            for each in (answers, perfect)
        ]
        assert values[0] != values[1]
