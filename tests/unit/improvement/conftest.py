"""A campaign whose nodes are called one by one, without a graph: scripted models, a real runtime and run log."""

from __future__ import annotations

import asyncio
from inspect import signature

import pytest
from langgraph.runtime import Runtime as Given

from cupel.context import RunContext
from cupel.engine.runtime import Runtime, close_current, install
from cupel.improvement.campaign import open_campaign
from cupel.improvement.ledger import ledger_of
from cupel.testing.models import scripted
from tests.integration.cascade import MODELS
from tests.integration.improvement import GOOD_RULE, TASK, extractor, made_project, rewriter, speeches, write

REDUCED = ("tried", "notes")
"""Channels to which a node appends."""


class Walk:
    """The state of a campaign, and what its nodes make of it."""

    def __init__(self, project, models, **context):
        self.project, self.models = project, models
        self.context = RunContext(**{**MODELS, "judge": "never", "strong_model": "none", **context})
        self.state = {"task": TASK, "documents": "speeches.jsonl", "held_out": 0.7, "tried": [], "notes": []}

    async def step(self, *nodes):
        """Call nodes one after the other; returns the last one's update."""
        for node in nodes:
            given = (self.state, Given(context=self.context))
            update = await node(*given[: len(signature(node).parameters)])
            appended = {name: [*self.state[name], *update[name]] for name in REDUCED if name in update}
            self.state = {**self.state, **update, **appended}
        return update

    def opened(self):
        """The campaign itself, for a stage called alone."""
        return open_campaign(self.state, self.context, last=True)

    def entries(self, kind=None):
        """Kinds, keys and data of the ledger."""
        return [(e.kind, e.key, e.data) for e in ledger_of(self.project.state).entries(kind=kind)]

    def asked(self, role):
        """What a model was asked, as text."""
        return [str(request) for request in self.models[f"scripted:{role}"].requests]


@pytest.fixture
async def walk(tmp_path):
    """Thirty speeches, half of them hard, and a rewriter with a rule that helps; `walk.state` may be changed."""
    project = made_project(tmp_path)
    write(project.folder / "speeches.jsonl", speeches(30))
    scripts = {"cheap": extractor, "refiner": rewriter(GOOD_RULE), "judge": [], "gate": [], "juror": []}
    with scripted({f"scripted:{role}": script for role, script in scripts.items()}) as models:
        install(await asyncio.to_thread(Runtime, project, {}))
        yield Walk(project, models)
        await close_current()
