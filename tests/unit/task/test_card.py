"""A task's card: what it says to people is read, checked, and no part of what is sent."""

from __future__ import annotations

import json

import pytest

from cupel.errors import TaskError
from cupel.task import UNMEASURED, read_card
from tests.conftest import ROOT, load_script
from tests.outline import outline, project_in, record

CARD = 'use_when = "A text has parts."\ncannot_see = "Irony."\n'
PAGE = load_script(ROOT / "docs" / "reference" / "tasks.py")


def carded(folder, text, output=None):
    """The task with this card."""
    task = outline(folder)
    (folder / "outline" / "card.toml").write_text(text, encoding="utf-8")
    if output is not None:
        (folder / "outline" / "output.json").write_text(json.dumps(output), encoding="utf-8")
    return task


def test_a_card_may_leave_out_what_is_not_there_yet(tmp_path):
    """No figure, no example; and a task without a card has none."""
    assert read_card(outline(tmp_path)) is None

    card = read_card(carded(tmp_path, CARD))

    assert card is not None
    assert (card.use_when, card.measured, card.output) == ("A text has parts.", UNMEASURED, None)


@pytest.mark.parametrize(
    ("text", "output", "said"),
    [
        ('use_when = "x"', None, "no cannot_see"),
        (
            CARD + 'figure = "0.7"',
            None,
            "unknown key 'figure' .keys: use_when, cannot_see, measured, example, group",
        ),
        (CARD + 'group = "kinds"', None, "group = 'kinds': one of content, semantics, "),
        (CARD + "measured = 0.7", None, "needs a text"),
        (CARD + "measured", None, "not valid TOML"),
        (CARD + 'example = "output.json"', None, "output.json: missing"),
        (
            CARD + 'example = "output.json"',
            {"doc_id": "a"},
            "needs a JSON object with doc_id, source and record",
        ),
        (
            CARD + 'example = "output.json"',
            {"doc_id": "a", "source": "b", "record": {"themes": 1}},
            "does not fit schema.json",
        ),
    ],
)
def test_a_card_that_is_wrong_names_the_file_and_the_fix(tmp_path, text, output, said):
    """Before it is on any page."""
    with pytest.raises(TaskError, match=said):
        read_card(carded(tmp_path, text, output))


def test_a_card_is_no_part_of_the_task(tmp_path):
    """Writing one asks nothing anew."""
    before = outline(tmp_path).identity

    assert carded(tmp_path, CARD).identity == before


def test_the_page_shows_what_the_folder_says(tmp_path):
    """Fields that code fills in are named so, and the output is the real one."""
    project = project_in(tmp_path)
    whole = record() | {"calm_and_fair": 0.5}
    carded(
        project.prompts,
        CARD + 'example = "output.json"',
        {"doc_id": "d7", "source": "a speech", "record": whole},
    )
    page = PAGE.tasks_page(project)

    for said in (
        "A text has parts.",
        UNMEASURED,
        "`calm_and_fair` by code",
        "`span` by code",
        "`date` (may be missing)",
    ):
        assert said in page
    assert "A real output, of `d7` (a speech):" in page
    assert json.dumps(whole, indent=2) in page


def test_the_page_has_a_heading_for_each_group_there_is(tmp_path):
    """A task stands below the heading of its group, one whose card names none below the others."""
    project = project_in(tmp_path)
    carded(project.prompts, CARD)
    assert "## Others\n\n| task | for | tokens |\n|---|---|---|\n| [`outline`]" in PAGE.tasks_page(project)

    carded(project.prompts, CARD + 'group = "structure"')
    page = PAGE.tasks_page(project)

    assert [line for line in page.splitlines() if line.startswith("#")] == [
        "# Tasks",
        "## Structure",
        "### outline",
    ]
