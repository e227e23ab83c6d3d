"""`evals/tasks.py` and `evals/spoiled.py`: every task on real speeches, and the judge on every task."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from cupel.errors import InputError
from cupel.task import load_task
from cupel.testing import scripted
from tests.conftest import ROOT, load_script
from tests.unit.cascade.test_judge_ways import items_judge

NAMES = ("stance", "sentiment")


@pytest.fixture(scope="module")
def scripts():
    """Both scripts; what they import stands beside them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "evals"))
        yield {name: load_script(ROOT / "evals" / f"{name}.py") for name in ("tasks", "spoiled")}


def reader(messages, schema):
    """Quotes the first words of the document, and once words that stand nowhere."""
    document = messages[-1]["content"].split('">\n', 1)[1]
    quote = "words of no speech" if "Gaza" in document else " ".join(document.split(" ")[:6])
    return {"evidence": [quote], "sentiment": "negative"} | (
        {"reason": "It says so."} if "reason" in schema["properties"] else {}
    )


async def test_every_speech_has_a_record_and_what_is_not_in_it_is_told(scripts, project, tmp_path, capsys):
    """A line a task, and a file a task with text, inputs and record, under the speech's own id."""
    tasks = [load_task("sentiment", project.prompts)]
    lines = scripts["tasks"].speeches(4)
    with scripted({"scripted:reader": reader}) as answering:
        every = await scripts["tasks"].try_all(tasks, lines, "scripted:reader", project)
    scripts["tasks"].tell(every)
    scripts["tasks"].keep(every, tmp_path / "out")
    kept = [json.loads(line) for line in (tmp_path / "out" / "sentiment.jsonl").read_text().splitlines()]

    assert [each["id"] for each in kept] == [each["id"] for each in lines]
    assert every[0].quotes().count(False) == 1
    assert "4 of 4" in capsys.readouterr().out
    assert len(answering["scripted:reader"].requests) == 4


def test_what_a_task_takes_besides_is_given_with_every_speech(scripts, project):
    """From a file or from `meta`; a task without inputs is given nothing."""
    lines = scripts["tasks"].speeches(6)
    for path in sorted(project.prompts.glob("*/task.toml")):
        task = load_task(path.parent.name, project.prompts)
        if task.name in scripts["tasks"].OLD:
            continue
        shown = scripts["tasks"].documents_of(task, lines)
        assert all(set(task.required_inputs) <= set(each.inputs) for each in shown)


def test_a_task_that_needs_what_no_speech_has_is_told_what_there_is(scripts, project):
    """Before anything is asked."""
    with pytest.raises(InputError, match=r"needs 'topic'; .* has date, .*taxonomy"):
        scripts["tasks"].documents_of(load_task("stance", project.prompts), scripts["tasks"].speeches(1))


RECORD = {"evidence": ["It is late"], "sentiment": "negative"}
TEXT = "It is late. Nobody came, and the soup went cold on the table."


def records(tmp_path, count):
    """A file of right records."""
    lines = [{"id": f"r{n}", "text": f"{TEXT} {n}", "inputs": {}, "record": RECORD} for n in range(count)]
    path = tmp_path / "sentiment.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_every_record_is_judged_as_it_is_and_spoiled_once(scripts, project, tmp_path):
    """No way comes again before all that apply were taken, and the same ones are drawn again."""
    task = load_task("sentiment", project.prompts)
    cases = scripts["spoiled"].cases_of(records(tmp_path, 4), 4)
    made, again = (list(scripts["spoiled"].spoil_each(cases, task)) for _ in range(2))
    ways = Counter(one.mutation.name for one in made if not one.is_right)

    assert len(made) == 8
    assert made == again
    assert max(ways.values()) - min(ways.values()) <= 1
    assert all(one.case.record != RECORD for one in made if not one.is_right)


def test_where_a_record_is_empty_the_others_are_spoiled_twice(scripts, project, tmp_path):
    """Each time in another way; nothing is spoiled that cannot be."""
    task = load_task("sentiment", project.prompts)
    path = records(tmp_path, 1)
    bare = {"id": "bare", "text": TEXT, "record": {"evidence": [], "sentiment": "neutral"}}
    path.write_text(path.read_text() + json.dumps(bare) + "\n")
    made = list(scripts["spoiled"].spoil_each(scripts["spoiled"].cases_of(path, 2), task))
    ways = [(one.case.doc_id, one.mutation.name) for one in made if not one.is_right]

    assert len(ways) == len(set(ways)) == 2


async def test_what_code_rejects_is_caught_without_asking_and_a_blind_judge_catches_no_more(
    scripts, project, tmp_path, capsys
):
    """The rate over all, and that of those code let pass, stand apart."""
    task = load_task("sentiment", project.prompts)
    every = {
        "sentiment": list(
            scripts["spoiled"].spoil_each(scripts["spoiled"].cases_of(records(tmp_path, 4), 4), task)
        )
    }
    with scripted({"scripted:judge": items_judge([], [])}) as answering:
        judged = await scripts["spoiled"].judge_all(
            every, {"sentiment": task}, project, model="scripted:judge"
        )
    scripts["spoiled"].tell(judged)
    scripts["spoiled"].keep(judged, tmp_path / "kept")
    printed = capsys.readouterr().out
    by_code = sum(one.by_code for one in judged)

    assert 0 < by_code < 4
    assert len(answering["scripted:judge"].requests) == len(judged) - by_code
    assert f"caught: {by_code} of 4" in printed
    assert f"caught of those code let pass: 0 of {4 - by_code}" in printed
    assert "false alarms: 0 of 4" in printed
    assert len((tmp_path / "kept" / "verdicts.jsonl").read_text().splitlines()) == 8
