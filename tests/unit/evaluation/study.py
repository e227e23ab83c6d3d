"""What the tests of evaluations share: settings, a judge, and records it is shown."""

from __future__ import annotations

import json

from cupel.context import RunContext
from cupel.evaluation.judge_check import Case
from tests.integration.cascade import MODELS
from tests.integration.improvement import TASK

CONTEXT = RunContext(**{**MODELS, "strong_model": "none", "judge": "never", "max_refinements": 0})
PROVENANCE = {
    "task": TASK,
    "task_identity": "",
    "input_name": "speeches.jsonl",
    "output_name": "",
    "settings": "{}",
}
TEXT = "Colleagues, I welcome proposal {n} because it helps town {n} and its people."


def judge(messages, schema):
    """Fails what is not in favour."""
    finding = "pass" if '"stance":"favor"' in messages[-1]["content"] else "fail"
    return {
        name: {"reasoning": "looked", "evidence_quote": None, "finding": finding}
        for name in schema["properties"]
    }


def case(n, *, good=True, **labels):
    """A record of a speech in favour, right or wrong."""
    record = {
        "evidence": [f"I welcome proposal {n}"],
        "reason": "The speaker says so.",
        "stance": "favor" if good else "none",
    }
    doc_id = f"r{n}"
    return Case(
        doc_id=doc_id, text=TEXT.format(n=n), record=record, group=doc_id, inputs={"topic": "it"}, **labels
    )


def lines(path):
    """The rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
