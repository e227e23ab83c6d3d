"""Two models, or two versions of a prompt, on the same documents; a third model says which record is better."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from cupel.cascade import prompt_for
from cupel.context import RunContext
from cupel.engine import ask, ask_as, current, current_asking
from cupel.errors import SettingError
from cupel.evaluation.experiments import named_prompt
from cupel.improvement import Ledger, as_version, parts_of, rule_rows, version_of
from cupel.judging import Preference, pairwise_schema
from cupel.models import ModelId, check_model, resolve_models
from cupel.runs import (
    detach,
    enrich_graph,
)
from cupel.state import CompareState, Opinion, Outcome, Record, Side
from cupel.task import (
    TaskSpec,
    compact,
    load_task,
)
from cupel.text import document_id

_PARTS = ("rules", "extract", "labels", "examples", "schema")
"""What a side may say of a version."""


def read_side(name: str, task: TaskSpec, ledger: Ledger, folder: Path) -> Side:
    """What `--a` or `--b` names: a model, a version, a candidate's file, `active`, or `model@version`.

    Raises:
        UsageError: For a version the ledger does not have, or no such model.
    """
    model, _, version = name.partition("@") if ":" in name else ("", "", name)
    side = Side(name=name)
    if model:
        side["model"] = str(ModelId.parse(model))
    if version and version != "active":
        spec = named_prompt(version, task, ledger, folder)
        parts = parts_of(spec)
        side["rules"], side["extract"] = parts["rules"], parts["extract"]
        side["labels"], side["examples"], side["schema"] = parts["labels"], parts["examples"], parts["schema"]
        side["name"] = f"{model}@{version_of(spec)}" if model else version_of(spec)
    return side


def check_sides(a: Side, b: Side, context: RunContext, env: Mapping[str, str]) -> str:
    """The judge's model.

    Raises:
        SettingError: Where it is missing, would judge its own records, or both sides are the same.
    """
    models = resolve_models(context, env)
    if {**a, "name": ""} == {**b, "name": ""}:
        raise SettingError(f"a and b are the same: {a['name']}; name another model or version with --b")
    if not models.judge:
        raise SettingError("no judge is attached; name one with --judge")
    for side in (a, b):
        model = side.get("model", models.cheap)
        if models.judge == model:
            raise SettingError(f"{models.judge} would judge its own records; name another with --judge")
        check_model(f"--{'a' if side is a else 'b'}", model, env)
    check_model("judge", models.judge, env)
    return models.judge


def settings_of(side: Side, context: RunContext) -> RunContext:
    """The settings one side is asked under: its model alone."""
    return context.model_copy(
        update={
            "cheap_model": side.get("model", context.cheap_model), "strong_model": "none", "judge": "never",
            "human_review": False,
        }
    )  # fmt: skip


def task_of(side: Side, task: TaskSpec) -> TaskSpec:
    """The task as a side has it: with its own prompt, where it is a version of it.

    An empty part is what a form sends where nobody filled it in: it leaves the folder's, and drops nothing.
    """
    said = {name: side[name] for name in _PARTS if side.get(name)}  # type: ignore[literal-required]
    if not said:
        return task
    own = {"rules": rule_rows(task.rules), "extract": task.prompts["extract"]}
    return as_version(task, {**own, **said})


async def answer_as(state: CompareState, side: Side, context: RunContext) -> Outcome:
    """The document's outcome on one side alone: no stronger model and no judge stands behind it."""
    runtime = await current()
    task = task_of(side, await asyncio.to_thread(load_task, state["task"], runtime.project.prompts))
    settings = settings_of(side, context)
    document = {
        "text": state["text"],
        "task": task.name,
        "doc_id": state.get("doc_id") or document_id(state["text"], state.get("meta")),
        "meta": dict(state.get("meta") or {}),
    }
    graph = await asyncio.to_thread(enrich_graph, runtime.project)
    asking = current_asking()
    with ask_as(replace(asking, run=replace(asking.run, task=task))):
        outcome: Outcome = await detach(graph.ainvoke(document, context=settings))
    return outcome


def records_of(state: CompareState) -> dict[str, Record | None]:
    """Both sides' records; None where a side has none."""
    outcomes = state.get("outcomes") or {}
    return {side: outcomes[side]["record"] for side in ("a", "b")}


def prefer_unasked(records: Mapping[str, Record | None]) -> Preference | None:
    """No record loses to one; the same record is a tie; two that are missing tell nothing; else None: ask."""
    a, b = records["a"], records["b"]
    if a is None or b is None:
        return "unknown" if a is None and b is None else "b" if a is None else "a"
    return "tie" if compact(a) == compact(b) else None


async def ask_judge(
    state: CompareState, records: Mapping[str, Record | None], first: Literal["a", "b"], context: RunContext
) -> Opinion:
    """The judge's opinion with one of the records shown first; what it says must not depend on which."""
    runtime = await current()
    task = await asyncio.to_thread(load_task, state["task"], runtime.project.prompts)
    judging = context.model_copy(update={"judge": "always"})
    judge = resolve_models(judging, runtime.env).judge
    if not judge:
        return Opinion(first=first, better=None, reasoning="no judge is attached; set --judge")
    prompt = await prompt_for(task, "compare", judge, judging, pairwise_schema())
    shown = {side: None if record is None else task.shown(record) for side, record in records.items()}
    second = shown["b" if first == "a" else "a"]
    question = prompt.about(state, first=compact(shown[first]), second=compact(second))
    answer = await ask(question, current_asking())
    if answer.record is None:
        return Opinion(first=first, better=None, reasoning=f"no judgement: {answer.error}")
    return Opinion(first=first, better=answer.record["better"], reasoning=answer.record["reasoning"])
