"""Fields that code fills in: what a schema may declare, and schema and record without them."""

from __future__ import annotations

import pytest

from cupel.errors import TaskError
from cupel.metrics.records import record_metric
from cupel.task import KINDS, ad_hoc_task, schema_faults, sent_schema
from cupel.task.fit import fit_of
from cupel.text.computed import FILL
from tests.outline import HIDDEN, SCHEMA, SETTINGS, outline, record, schema_with, write_task

EVENT = ("properties", "events", "items", "properties")
SECTION = ("properties", "sections", "items", "properties")


def test_no_model_is_asked_for_what_code_computes(tmp_path):
    """The schema that is sent has none of it, and nothing else is missing."""
    task = outline(tmp_path)
    sent = sent_schema(task.asked)[1]

    assert [word for word in (*HIDDEN, "x-computed") if word in sent] == []
    assert fit_of(task.asked).read(record())[1] is None
    assert list(task.fields)[-2:] == ["calm_and_fair", "reading"]


def test_a_record_fits_with_and_without_what_code_computes(tmp_path):
    """Gold and examples may leave it out."""
    task = outline(tmp_path)
    whole = record() | {"calm_and_fair": 0.5, "reading": {"words": 9, "lix": None, "reading_ease": None}}

    assert schema_faults(record(), task.schema) == schema_faults(whole, task.schema) == []
    assert task.shown(whole) == record()


def test_a_task_without_computed_fields_is_asked_as_it_is_written(tmp_path):
    """Its schema is the very same object, so that stored answers and versions stay valid."""
    plain = {"type": "object", "properties": {"a": {"type": "string"}}}
    task = outline(tmp_path, schema=plain, settings=SETTINGS.partition("[merge]")[0] + CRITERIA)

    assert task.asked is task.schema


def test_what_is_computed_is_compared_only_where_gold_has_it():
    """A model is not measured by arithmetic that gold does not have."""
    right, wrong = {"is_calm": True, "calm_and_fair": 1.0}, {"is_calm": True, "calm_and_fair": 0.5}

    assert record_metric(wrong, {"is_calm": True}, schema=SCHEMA) == 1
    assert record_metric(wrong, right, schema=SCHEMA) == 0.5


def test_every_kind_that_can_be_declared_has_a_function():
    """And the other way round."""
    assert KINDS.keys() == FILL.keys()


@pytest.mark.parametrize(
    ("path", "told", "said"),
    [
        (("properties", "reading", "x-computed"), {"by": "length"}, "one of readability, date, section, share"),
        (("properties", "reading", "x-computed"), {"by": "readability", "from": 1}, "no key 'from'"),
        (("properties", "reading", "x-computed"), {"by": "readability", "of": "text"}, "leave it out"),
        (("properties", "reading", "properties", "fog"), {"type": "number"}, "gives no 'fog'; it gives words, sentences"),
        (("properties", "reading", "properties", "lix"), {"type": "string"}, 'write "type": "number"'),
        (("properties", "reading", "type"), "string", 'write "type": \\["object", "null"\\]'),
        (("properties", "calm_and_fair", "x-computed"), {"by": "share", "of": ["is_warm"]}, "'is_warm', which is no field"),
        (("properties", "calm_and_fair", "x-computed"), {"by": "share", "of": ["reading"]}, "is computed itself"),
        (("properties", "calm_and_fair", "x-computed"), {"by": "section", "of": "is_calm"}, "for the items of a list"),
        ((*SECTION, "span", "x-computed"), {"by": "section", "of": "path"}, 'mark it "x-grounded": true'),
        ((*EVENT, "date", "x-computed"), {"by": "date", "of": {"iso": "iso"}}, "lacks 'unit'"),
        ((*EVENT, "unit"), {"type": "string"}, 'give it an "enum" of day, week'),
        ((*EVENT, "unit"), {"enum": ["day", "fortnight"]}, "which may be fortnight"),
        ((*EVENT, "shift"), {"type": "number"}, "no whole number"),
        (("properties", "is_fair", "enum"), ["fair", "unfair"], "neither true nor false"),
        ((*EVENT, "date", "x-computed"), {"by": "date", "of": {"when": "iso"}}, "no part 'when'"),
        (("x-computed",), {"by": "readability"}, "x-computed at the top"),
        (("properties", "themes", "items"), {"type": "string", "x-computed": {"by": "share"}}, "it stands on a property"),
    ],
)  # fmt: skip
def test_a_field_that_could_not_be_computed_is_refused_before_anything_is_paid(tmp_path, path, told, said):
    """The error names the file, the field and what to write."""
    with pytest.raises(TaskError, match=said) as caught:
        outline(tmp_path, schema=schema_with(path, told))

    assert "schema.json" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('metric = "record"', 'must_fill = ["reading"]', "take it out of must_fill, merge and metric"),
        ('sections = "union"', 'reading = "first"', "take it out of must_fill, merge and metric"),
        ('"date", "taxonomy"', '"taxonomy"', 'write optional_inputs = \\["date"\\]'),
        ('"taxonomy", "topics"]', '"topics"]', "'taxonomy' is no input of the task"),
        ('["events/iso"]', '["events/day"]', "no field 'events/day' is in schema.json"),
        ('["events/iso"]', '["events/date"]', "'events/date' is x-computed"),
        ('["events/iso"]', '["is_calm"]', "is boolean, not a text"),
        ('["events/iso"]', '"events/iso"', "needs a list of fields"),
        ('["sections/begins"]', '["sections/path"]', "no quote in the items of a list"),
        ('"citations/quote" }', '"events/when" }', "does not stand beside"),
        ("iso = [", "isos = [", "unknown key 'isos'; did you mean 'iso'"),
        ("[checks]", "[check]", "unknown key 'check'; did you mean 'checks'"),
    ],
)
def test_a_declaration_without_effect_is_refused(tmp_path, old, new, said):
    """A check of a field that is not there would find every record right."""
    assert old in SETTINGS
    with pytest.raises(TaskError, match=said):
        outline(tmp_path, settings=SETTINGS.replace(old, new))


def test_a_task_is_another_with_another_check_or_computed_field(tmp_path):
    """What was decided by the old ones is not reused."""
    tasks = [
        outline(tmp_path / "a"),
        outline(tmp_path / "b", settings=SETTINGS.replace('iso = ["events/iso"]\n', "")),
        outline(tmp_path / "c", settings=SETTINGS.replace('optional_inputs = ["date", "taxonomy", "topics"]',
                'inputs = ["date", "taxonomy", "topics"]')),
        outline(tmp_path / "d", schema=schema_with(("properties", "reading"), None)),
    ]  # fmt: skip

    assert len({task.identity for task in tasks}) == 4


def test_an_input_that_only_code_reads_need_not_be_shown(tmp_path):
    """A date that a model is not told of is no input without effect."""
    task = outline(tmp_path)

    assert (task.inputs, task.required_inputs) == (("date", "taxonomy", "topics"), ())


CRITERIA = '\n[[criteria]]\nid = "a"\nquestion = "Is a right?"\ncritical = true\n'


def test_a_one_off_schema_has_the_inputs_its_computed_fields_read(tmp_path):
    """A document may come without: then the date is unknown."""
    schema = {
        "type": "object",
        "properties": {
            "iso": {"type": "string"}, "unit": {"enum": ["day", "year"]}, "shift": {"type": "integer"},
            "day": {"type": "string", "x-computed": {"by": "date", "of": {"iso": "iso", "unit": "unit", "shift": "shift"}}},
        },
    }  # fmt: skip
    task = ad_hoc_task(schema, "When is it?", write_task(tmp_path))

    assert (task.inputs, task.required_inputs) == (("date",), ())
    assert list(task.asked_fields) == ["iso", "unit", "shift"]
