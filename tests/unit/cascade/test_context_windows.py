"""A document longer than the context of a model that runs here is cut by the model's own tokenizer."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

from cupel.cascade.context_windows import fit_windows
from cupel.cascade.prepare import name_and_cut
from cupel.context import RunContext
from cupel.models import aclose_models
from cupel.models.gguf import close_engines
from tests.unit.cascade.factory import asking
from tests.unit.models.gguf_files import stand_in, whole

SENTENCE = "This is a sentence of just ten words, number {}. "


@pytest.fixture
async def model(tmp_path, monkeypatch):
    """Makes a model of so many tokens; each word counts as one."""
    where = stand_in(tmp_path / "lib")
    monkeypatch.setenv("PYTHONPATH", str(where))
    monkeypatch.syspath_prepend(where)
    monkeypatch.delitem(sys.modules, "xllamacpp", raising=False)

    def make(context: int) -> str:
        path = Path(tmp_path / f"{context}.gguf")
        path.write_bytes(whole(**{"llama.context_length": context}))
        return f"gguf:{path}"

    yield make
    await aclose_models()
    close_engines()


async def prepare(runtime, model: str, text: str):
    """The document as the first step leaves it."""
    task = await runtime.task({"task": "sentiment"}, asking())
    context = RunContext(profile="offline", cheap_model=model, max_output_tokens=64)
    prepared = name_and_cut({}, text, task, None)
    return await fit_windows(prepared, {}, task, context, asking())


async def test_windows_are_cut_until_each_fits(runtime, model):
    """Every character lies in one, neighbours overlap or touch, and the words of each leave room for prompt and reply."""
    text = "".join(SENTENCE.format(number) for number in range(900))
    made = await prepare(runtime, model(4096), text)
    windows = made["windows"]

    assert made["problem"] is None
    assert len(windows) > 2
    assert windows[0][0] == 0
    assert windows[-1][1] == len(text)
    assert all(start <= before for (_, before), (start, _) in itertools.pairwise(windows))
    assert max(len(text[start:end].split()) for start, end in windows) < 4096 - 64


async def test_a_text_that_fits_stays_whole(runtime, model):
    """One window, as the task has it."""
    made = await prepare(runtime, model(4096), SENTENCE.format(1))

    assert made["windows"] == [[0, len(SENTENCE.format(1))]]


async def test_a_context_that_holds_no_more_than_the_prompt_is_the_documents_problem(runtime, model):
    """In words: what the prompt takes, what the context is, and what to set."""
    made = await prepare(runtime, model(256), SENTENCE.format(1))

    assert made["windows"] == []
    assert "context of 256 tokens the prompt of task 'sentiment' takes" in made["problem"]
    assert "CUPEL_GGUF_CONTEXT" in made["problem"]


async def test_a_model_that_cannot_be_loaded_is_the_documents_problem_on_a_server(runtime, tmp_path):
    """The others of the server are none the worse."""
    made = await prepare(runtime, f"gguf:{tmp_path}/missing.gguf", SENTENCE.format(1))

    assert "does not exist" in made["problem"]
