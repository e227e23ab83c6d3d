"""The report of several tasks: the data of each first, and a way to its documents; nothing in it could run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cupel.errors import OutputPathError
from cupel.report.joint_page import TaskSection, write_joint_report
from cupel.report.page import write_task_page
from cupel.report.summary import DocumentEntry
from tests.unit.report.factory import TEXT, outcome, refined, run
from tests.unit.report.test_page import EVIL, Page


def sections(folder, *tasks):
    """Pages of these tasks, as a run of several writes them first."""
    made = []
    for number, task in enumerate(tasks):
        own = replace(run(statuses={"accepted": 2}), task=task, run_id=f"part{number}")
        entries = [DocumentEntry(outcome(), TEXT), DocumentEntry(refined(), TEXT)]
        page = write_task_page(folder / f"part{number}.html", own, entries)
        made.append(TaskSection(run=own, page=page))
    return made


def whole(**changes):
    """The run of all tasks."""
    return replace(run(), **{"task": "arguments,summary", "run_id": "whole", **changes})


def test_the_data_of_each_task_comes_first_and_leads_to_its_documents(tmp_path):
    """How it was made stands below, a line a task."""
    path = write_joint_report(tmp_path / "whole.html", whole(), sections(tmp_path, "arguments", "summary"))
    said = path.read_text(encoding="utf-8")

    assert said.index(">arguments ") < said.index(">summary ") < said.index("How it was made")
    links = [value for tag, name, value in Page(said).attributes if (tag, name) == ("a", "href")]
    assert links == ["part0.html", "part1.html"] * 2


def test_nothing_of_a_task_or_a_note_becomes_markup_and_no_script_is_allowed(tmp_path):
    """The policy forbids every script, and there is none."""
    path = write_joint_report(
        tmp_path / "whole.html", whole(notes=[EVIL], output=EVIL), sections(tmp_path, "arguments", EVIL[:40])
    )
    page = Page(path.read_text(encoding="utf-8"))

    assert {"script", "img", "textarea"}.isdisjoint(page.tags)
    policies = [value for tag, name, value in page.attributes if tag == "meta" and name == "content"]
    assert "script-src 'none'" in policies[0]


def test_a_page_that_cannot_be_written_says_where(tmp_path):
    """The run itself is none the worse: whoever writes it goes on."""
    made = sections(tmp_path, "arguments", "summary")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputPathError, match=r"whole\.html: the report could not be written"):
        write_joint_report(tmp_path / "file" / "whole.html", whole(), made)
