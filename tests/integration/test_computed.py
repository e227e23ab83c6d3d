"""Computed fields, declared checks and inputs that may be missing, through the graph: what models see, and what comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import cupel
from cupel.api import FileRun, FileWork
from cupel.cli._options import read_inputs
from cupel.engine.packing.ask import packed_schema
from cupel.errors import InputError, SettingError
from cupel.improvement.edit_schema import edits_schema
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from cupel.task import compact
from tests.integration.cascade import UNJUDGED, job, models
from tests.outline import HIDDEN, TAXONOMY, TEXT, outline, project_in, record, spoiled

INPUTS = {"date": "2025-03-10", "taxonomy": TAXONOMY}
PASSES = {"told_apart": {"reasoning": "so it is", "evidence_quote": None, "finding": "pass"}}
FAILS = {"told_apart": {"reasoning": "two matters", "evidence_quote": None, "finding": "fail"}}
LOOK = {"instructions": [{"criterion": "told_apart", "instruction": "Read the last sentence too."}]}


async def walked(project, text=TEXT, inputs=INPUTS, settings=None, **scripts) -> Any:
    """One document's outcome, and all that any model was asked."""
    row = Row(position=0, values={}, text=text, doc_id="d", inputs=dict(inputs))
    made = job(project, task="outline", **(settings or {}))
    with models(**scripts) as asked:
        async with Runner(made, project, env={}) as runner:
            ((_, outcome),) = [pair async for pair in runner.outcomes([row])]
    said = [str(each) for model in asked.values() for each in model.requests]
    return outcome, said


def hidden_in(said):
    """What no model may read, and did."""
    return [word for word in HIDDEN for each in said if word in each]


async def test_a_record_comes_back_whole_and_no_model_ever_saw_what_code_computed(tmp_path):
    """Not the writer, not the judge, not the refiner, not the second writer; each record has it all the same."""
    project = project_in(tmp_path)
    outcome, said = await walked(
        project,
        cheap=[record(), spoiled("themes", 0, to="Rents")],
        judge=[FAILS, PASSES],
        refiner=[LOOK],
        settings={"judge": "always"},
    )

    assert len(said) == 5
    assert hidden_in(said) == []
    assert outcome["status"] == "accepted"
    assert [each["date"] for each in outcome["record"]["events"]] == ["2024", "2025-03-07"]
    assert outcome["record"]["sections"][1]["span"]["end"] == len(TEXT)
    assert [attempt["record"]["calm_and_fair"] for attempt in outcome["attempts"]] == [0.5, 0.5]


@pytest.mark.parametrize("way", ["items", "adjudicate"])
async def test_a_judge_of_items_is_shown_none_of_it(tmp_path, way):
    """Nor is its reply asked for it."""
    other = spoiled("themes", 0, to="Rents")
    settings = {"judge": "always", "judge_way": way}
    _, said = await walked(project_in(tmp_path), cheap=[record(), other], judge=[{}, {}], settings=settings)

    assert len(said) >= 2
    assert hidden_in(said) == []


@pytest.mark.parametrize("signals", ["self_verified", "self_consistency"])
async def test_no_further_reading_sees_it(tmp_path, signals):
    """Samples are compared by what models wrote, and who is asked whether a record is right reads that alone."""
    said: list[str] = []

    def answer(messages, schema):
        said.append(f"{messages}{schema}")
        return {"reasoning": "so it is", "right": True} if "right" in schema["properties"] else record()

    outcome, _ = await walked(project_in(tmp_path), cheap=answer, settings={**UNJUDGED, "signals": signals})

    assert len(said) > 2
    assert hidden_in(said) == []
    assert outcome["attempts"][0]["signals"][signals] == 1


def test_neither_a_packed_request_nor_a_rewriter_is_told_of_it(tmp_path):
    """A pack asks for records of several documents, and a rewriter may write an example's."""
    task = outline(tmp_path)
    asked = compact([packed_schema(task), edits_schema(task, ["f1"])])

    assert hidden_in([asked]) == []
    assert "begins" in asked


async def test_a_declared_fault_is_escalated_and_stands_while_it_is_there(tmp_path):
    """Without a judge too: the strong model is asked, and its record with the same fault needs a look."""
    faulty = spoiled("events", 0, "iso", to="March")
    outcome, _ = await walked(project_in(tmp_path), cheap=[faulty], strong=[faulty], settings=UNJUDGED)

    assert outcome["path"][1:-1] == ["extract", "verify", "escalate", "verify"]
    assert outcome["status"] == "needs_review"
    assert "'March' is no date" in outcome["reasons"][0]


async def test_a_long_document_is_computed_as_a_whole(tmp_path):
    """The windows' records become one before anything is counted."""
    text = f"{TEXT} {'And so on it went. ' * 40}Last of all the sea."
    first = record() | {"is_calm": None, "is_fair": None}
    last = {"sections": [{"begins": "Last of all", "path": "Law"}], "events": [], "citations": [], "themes": [],
            "is_calm": None, "is_fair": "yes"}  # fmt: skip
    outcome, _ = await walked(project_in(tmp_path), text, cheap=[first, last], settings=UNJUDGED)

    assert [each["span"]["end"] for each in outcome["record"]["sections"]] == [
        text.index("Now to"), text.index("Last of all"), len(text)
    ]  # fmt: skip
    assert outcome["record"]["calm_and_fair"] == 1
    assert outcome["record"]["reading"]["words"] > 180


async def test_a_date_that_is_none_is_told_before_any_model_is_asked(tmp_path):
    """It would make every date of the record unknown, and nobody would know why."""
    outcome, said = await walked(project_in(tmp_path), inputs={"date": "10.3.2025"})

    assert (outcome["status"], said) == ("failed", [])
    assert "write it as 2025-03-10" in outcome["reasons"][0]


# ---- where inputs come from


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A project to stand in, with two speeches and a taxonomy."""
    made = project_in(tmp_path / "study")
    rows = [
        {"id": "a", "text": TEXT, "date": "2025-03-10"},
        {"id": "b", "text": f"{TEXT} Thank you.", "date": None},
    ]
    (made.folder / "speeches.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (made.folder / "tree.txt").write_text(TAXONOMY, encoding="utf-8")
    monkeypatch.chdir(made.folder)
    return made


def dates(table):
    """Of each row's first event."""
    return [row["events"][0]["date"] for row in table["outline"]]


def test_a_column_of_an_optional_inputs_name_is_taken_and_may_be_empty_or_missing(here):
    """A row without a date is done all the same."""
    rows = pd.DataFrame(map(json.loads, Path("speeches.jsonl").read_text(encoding="utf-8").splitlines()))
    with models(cheap=[record()] * 4):
        told = cupel.enrich(rows, "outline", progress=False, **UNJUDGED)
        bare = cupel.enrich(rows.drop(columns="date"), "outline", progress=False, **UNJUDGED)

    assert dates(told) == ["2024", None]
    assert dates(bare) == [None, None]


def test_a_file_is_an_input_of_every_document_and_another_version_asks_anew(here):
    """The same file again asks nothing."""
    rows = pd.DataFrame({"text": [TEXT]})
    told = {"taxonomy": here.folder / "tree.txt"}
    with models(cheap=[record()] * 2) as made:
        for _ in range(2):
            cupel.enrich(rows, "outline", inputs=told, progress=False, **UNJUDGED)
        (first,) = made["cheap"].requests
        told["taxonomy"].write_text(f"{TAXONOMY}\nSea", encoding="utf-8")
        cupel.enrich(rows, "outline", inputs=told, progress=False, **UNJUDGED)

        assert len(made["cheap"].requests) == 2
    assert "Society" in str(first)
    assert "<taxonomy>" in str(first)


@pytest.mark.parametrize(
    ("name", "said"), [("gone.txt", "cannot be read as the input 'taxonomy'"), ("empty.txt", "holds nothing")]
)
def test_a_file_that_is_not_there_is_told_before_anything_is_paid(here, name, said):
    """In a sentence that names it."""
    (here.folder / "empty.txt").write_text(" \n", encoding="utf-8")
    with models() as made, pytest.raises(InputError, match=said) as caught:
        cupel.enrich(
            pd.DataFrame({"text": [TEXT]}),
            "outline",
            inputs={"taxonomy": here.folder / name},
            progress=False,
            **UNJUDGED,
        )

    assert name in str(caught.value)
    assert made["cheap"].requests == []


async def test_the_command_line_takes_a_file_and_says_where_one_is_too_long(here):
    """`--input taxonomy=@tree.txt`; one longer than a window is told, as every request carries it."""
    (here.folder / "tree.txt").write_text(f"{TAXONOMY}\n{'Sea' * 300}", encoding="utf-8")
    notes: list[str] = []
    told = FileRun(
        file=here.folder / "speeches.jsonl", task="outline", inputs={"taxonomy": here.folder / "tree.txt"}, report=False,
        settings=UNJUDGED,
    )  # fmt: skip
    with models(cheap=[record()] * 2):
        result = await FileWork(told, here).run(note=notes.append)

    assert result.done == 2
    assert any("tree.txt has 9" in note for note in notes)


async def test_an_input_longer_than_a_window_is_told_whatever_it_came_by(tmp_path):
    """A cell too: every request carries the whole of it."""
    project = project_in(tmp_path)
    row = Row(position=0, values={}, text=TEXT, doc_id="d", inputs={"taxonomy": f"{TAXONOMY}\n{'Sea' * 300}"})
    with models(cheap=[record()]):
        async with Runner(job(project, task="outline", **UNJUDGED), project, env={}) as runner:
            [_ async for _ in runner.outcomes([row])]

            assert any("the input 'taxonomy' is longer than a window" in note for note in runner.tally.notes)


def test_the_command_line_tells_a_column_from_a_file():
    """A name alone is a column of that name."""
    assert read_inputs(["topic", "date=day", "taxonomy=@tree.txt"]) == {
        "topic": "topic", "date": "day", "taxonomy": Path("tree.txt")
    }  # fmt: skip
    with pytest.raises(SettingError, match="NAME=@FILE"):
        read_inputs(["taxonomy=@"])
