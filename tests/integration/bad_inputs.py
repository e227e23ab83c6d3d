"""What clients get wrong, and the words that each of it has to be answered with."""

from __future__ import annotations

import re
from typing import Any

from tests.integration.cascade import TEXT

TASKED = {"text": TEXT, "task": "arguments"}

INPUTS: dict[str, tuple[dict[str, Any], str]] = {
    "an id that is a number": ({**TASKED, "doc_id": 12}, 'doc_id is 12; give your id as text, such as "a1"'),
    "an id that is a list": ({**TASKED, "doc_id": ["a"]}, 'doc_id is ["a"]; give your id as text'),
    "an id that is true": ({**TASKED, "doc_id": True}, "doc_id is true; give your id as text"),
    "inputs that are text": ({**TASKED, "meta": "x"}, 'meta is "x"; give further inputs as an object'),
    "inputs that are a list": ({**TASKED, "meta": [1]}, "meta is [1]; give further inputs as an object"),
    "a task that is a number": ({"text": TEXT, "task": 7}, "task is 7; name a folder of prompts/ as text"),
    "a task that is an object": ({"text": TEXT, "task": {"a": 1}}, 'task is {"a":1}; name a folder'),
    "a misspelt task": ({"text": TEXT, "task": "argument"}, "did you mean 'arguments'?"),
    "a task that is a path": ({"text": TEXT, "task": "../arguments"}, "task"),
    "no text": ({"task": "arguments"}, "no text"),
    "an empty text": ({"text": " "}, "no text"),
    "a text that is a number": ({"text": 12}, "not a text: a number (12)"),
    "a text that is a list": ({"text": ["a"]}, "not a text: a list"),
    "a text that is an object": ({"text": {"a": 1}}, "not a text: an object"),
    "a text that is true": ({"text": True}, "not a text: a truth value"),
    "a missing input": ({"text": TEXT, "task": "stance"}, "needs the input 'topic'"),
    "a schema that is text": ({"text": TEXT, "output_schema": "x"}, 'output_schema is "x"; give a JSON Schema as an object'),
    "a schema of a list": ({"text": TEXT, "output_schema": {"type": "array"}}, "must describe an object"),
    "a schema that is none": ({"text": TEXT, "output_schema": {"type": "wish"}}, "not a JSON Schema"),
    "instructions that are a number": ({**TASKED, "instructions": 5}, "instructions is 5; say in a sentence"),
}  # fmt: skip

SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "a misspelt setting": ({"cheap_modell": "openai:x"}, "unknown setting 'cheap_modell'; did you mean 'cheap_model'?"),
    "a model without a provider": ({"cheap_model": "gpt-4o"}, "did you mean 'openai:gpt-4o'?"),
    "an unknown provider": ({"cheap_model": "opnai:gpt-4o"}, "did you mean 'openai:gpt-4o'?"),
    "a judge of its own records": ({"cheap_model": "offline:baseline", "judge_model": "offline:baseline"}, "would judge its own records"),
    "a choice that is none": ({"judge": "sometimes"}, "judge is \"sometimes\": should be 'auto', 'always' or 'never'"),
    "too many rounds": ({"max_refinements": 99}, "max_refinements is 99: should be less than or equal to 5"),
    "a cap that is text": ({"max_usd_per_document": "much"}, 'max_usd_per_document is "much"'),
    "a model that is a number": ({"cheap_model": 7}, "cheap_model is 7: should be a valid string"),
    "a key that is not set": ({"cheap_model": "groq:x", "profile": "groq"}, "GROQ_API_KEY"),
    "a recording that is not there": ({"cheap_model": "recorded:nothing"}, "recorded:nothing"),
}  # fmt: skip


def unfit_for_a_client(said: str) -> list[str]:
    """What in a sentence belongs to the machine, to its command line or to Python."""
    patterns = (
        r"(?<![\w:/.])/(?:\w+/)+",
        r"--[a-z]",
        r"\b(?:str|dict|NoneType|Traceback|pydantic)\b",
        r"errors\.pydantic",
    )
    return [found[0] for pattern in patterns if (found := re.search(pattern, said))]
