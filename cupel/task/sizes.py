"""What a task costs a document besides the document itself, counted without any model."""

from __future__ import annotations

import math

from cupel.task.rendering import compact, messages, stable_values, template_of, wire_schema
from cupel.task.spec import TaskSpec

CHARS_A_TOKEN = 4.0
"""Of prose, in bytes of UTF-8."""

CHARS_A_TOKEN_OF_JSON = 2.8
_EMPTY = '<document id="0123456789abcdef">\n\n</document>'


def prompt_tokens(task: TaskSpec) -> int:
    """Tokens that a request about one document takes besides its text: an upper bound, each input a word or two.

    Prose counts by four bytes a token, JSON by 2.8. An input from a file, which every request carries too, is not in it.
    """
    varying = {"document": _EMPTY, **dict.fromkeys(task.inputs, "a topic")}
    shown = messages(template_of(task, "extract"), stable_values(task), varying)
    prose = "".join(each["content"] for each in shown)
    records = [compact(task.shown(example.record)) for example in task.examples]
    for record in records:
        prose = prose.replace(record, "")
    sent = {"name": "record", "strict": True, "schema": wire_schema(task.asked)}
    coded = [*records, compact({"type": "json_schema", "json_schema": sent})]
    of_json = sum(len(each.encode()) for each in coded) / CHARS_A_TOKEN_OF_JSON
    return math.ceil(len(prose.encode()) / CHARS_A_TOKEN + of_json)
