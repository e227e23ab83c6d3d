"""What a rewriter may change, and what of its reply is dropped."""

import pytest
from hypothesis import given, strategies as st
from jsonschema import Draft202012Validator

from cupel.improvement.edit_schema import edits_schema
from cupel.improvement.edits import (
    Edit,
    apply_edits,
    contents_of,
    locked_parts,
    read_edits,
    rules_diff,
    texts_of,
)
from cupel.task import fit_of, load_task, sent_schema, task_names
from tests.conftest import ROOT
from tests.unit.improvement.small import RULES, SMALL, small


def edit(
    action="add",
    rule_id="hedges",
    text="Treat hedged sentences as premises.",
    why="They were missed.",
    failures=("f1",),
):
    return {"action": action, "rule_id": rule_id, "text": text, "why": why, "failures": list(failures)}


def reasons(*edits):
    return [item.reason for item in read_edits({"edits": list(edits)}, SMALL).dropped]


def test_edits_are_read_in_order():
    """Each edit comes with its reason and the failures it answers."""
    read = read_edits(
        {"edits": [edit(), edit("delete", "skip", ""), edit("replace", "exact", "Copy to the letter.")]},
        SMALL,
    )

    assert [(e.action, e.name) for e in read.edits] == [
        ("add", "hedges"),
        ("delete", "skip"),
        ("replace", "exact"),
    ]
    assert read.edits[0].failures == ("f1",)
    assert read.dropped == ()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (edit("rewrite"), "not an edit"),
        ("Treat hedged sentences …", "not an edit"),
        (None, "not an edit"),
        (edit(why=""), "gives no reason"),
        (edit(rule_id="exact"), "rule 'exact' is there already"),
        (edit(rule_id="Two words"), "is no rule id"),
        (edit("replace", "nothing"), "no rule 'nothing'; there are ['exact', 'skip']"),
        (edit("delete", "nothing"), "no rule 'nothing'"),
        (edit(text="  "), "no text"),
        (edit(text="word " * 61), "longer than 60 words"),
        (edit("replace", "exact", "Copy every quote exactly."), "changes nothing"),
        (edit(text="copy every QUOTE exactly"), "another rule says that already"),
    ],
)
def test_what_is_no_edit_is_dropped_with_its_reason(bad, reason):
    """The others are kept."""
    read = read_edits({"edits": [bad, edit(rule_id="other")]}, SMALL)

    assert len(read.edits) == 1
    assert reason in read.dropped[0].reason


def test_a_rule_is_edited_once_and_five_edits_are_enough():
    """Two edits of one rule would depend on their order."""
    many = [edit(rule_id=f"r{n}", text=f"Rule number {n} says so.") for n in range(6)]

    assert reasons(edit(), edit()) == ["a second edit of rule 'hedges'"]
    assert reasons(*many) == ["one more than 5 edits"]


@pytest.mark.parametrize(
    "reply", [None, "", "I cannot help with that.", {}, [], {"edits": None}, {"prompt": "You are …"}, 429]
)
def test_a_reply_without_edits_is_said_to_be_one(reply):
    """A refusal, nothing at all, or a whole new prompt gives no candidate and no exception."""
    read = read_edits(reply, SMALL)

    assert read.edits == ()
    assert read.dropped[0].reason == (
        "the reply holds no edits" if reply is not None else "the rewriter gave no reply"
    )


def test_no_edit_proposed_is_said_too():
    """An honest rewriter may have nothing to say."""
    assert reasons() == ["the rewriter proposes no edit"]


def test_edits_are_applied_by_code():
    """A replaced rule keeps its place, a new one goes last, the old list is untouched."""
    made = apply_edits(
        SMALL,
        [
            Edit("replace", "exact", "Copy to the letter.", "clearer", ("f2", "f3")),
            Edit("add", "hedges", "Hedges are premises.", "missed", ("f1",)),
            Edit("delete", "skip", "", "useless", ()),
        ],
    ).rules

    assert [(rule.id, rule.text) for rule in made] == [
        ("exact", "Copy to the letter."),
        ("hedges", "Hedges are premises."),
    ]
    assert made[0].failures == ("f2", "f3")
    assert RULES[0].text == "Copy every quote exactly."


@pytest.mark.parametrize("bad", [Edit("add", "exact", "x", "y", ()), Edit("delete", "gone", "", "y", ())])
def test_an_edit_that_does_not_fit_is_refused(bad):
    """It says which rules there are."""
    with pytest.raises(ValueError, match="there are exact, skip"):
        apply_edits(SMALL, [bad])


def test_the_diff_has_a_line_per_rule():
    """A difference is small enough to be approved at a glance."""
    diff = rules_diff(RULES, apply_edits(SMALL, [Edit("replace", "skip", "Skip thanks too.", "w", ())]).rules)

    assert "-skip: Skip greetings." in diff
    assert "+skip: Skip thanks too." in diff
    assert rules_diff(RULES, RULES) == ""


def test_the_reply_schema_accepts_edits_and_nothing_else():
    """Strict, and the failures it may cite are the ones it was shown."""
    schema = edits_schema(SMALL, {"f1"})
    Draft202012Validator.check_schema(schema)

    assert Draft202012Validator(schema).is_valid({"edits": [edit()]})
    assert not Draft202012Validator(schema).is_valid({"edits": [edit(failures=["f9"])]})
    assert not Draft202012Validator(schema).is_valid({"edits": [{**edit(), "more": 1}]})


def of_label(action="replace", label="mood.sad", text="complains of it", **more):
    """An edit of a definition."""
    return {"action": action, "label": label, "text": text, "why": "mixed up", "failures": ["f1"], **more}


def of_example(action="add", example_id="meadow", text="A poor old meadow.", record=None, **more):
    """An edit of an example."""
    record = {"quote": "poor old meadow", "mood": "sad"} if record is None else record
    told = {"action": action, "example_id": example_id, "text": text, "why": "unseen", "failures": ["f1"]}
    return {**told, "record": record, **more}


def test_definitions_and_examples_are_edited_as_rules_are():
    """What is replaced keeps its place, what is new goes last; nothing else moves."""
    read = read_edits(
        {"edits": [of_label(), of_label("add", "mood.none", "says neither"), of_example()]}, SMALL
    )
    made = apply_edits(SMALL, read.edits)

    assert read.dropped == ()
    assert made.labels == {
        "mood": {"glad": "speaks well of it", "sad": "complains of it", "none": "says neither"}
    }
    assert [(each.id, each.record) for each in made.examples] == [
        ("harbour", {"quote": "fine harbour", "mood": "glad"}),
        ("meadow", {"quote": "poor old meadow", "mood": "sad"}),
    ]
    assert made.rules == RULES


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (of_label(label="mood.angry"), "no label 'mood.angry'; there are ['mood.glad', 'mood.sad']"),
        (of_label("add", "mood.sad"), "label 'mood.sad' is there already"),
        (of_label("add", "angry"), "is no label: write FIELD.LABEL"),
        (of_label(text="speaks ill of it"), "changes nothing"),
        (of_label(text=""), "the label has no text"),
        (of_example(example_id="harbour"), "example 'harbour' is there already"),
        (of_example("replace"), "no example 'meadow'; there are ['harbour']"),
        (of_example(record="{}"), "the example has no record"),
        (of_example(text="word " * 151), "longer than 150 words"),
        (of_example(text="what a FINE harbour we have!"), "another example says that already"),
        (of_example(example_id="A Meadow"), "is no example id"),
        (
            of_example("replace", "harbour", SMALL.examples[0].text, dict(SMALL.examples[0].record)),
            "changes nothing",
        ),
    ],
)
def test_an_edit_of_a_definition_or_example_that_is_none_says_why(bad, reason):
    """As for rules, and the others are kept."""
    read = read_edits({"edits": [bad, edit()]}, SMALL)

    assert [each.part for each in read.edits] == ["rule"]
    assert reason in read.dropped[0].reason


def test_the_same_text_with_another_record_is_another_example():
    """A record that was wrong can be mended."""
    mended = of_example(
        "replace", "harbour", SMALL.examples[0].text, {"quote": "fine harbour", "mood": "none"}
    )

    (read,) = read_edits({"edits": [mended]}, SMALL).edits

    assert apply_edits(SMALL, [read]).examples[0].record["mood"] == "none"


@pytest.mark.parametrize(
    ("task", "by_gold", "locked"),
    [
        pytest.param(SMALL, True, set(), id="gold"),
        pytest.param(SMALL, False, {"label"}, id="a judge reads the labels too"),
        pytest.param(small(prompts={**SMALL.prompts, "extract": "{{rules}}"}), True, {"label", "example"}, id="shown to no model"),
        pytest.param(small(prompts={**SMALL.prompts, "improve": "{{rules}}"}), True, {"example"}, id="an improve.md of before"),
    ],
)  # fmt: skip
def test_what_may_not_be_edited_is_neither_offered_nor_taken(task, by_gold, locked):
    """The schema has no place for it, and a reply that has it all the same is told why."""
    reasons = locked_parts(task, by_gold=by_gold)
    offered = str(edits_schema(task, {"f1"}, locked=reasons))
    read = read_edits({"edits": [of_label(), of_example()]}, task, locked=reasons)

    assert set(reasons) == locked
    assert {part for part, key in (("label", "'label'"), ("example", "'example_id'")) if key in offered} == {
        "label",
        "example",
    } - locked
    assert {each.part for each in read.edits} == {"label", "example"} - locked
    assert {each.reason for each in read.dropped} == set(reasons.values())


@pytest.mark.parametrize("name", task_names(ROOT / "prompts"))
def test_each_task_s_own_pieces_fit_the_form_of_a_reply(name):
    """It has a form that strict modes accept, and what came back is the edit as it was meant."""
    task = load_task(name, ROOT / "prompts")
    schema = edits_schema(task, {"f1"})
    named = [Edit("delete", name, "", "w", ("f1",), part) for part, name in contents_of(task)]
    shown = [Edit("add", "new", each.text, "w", ("f1",), "example", each.record) for each in task.examples]

    for edit_ in (*named, *shown):
        reply = {"edits": [edit_.to_json()]}

        assert fit_of(schema).read(reply) == (reply, None)
    assert "x-grounded" not in sent_schema(schema)[1]


def test_a_schema_that_refers_to_itself_is_part_of_the_form():
    """Its definitions stand at the root of the reply's."""
    node = {"type": "object", "properties": {"quote": {"type": "string"}, "inner": {"$ref": "#/$defs/node"}}}
    tree = {
        "type": "object", "properties": {"root": {"$ref": "#/$defs/node"}}, "required": ["root"],
        "additionalProperties": False,
        "$defs": {
            "node": {
                **node, "required": ["quote", "inner"], "additionalProperties": False,
                "properties": {"quote": {"type": "string"}, "inner": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
            }
        },
    }  # fmt: skip
    schema = edits_schema(small(schema=tree), {"f1"})
    reply = {"edits": [of_example(record={"root": {"quote": "a", "inner": {"quote": "b", "inner": None}}})]}

    assert fit_of(schema).read(reply) == (reply, None)
    assert fit_of(schema).read({"edits": [of_example(record={"root": {"quote": "a"}})]})[1]


NAMES = {
    "rule": ["exact", "skip", "new"],
    "label": ["mood.glad", "mood.sad", "mood.none"],
    "example": ["harbour", "new"],
}
EDITS = st.builds(
    Edit, st.sampled_from(["add", "replace", "delete"]), st.just(""), st.sampled_from(["one", "two"]), st.just("w"),
    st.just(("f1",)), st.sampled_from(["rule", "label", "example"]),
).flatmap(
    lambda made: st.sampled_from(NAMES[made.part]).map(
        lambda name: Edit(
            made.action, name, "" if made.action == "delete" else f"{made.text} {name}", "w", ("f1",), made.part,
            {"quote": made.text, "mood": "sad"} if made.part == "example" and made.action != "delete" else None,
        )
    )
)  # fmt: skip


@given(st.lists(EDITS, max_size=6))
def test_whatever_is_read_is_applied_to_the_letter_and_nothing_else_changes(edits):
    """Every piece says what its edit says, or what it said before, in its old place."""
    read = read_edits({"edits": [each.to_json() for each in edits]}, SMALL).edits
    before, after = contents_of(SMALL), contents_of(apply_edits(SMALL, read))
    named = {(each.part, each.name): each for each in read}

    assert all(each in edits for each in read)
    for key, each in named.items():
        if each.action == "delete":
            assert key not in after
        else:
            assert after[key] == ((each.text, each.record) if each.part == "example" else each.text)
    assert {key: said for key, said in after.items() if key not in named} == {
        key: said for key, said in before.items() if key not in named
    }
    for part in ("rule", "label", "example"):
        old = [name for name, _ in texts_of(SMALL, part)]
        new = [name for name, _ in texts_of(apply_edits(SMALL, read), part)]
        assert [name for name in new if name in old] == [name for name in old if name in new]
