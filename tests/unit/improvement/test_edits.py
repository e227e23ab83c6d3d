"""What a rewriter may change, and what of its reply is dropped."""

import pytest
from jsonschema import Draft202012Validator

from cupel.improvement.edits import Edit, apply_edits, edits_schema, read_edits, rules_diff
from cupel.task.spec import Rule

RULES = (Rule("exact", "Copy every quote exactly."), Rule("skip", "Skip greetings.", failures=("f0",)))


def edit(
    action="add",
    rule_id="hedges",
    text="Treat hedged sentences as premises.",
    why="They were missed.",
    failures=("f1",),
):
    return {"action": action, "rule_id": rule_id, "text": text, "why": why, "failures": list(failures)}


def reasons(*edits):
    return [item.reason for item in read_edits({"edits": list(edits)}, RULES).dropped]


def test_edits_are_read_in_order():
    """Each edit comes with its reason and the failures it answers."""
    read = read_edits(
        {"edits": [edit(), edit("delete", "skip", ""), edit("replace", "exact", "Copy to the letter.")]},
        RULES,
    )

    assert [(e.action, e.rule_id) for e in read.edits] == [
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
        (edit(rule_id="exact"), "there is a rule 'exact' already"),
        (edit(rule_id="Two words"), "is no rule id"),
        (edit("replace", "nothing"), "no rule 'nothing'; there are ['exact', 'skip']"),
        (edit("delete", "nothing"), "no rule 'nothing'"),
        (edit(text="  "), "no text"),
        (edit(text="word " * 61), "longer than 60 words"),
        (edit("replace", "exact", "Copy every quote exactly."), "changes nothing"),
        (edit(text="copy every QUOTE exactly"), "such a rule exists"),
    ],
)
def test_what_is_no_edit_is_dropped_with_its_reason(bad, reason):
    """The others are kept."""
    read = read_edits({"edits": [bad, edit(rule_id="other")]}, RULES)

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
    read = read_edits(reply, RULES)

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
        RULES,
        [
            Edit("replace", "exact", "Copy to the letter.", "clearer", ("f2", "f3")),
            Edit("add", "hedges", "Hedges are premises.", "missed", ("f1",)),
            Edit("delete", "skip", "", "useless", ()),
        ],
    )

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
        apply_edits(RULES, [bad])


def test_the_diff_has_a_line_per_rule():
    """A difference is small enough to be approved at a glance."""
    diff = rules_diff(RULES, apply_edits(RULES, [Edit("replace", "skip", "Skip thanks too.", "w", ())]))

    assert "-skip: Skip greetings." in diff
    assert "+skip: Skip thanks too." in diff
    assert rules_diff(RULES, RULES) == ""


def test_the_reply_schema_accepts_edits_and_nothing_else():
    """Strict, and the failures it may cite are the ones it was shown."""
    schema = edits_schema(RULES, {"f1"})
    Draft202012Validator.check_schema(schema)

    assert Draft202012Validator(schema).is_valid({"edits": [edit()]})
    assert not Draft202012Validator(schema).is_valid({"edits": [edit(failures=["f9"])]})
    assert not Draft202012Validator(schema).is_valid({"edits": [{**edit(), "more": 1}]})
