"""What names a call in the run log, and what is kept of it."""

import hashlib
import json

import pytest

from cupel.engine.requests import Request
from cupel.engine.run import Asking
from cupel.models.settings import CallSettings
from cupel.task.rendering import wire_schema

TEXTS = {"b": {"type": "string", "x-grounded": True}, "a": {"type": "string"}}
SCHEMA = {"type": "object", "required": ["b", "a"], "properties": TEXTS, "additionalProperties": False}
TEXT = 'She said: "Ünser Haus."\n\tTwice.'


def request(**changes):
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"<d>\n{TEXT}\n</d>"}]
    given = {
        "kind": "extract",
        "model": "openai:small",
        "messages": said,
        "schema": SCHEMA,
        "schema_name": "r",
    }
    given |= {"doc_id": "d1", "text": TEXT, "settings": CallSettings(temperature=0.5, logprobs=True)}
    return Request(**{**given, **changes})


@pytest.mark.parametrize("schema", [SCHEMA, None], ids=["with a schema", "without one"])
def test_a_key_is_the_hash_of_one_json_list_so_that_old_answers_stay_found(schema):
    """What was paid for under a key is found under it for ever: the key's spelling does not change."""
    asked = request(schema=schema, asking=Asking(sample=2, retry=1))
    wire = None if schema is None else wire_schema(schema)
    settings = asked.settings
    decides = [asked.model, asked.messages, wire, 0.5, settings.max_output_tokens, True, 2, 1]
    assert asked.key == hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def test_the_text_is_cut_out_of_what_is_logged_and_can_be_put_back():
    """A text is kept once: the request in the log has a mark in its place, and only there."""
    asked = request()
    logged = json.loads(asked.asked)
    assert TEXT not in logged[1]["content"]
    assert logged[1]["content"].replace("⟦document⟧", TEXT) == asked.messages[1]["content"]
    assert logged[0] == asked.messages[0]


def test_a_document_of_one_common_word_leaves_the_form_of_the_log_alone():
    """A text that is also a word of the log's own form is cut out of the message, not of the form."""
    said = [{"role": "user", "content": "<d>\nuser\n</d>"}]
    logged = json.loads(request(messages=said, text="user").asked)
    assert logged == [{"role": "user", "content": "<d>\n⟦document⟧\n</d>"}]
