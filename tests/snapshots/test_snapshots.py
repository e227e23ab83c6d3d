"""What leaves the project, as text files beside this one: the prompts as sent, and the graphs as drawn."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cupel.context import RunContext
from cupel.project import load_graph
from cupel.runs import Job, Runner
from cupel.tables import Row
from cupel.task import load_task
from cupel.testing import fill, scripted

HERE = Path(__file__).parent
RENEW = os.environ.get("CUPEL_RENEW") == "1"
TASKS = ("arguments", "entities", "sentiment", "stance", "summary")
TEXT = "Madam President, we must build more homes. Rents rose by 40 % in ten years."
ROLES = {"cheap": "extract", "judge": "judge", "refiner": "refine"}


def held_to(name: str, text: str) -> None:
    """A text is what it was when its file was last renewed."""
    path = HERE / name
    if RENEW:
        path.write_text(text, encoding="utf-8")
    kept = path.read_text(encoding="utf-8") if path.is_file() else ""
    assert text == kept, (
        f"if {name} is meant to change: CUPEL_RENEW=1 .venv/bin/python -m pytest tests/snapshots"
    )


def objects(messages, schema):
    """A judge who finds every criterion failed, so that the refiner is asked too."""
    finding = {"reasoning": "it was looked at", "evidence_quote": None, "finding": "fail"}
    return dict.fromkeys(schema["properties"], finding)


async def asked_about(project, name):
    """Every step's first request about one document, its messages as they were sent."""
    models = {f"{role}_model": f"scripted:{role}" for role in ROLES} | {"strong_model": "none"}
    job = Job(task=load_task(name, project.prompts), context=RunContext(**models, max_refinements=1))
    row = Row(position=0, values={}, text=TEXT, doc_id="d1", inputs={"topic": "housing"})
    record = lambda messages, schema: fill(schema, TEXT)  # noqa: E731
    scripts = {"scripted:cheap": record, "scripted:judge": objects, "scripted:refiner": record}
    with scripted(scripts) as answering:
        async with Runner(job, project, env={}) as runner:
            assert [outcome async for _, outcome in runner.outcomes([row])]
        return {ROLES[role]: answering[f"scripted:{role}"].requests[0].messages for role in ROLES}


@pytest.mark.parametrize("task", TASKS)
async def test_a_model_is_told_what_it_was_told_before(project, task):
    """A prompt changes by someone's will: its version, every recording and every calibration hang on it."""
    for step, messages in (await asked_about(project, task)).items():
        parts = [f"### {message['role']}\n{message['content']}\n" for message in messages]
        held_to(f"{task}.{step}.txt", "\n".join(parts))


@pytest.mark.parametrize("name", ["enrich", "improve", "compare"])
def test_a_graph_is_drawn_as_before(project, name):
    """The drawing is what people see of a graph in Studio and in the README."""
    held_to(f"{name}.mermaid", load_graph(project, name).get_graph().draw_mermaid())
