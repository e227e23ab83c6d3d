"""The schema as a provider sees it."""

from cupel.task.rendering import wire_schema


def test_our_own_marks_are_left_out_everywhere():
    """Strict mode refuses keywords it does not know; the caller's schema is not touched."""
    schema = {
        "type": "object",
        "x-level": 1,
        "properties": {
            "claims": {"type": "array", "items": {"type": "object", "properties": {"id": {"x-id": True}}}},
            "either": {"anyOf": [{"type": "string", "x-grounded": True}, {"type": "null"}]},
        },
        "$defs": {"quote": {"type": "string", "x-grounded": True}},
    }

    sent = wire_schema(schema)

    assert "x-" not in str(sent)
    assert sent["properties"]["claims"]["items"]["properties"] == {"id": {}}
    assert sent["$defs"] == {"quote": {"type": "string"}}
    assert schema["x-level"] == 1


def test_a_field_may_be_named_like_a_mark():
    """Names of fields, and values, are the user's."""
    schema = {
        "properties": {"x-ray": {"type": "string", "enum": ["x-1"], "default": {"x-2": 1}}},
        "required": ["x-ray"],
    }

    assert wire_schema(schema) == schema
