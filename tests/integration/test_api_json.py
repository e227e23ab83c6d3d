"""What a command prints with `--json` is what its function returns: the same models, twice the same project."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

import cupel
from cupel import api
from cupel.errors import CupelError
from cupel.tables import json_text
from cupel.testing.models import scripted
from tests.integration import here
from tests.integration.improvement import GOOD_RULE, TASK, extractor, made_project, rewriter, speeches, write

CHEAP = {"cheap_model": "scripted:cheap", "strong_model": "none", "judge": "never"}
EXPERIMENT = """
task = "stance"
dataset = "speeches.jsonl"
baseline = "baseline.json"

[settings]
judge = "never"
strong_model = "none"

[models.small]
cheap_model = "scripted:cheap"
"""


def accepts(_messages, schema):
    """A judge that lets everything pass, and prefers what it is shown first."""
    if "better" in schema["properties"]:
        return {"reasoning": "It came first.", "better": "first"}
    return {
        name: {"reasoning": "fine", "evidence_quote": None, "finding": "pass"}
        for name in schema["properties"]
    }


SCRIPTS = {
    "scripted:cheap": extractor,
    "scripted:strong": lambda messages, _schema: {**extractor(messages, None), "stance": "favor"},
    "scripted:other": lambda messages, _schema: {**extractor(messages, None), "stance": "none"},
    "scripted:judge": accepts,
    "scripted:refiner": rewriter(GOOD_RULE),
}
FLAGS = ["--cheap-model", "scripted:cheap"]
ALONE = [*FLAGS, "--strong-model", "none", "--judge", "never"]


def talks(count, **how):
    """Speeches with their topic in a column of its own."""
    return [{**row, "topic": row["meta"]["topic"]} for row in speeches(count, **how)]


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """A project whose speeches went through a run, in which every second record is wrong by gold."""
    folder = tmp_path_factory.mktemp("study")
    made = made_project(folder)
    write(folder / "speeches.jsonl", talks(40))
    write(folder / "plain.jsonl", talks(6, gold=False))
    unseen = [{**row, "id": f"u{row['id']}", "text": f"{row['text']} Thank you."} for row in talks(40)]
    write(folder / "unseen.jsonl", unseen)
    write(folder / "many.jsonl", talks(150, gold=False))
    (folder / "e.toml").write_text(EXPERIMENT)
    rows = [
        {"id": f"r{n}", "text": row["text"], "meta": row["meta"], "label": "pass" if n % 2 else "fail",
         "record": {"evidence": [], "reason": "So.", "stance": "favor"}}
        for n, row in enumerate(speeches(20))
    ]  # fmt: skip
    write(folder / "labels.jsonl", rows)
    with scripted(SCRIPTS):
        done = here.command(folder, "run", "speeches.jsonl", "--task", TASK, *ALONE, "--tidy", "--no-report")
        found = here.command(
            folder, "run", "plain.jsonl", "--task", "entities", "--profile", "offline", "--no-report"
        )
    assert (done.code, found.code) == (0, 0), done.said + found.said
    return made


CASES = {
    "run": (
        ["run", "plain.jsonl", "--task", TASK, *ALONE, "--tidy"],
        lambda: asyncio.run(api.FileWork(api.FileRun(file=Path("plain.jsonl"), task=TASK, tidy=True, settings=CHEAP)).run()),
    ),
    "plan": (
        ["plan", "speeches.jsonl", "--task", TASK, *ALONE, "--max-usd", "1"],
        lambda: cupel.plan("speeches.jsonl", TASK, max_usd=1, **CHEAP),
    ),
    "tasks": (["tasks"], cupel.list_tasks),
    "runs": (["runs", "--limit", "1"], lambda: cupel.list_runs(limit=1)),
    "failures": (["failures", "--task", TASK], lambda: cupel.failures(TASK)),
    "failures --freeze": (["failures", "--task", TASK, "--freeze", "held"], lambda: cupel.freeze_failures("held", TASK)),
    "report": (["report"], cupel.write_report),
    "doctor": (["doctor", *FLAGS], lambda: cupel.doctor(cheap_model="scripted:cheap")),
    "show": (["show", "s1", "--prompts"], lambda: cupel.show("s1", prompts=True)),
    "forget": (["forget", "--doc-id", "s1", "--doc-id", "s2"], lambda: cupel.forget("s1", "s2")),
    "export": (["export", "--out", "items.csv"], lambda: cupel.export(out="items.csv")),
    "charts": (["charts", "--kind", "counts"], lambda: cupel.write_charts(kinds=["counts"])),
    "prompts list": (["prompts", "list", TASK], lambda: cupel.prompts(TASK)),
    "labels check": (["labels", "check", "labels.jsonl", "--task", TASK], lambda: api.check_labels("labels.jsonl", TASK)),
    "eval": (["eval", "e.toml", "--save-baseline"], lambda: cupel.evaluate("e.toml", save_baseline=True)),
    "judge-check with labels": (
        ["judge-check", "labels.jsonl", "--task", TASK, "--judge-model", "scripted:judge"],
        lambda: cupel.judge_check("labels.jsonl", TASK, judge_model="scripted:judge"),
    ),
    "judge-check without": (
        ["judge-check", "--task", "entities", "--judge-model", "scripted:judge", "--limit", "5"],
        lambda: cupel.judge_check(task="entities", judge_model="scripted:judge", limit=5),
    ),
    "compare": (
        ["compare", "plain.jsonl", "--a", "scripted:cheap", "--b", "scripted:other", "--task", TASK, "--judge", "scripted:judge"],
        lambda: cupel.compare("plain.jsonl", "scripted:cheap", "scripted:other", TASK, judge_model="scripted:judge"),
    ),
    "calibrate": (
        ["calibrate", "many.jsonl", "--task", TASK, *FLAGS, "--strong-model", "scripted:strong", "--sample", "150", "--yes"],
        lambda: cupel.calibrate("many.jsonl", TASK, cheap_model="scripted:cheap", strong_model="scripted:strong", sample=150),
    ),
    "calibrate --packing": (
        ["calibrate", "many.jsonl", "--task", TASK, *FLAGS, "--packing", "--pack-size", "2", "--sample", "40", "--yes"],
        lambda: cupel.calibrate("many.jsonl", TASK, cheap_model="scripted:cheap", packing=True, pack_size=2, sample=40),
    ),
    "improve": (
        ["improve", "unseen.jsonl", "--task", TASK, *FLAGS, "--refiner-model", "scripted:refiner", "--yes"],
        lambda: cupel.improve("unseen.jsonl", TASK, cheap_model="scripted:cheap", refiner_model="scripted:refiner"),
    ),
}  # fmt: skip

OF_ITS_TIME = {"median_latency_s", "latency_s", "wall_s", "planned"}
"""Figures that a clock gives; a run's own plan is worked out beside it, from what is answered by then."""


def still(value, folder):
    """JSON without what a clock or the place of the project decides."""
    match value:
        case dict():
            return {name: still(part, folder) for name, part in value.items() if name not in OF_ITS_TIME}
        case list():
            return [still(part, folder) for part in value]
        case str():
            return value.replace(str(folder), "")
    return value


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_command_prints_what_its_function_returns(studied, tmp_path, monkeypatch, case):
    """In two copies of one project, with the same scripted models."""
    command, call = case
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        shutil.copytree(studied.folder, folder)
    monkeypatch.setenv("CUPEL_JUDGE", "auto" if command[0] in ("judge-check", "compare") else "never")
    with scripted(SCRIPTS):
        done = here.command(folders[0], *command, "--json")
    monkeypatch.chdir(folders[1])
    with scripted(SCRIPTS):
        returned = call()

    assert done.stdout, done.stderr
    printed = still(json.loads(done.stdout), folders[0])
    assert still(json.loads(json_text(returned.to_json())), folders[1]) == printed
    assert "<table>" in returned._repr_html_() or printed == []


async def test_every_function_works_in_a_running_loop_and_has_its_async_twin(studied, tmp_path, monkeypatch):
    """As in a notebook: the plain one blocks the cell, the other is awaited."""
    shutil.copytree(studied.folder, tmp_path / "a")
    monkeypatch.chdir(tmp_path / "a")
    monkeypatch.setenv("CUPEL_CHEAP_MODEL", "scripted:cheap")
    with scripted(SCRIPTS):
        plain = cupel.plan("speeches.jsonl", TASK, **CHEAP)
        awaited = await cupel.aplan("speeches.jsonl", TASK, **CHEAP)
        compared = cupel.compare(
            [{"text": row["text"], "id": row["id"], "topic": "it"} for row in speeches(4)],
            "scripted:cheap", "scripted:other", TASK, judge_model="scripted:judge",
        )  # fmt: skip
        checked = await cupel.ajudge_check(task="entities", judge_model="scripted:judge", limit=2)

    assert plain.to_json() == awaited.to_json()
    assert compared.to_json()["documents"] == 4
    assert Path(compared.table).suffix == ".jsonl"
    assert checked.judge == "scripted:judge"


def test_outcomes_of_a_run_are_a_frame(studied, monkeypatch):
    """Whatever the run was made by; a position is a row of its input."""
    monkeypatch.chdir(studied.folder)
    [run] = cupel.list_runs(TASK)
    frame = cupel.outcomes(run["run_id"])

    assert (len(frame), frame.index.name) == (40, "position")
    assert frame["doc_id"].tolist() == [f"s{n}" for n in range(40)]
    assert frame.loc[0, "evidence"][0]["match"] == "verbatim"
    with pytest.raises(CupelError, match="no run 'nothing'"):
        cupel.outcomes("nothing")


def test_routing_is_replayed_as_the_command_does(studied, tmp_path, monkeypatch):
    """From the rows a calibration left."""
    shutil.copytree(studied.folder, tmp_path / "a")
    monkeypatch.chdir(tmp_path / "a")
    with scripted(SCRIPTS):
        made = cupel.calibrate(
            "many.jsonl", TASK, cheap_model="scripted:cheap", strong_model="scripted:strong", sample=150
        )
    rows = str(made.path.with_suffix(".rows.jsonl"))
    printed = here.command(tmp_path / "a", "evaluate-routing", rows, "--no-learn", "--no-intervals", "--json")

    assert cupel.evaluate_routing(rows, learn=False, intervals=False).to_json() == json.loads(printed.stdout)


def test_help_lists_every_setting_with_its_meaning(capsys):
    """Each is declared once, and said wherever it may be set."""
    help(cupel.enrich)
    shown = capsys.readouterr().out

    for name, field in cupel.RunContext.model_fields.items():
        assert f"{name}: " in shown
        assert field.description.split()[0] in shown
    rounds = cupel.RunContext.model_fields["max_refinements"]
    line = f"max_refinements: {rounds.description} Default {rounds.default}."
    assert " ".join(line.split()) in " ".join(shown.split())
    for function in (cupel.plan, cupel.compare, cupel.calibrate, cupel.improve, cupel.judge_check):
        assert "judge_way: How records are judged" in function.__doc__


@pytest.mark.parametrize("name", cupel.__all__)
def test_every_name_at_the_top_is_there(name):
    """A name that is imported at first use is as sure as one imported at once."""
    assert getattr(cupel, name).__module__.startswith("cupel.")
