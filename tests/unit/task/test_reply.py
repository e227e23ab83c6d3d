"""One reader of replies: it finds the record wherever it stands, invents nothing, and takes nothing cut off."""

from __future__ import annotations

import json
import os
import re

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from cupel.task.reply import MAX_DEPTH, read_record

RUNS = int(os.environ.get("CUPEL_REPLY_EXAMPLES", "300"))
"""Generated replies a test; `make soak` takes 100,000."""

generated = settings(max_examples=RUNS, deadline=None, suppress_health_check=list(HealthCheck))


def problem_of(value):
    """A schema that wants a party and a quote, and nothing else."""
    if not isinstance(value, dict) or set(value) != {"party", "quote"}:
        return "does not fit the schema"
    return None if all(isinstance(one, str) for one in value.values()) else "does not fit the schema"


def read(text, document=""):
    """What the reader makes of a reply."""
    return read_record(text, problem_of, document=document)


GOOD = {"party": "Blue", "quote": "we shall lower the levy"}
WRITTEN = json.dumps(GOOD)

words = st.text(
    st.characters(exclude_characters='{}[]"\\<>◁\x00\ufffd', exclude_categories=("Cs",)), max_size=40
)
text = st.text(st.characters(exclude_characters="\x00\ufffd", exclude_categories=("Cs",)), max_size=40)
records = st.fixed_dictionaries({"party": text, "quote": text})
templates = st.sampled_from(
    ["{x}", "{party}", "[1]", "{party: ?}", "{{topic}}", "f({a}, [b])", "{", "}", "]", "{}", '"{"', '{"']
)
drafts = st.sampled_from(
    ['{"party": "?", "quote": ...}', '{"party": "Red"}', '{"x": {"y": 1}}', "[1, 2]", '{"a"}']
)
prose = st.lists(words | templates, max_size=4).map(" ".join)
ponderings = st.lists(words | templates | drafts | records.map(json.dumps), max_size=4).map(" ".join)
tags = st.sampled_from([("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<thinking >", "</thinking >")])
opened = st.tuples(tags, ponderings).map(lambda drawn: drawn[0][0] + drawn[1] + drawn[0][1])
thoughts = opened | ponderings.map(lambda said: said + "</think>")
"""Thoughts hold drafts that would fit; none of them may be taken. Some servers leave out the opening tag."""


writings = st.sampled_from(
    [
        json.dumps,
        lambda record: json.dumps(record, indent=2),
        lambda record: json.dumps(record, ensure_ascii=False),
        lambda record: json.dumps(record)[:-1] + ",}",
        lambda record: json.dumps([record]),
    ]
)
fences = st.sampled_from(
    ["{}", "```json\n{}\n```", "```\n{}\n```", "~~~\n{}\n~~~", "JSON: {}", "{} {}", "{}\n\nagain:\n{}"]
)


@generated
@given(records, st.tuples(writings, fences), st.just("") | thoughts, st.tuples(prose, prose))
def test_a_record_is_found_in_any_noise(record, form, thought, around):
    """After thoughts and prose with braces, in a fence, said twice, before a note."""
    write, fence = form
    before, after = around
    reply = f"{thought}\n{before}\n{fence.replace('{}', write(record))}\n{after}"

    assert read(reply).record == record, reply


@generated
@given(records, st.just("") | opened, prose, st.data())
def test_a_reply_that_was_cut_anywhere_gives_no_other_record(record, thought, before, data):
    """Not a piece of it, not a draft of the thoughts: the record whole, or none."""
    reply = f"{thought}\n{before}\n{json.dumps(record)}\n"
    cut = reply[: data.draw(st.integers(0, len(reply)))]

    assert read(cut).record in (None, record), cut


@generated
@given(
    st.recursive(
        text | st.none() | st.integers() | st.booleans(),
        lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    )
)
def test_plain_json_is_read_as_json_reads_it(value):
    """Leniency adds nothing to what is valid already."""
    reading = read_record(json.dumps({"v": value}), lambda _: None)

    assert reading.record == {"v": value}


@generated
@given(st.text(st.sampled_from('{}[]",:\\ntrue1eu0aF-. <>/think`'), max_size=120))
def test_nonsense_is_a_problem_in_words_and_never_an_exception(said):
    """Whatever a model says, one of the two comes out."""
    reading = read(said)

    assert (reading.record is None) == (reading.problem is not None)


@generated
@given(st.text(st.sampled_from('{}[]",:\\n1e <a'), max_size=80))
def test_every_string_that_is_read_stands_in_the_reply(said):
    """Nothing is invented: a key or value comes from the characters of the reply."""
    record = read_record(said, lambda _: None).record
    plain = said.replace("\\n", "\n").replace("\\\\", "\\").replace('\\"', '"')

    for key, value in (record or {}).items():
        assert key in plain or key in said
        assert not isinstance(value, str) or value in plain or value in said


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        pytest.param("", "empty", id="nothing"),
        pytest.param("   \n", "empty", id="blanks"),
        pytest.param(WRITTEN + WRITTEN.replace("Blue", "Red"), "2 different records", id="two that fit"),
        pytest.param(
            '{"party":"a","party":"b","quote":"c"}', "'party' two values", id="a key with two values"
        ),
        pytest.param('{"party":1e999,"quote":"c"}', "larger than any number", id="a number no float holds"),
        pytest.param('{"party":NaN,"quote":"c"}', "NaN", id="no number"),
        pytest.param('{"party":-Infinity,"quote":"c"}', "-Infinity", id="minus infinity"),
        pytest.param(
            '{"party":' + "9" * 5_000 + ',"quote":"c"}', "larger than any number", id="5,000 digits"
        ),
        pytest.param('{"party":' * 10_000, "nests deeper", id="10,000 levels"),
        pytest.param(
            '{"party":' + "[" * 10_000 + "]" * 10_000 + "}", "nests deeper", id="10,000 levels, closed"
        ),
        pytest.param('{"party":"\\ud83d","quote":"c"}', "half a character", id="half an emoji"),
        pytest.param('{"party":"\ud83d","quote":"c"}', "half a character", id="half an emoji, raw"),
        pytest.param('{"party":"a\\u0000","quote":"c"}', "a NUL", id="NUL"),
        pytest.param('{"party":"a\x00","quote":"c"}', "a NUL", id="NUL, raw"),
        pytest.param(
            '{"party":"a�","quote":"c"}', "a character that was lost", id="what stands for a lost one"
        ),
        pytest.param('{"party":"a\\ufffd","quote":"c"}', "a character that was lost", id="the same, escaped"),
        pytest.param("<think>" + WRITTEN, "ends in its thoughts", id="a thought that never ends"),
        pytest.param('{"claims":[' + WRITTEN, "cut off", id="a record inside a value that never ends"),
        pytest.param('{"claims":[' + WRITTEN + " oops ", "not JSON", id="a record inside a broken value"),
    ],
)
def test_what_no_record_may_be_is_a_problem_that_says_so(reply, words):
    """It is shown to the model, which mends it, or to a person."""
    reading = read(reply)

    assert reading.record is None
    assert words in reading.problem


@pytest.mark.parametrize(
    ("written", "value"),
    [
        pytest.param("line\nbreak", "line\nbreak", id="raw line feed"),
        pytest.param("CR\r\nLF", "CR\r\nLF", id="raw CR LF"),
        pytest.param("a\ttab", "a\ttab", id="raw tab"),
        pytest.param(r"\alpha and \sum", r"\alpha and \sum", id="a formula's backslashes"),
        pytest.param(r"C:\Users\me", r"C:\Users\me", id="a path"),
        pytest.param(r"half \u12 escape", r"half \u12 escape", id="an escape that is none"),
        pytest.param(r"a \"word\"", 'a "word"', id="an escaped quote stays one"),
        pytest.param(r"we\'ll", "we'll", id="an apostrophe escaped as elsewhere"),
        pytest.param(r"R\&D for \$5", r"R\&D for \$5", id="a backslash before a mark"),
        pytest.param(r"two \\ backslashes", "two \\ backslashes", id="a doubled backslash is one"),
        pytest.param(r"\ud83d\ude00", "😀", id="a whole emoji in two escapes"),
    ],
)
def test_strings_are_read_as_they_were_meant(written, value):
    """Raw line breaks and backslashes that were not doubled cost no repair."""
    assert read(f'{{"party":"Blue","quote":"{written}"}}').record == {"party": "Blue", "quote": value}


@pytest.mark.parametrize("formula", [r"\frac{1}{2}", r"\text{x}", r"\beta", r"\rho = \nu", r"\tau"])
def test_an_escape_that_would_be_a_control_character_is_compared_with_the_document(formula):
    r"""`\frac` decodes to a form feed and "rac"; where the document has the formula, the formula is meant."""
    reply = f'{{"party":"Blue","quote":"{formula}"}}'

    assert read(reply, document=f"We know that {formula} holds.").record["quote"] == formula
    assert read(reply, document="We know.").record["quote"] == json.loads(f'"{formula}"')


@pytest.mark.parametrize("mark", ["$5", "_id_", "R&D", "*all*", "#1", "50%"])
def test_a_backslash_before_a_mark_is_left_out_where_the_document_has_none(mark):
    r"""Models write `\$5` as Markdown and TeX do; a document in Markdown may have just that."""
    written = re.sub(r"[^\w]", lambda found: "\\" + found[0], mark)
    reply = f'{{"party":"Blue","quote":"{written}"}}'

    assert read(reply, document=f"It was {mark} then.").record["quote"] == mark
    assert read(reply, document=f"It was {written} then.").record["quote"] == written
    assert read(r'{"party":"Blue","quote":"we\'ll"}', document=r"we\'ll").record["quote"] == r"we\'ll"


def test_a_record_that_quotes_a_thoughts_tag_is_taken_whole():
    """A document may speak of models; its tags are text, in a fence and behind thoughts too."""
    for quote in ("they write <think> and </think>", "they write </think>", "they write <think>"):
        record = {"party": "Blue", "quote": quote}
        for around in (
            "{}",
            "```json\n{}\n```",
            "Here: {}",
            "<think>hm</think>{}",
            "<think>hm</think>So: {}.",
        ):
            assert read(around.replace("{}", json.dumps(record))).record == record, (quote, around)


def test_a_document_with_a_lost_character_may_be_quoted():
    """It stands in many a scanned text."""
    record = {"party": "Blue", "quote": "the caf� closes"}

    assert read(json.dumps(record), document="We hear that the caf� closes.").record == record
    assert read(json.dumps(record, ensure_ascii=False), document="the caf� closes").record == record


def test_nesting_up_to_the_limit_is_read():
    """A hundred levels are more than any record has."""
    value = json.loads("[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1))

    assert read_record("so: " + json.dumps({"v": value}), lambda _: None).record == {"v": value}


HOSTILE = {
    "a fence and spaces": lambda n: "```" + " " * n,
    "brackets": lambda n: "[" * n,
    "braces": lambda n: "{" * n,
    "both": lambda n: "[{" * (n // 2),
    "keys": lambda n: '{"a":' * (n // 5),
    "keys without an end": lambda n: '{"a":"' * (n // 6),
    "thoughts": lambda n: "<think>" * (n // 7),
    "templates": lambda n: "{x}" * (n // 3),
    "lists": lambda n: "[1," * (n // 3),
    "backslashes": lambda n: '{"a":"' + "\\" * n,
    "empty objects": lambda n: "{}" * (n // 2),
    "records": lambda n: WRITTEN * (n // len(WRITTEN)),
    "digits": lambda n: '{"a":' + "9" * n,
    "quotes": lambda n: '"' * n,
    "quoted braces": lambda n: '"{' * (n // 2),
    "braces before escapes": lambda n: '{"\\"' * (n // 4),
    "objects in brackets": lambda n: '[{"a":1},' * (n // 9),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_replies_end(kind):
    """A fence with 4,000 spaces once took 41 s; how time grows is measured in benchmarks/replies.py."""
    reading = read(HOSTILE[kind](20_000))

    assert reading.record in (None, GOOD)
