"""examples/debates.ipynb, run from the first cell to the last on its recorded answers; docs/debates.md is what it shows."""

from __future__ import annotations

import json

import pytest

from cupel.testing.provider import ScriptedProvider
from tests.conftest import ROOT, load_script
from tests.integration.cascade import ACCEPTS
from tests.integration.test_chart_pictures import said

pytest.importorskip("vl_convert")
pytest.importorskip("nbclient")

NOTEBOOK = ROOT / "examples" / "debates.ipynb"
RENDER = load_script(ROOT / "docs" / "debates" / "render.py")
MOST_LINES = 8
MOST_BYTES = 400_000
FEWEST_ROWS = 18
"""As its first cell says."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An empty folder, with the notebook's page, the notebook with its outputs, and what running it left."""
    folder = tmp_path_factory.mktemp("debates")
    executed = RENDER.run(NOTEBOOK, folder)
    RENDER.render(executed, folder)
    RENDER.keep(executed, folder / "executed.ipynb")
    return folder


def cells(kind, notebook=NOTEBOOK):
    """A notebook's cells of a kind."""
    return [
        cell
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == kind
    ]


def shown(notebook):
    """What the cells show, in words: a picture's lines depend on the machine's fonts."""
    return [
        output.get("text")
        or {kind: said for kind, said in output["data"].items() if kind.startswith("text/")}
        for cell in cells("code", notebook)
        for output in cell["outputs"]
    ]


def test_it_is_short_and_says_something_before_each_cell():
    """No cell is longer than a reader takes in at a glance."""
    for cell in cells("code"):
        assert len(cell["source"]) <= MOST_LINES, "".join(cell["source"])
    assert len(cells("markdown")) + 3 >= len(cells("code"))


def test_run_without_a_key_it_shows_what_its_page_shows(folder):
    """A prompt, an answer or a command that changes is in the page with the same commit, and so is each picture."""
    fresh, kept = folder / "debates.md", ROOT / "docs" / "debates.md"
    stale = "docs/debates.md is stale: run python docs/debates/render.py"

    assert fresh.read_text(encoding="utf-8") == kept.read_text(encoding="utf-8"), stale
    pictures = {path.name for path in (folder / "debates").glob("*.svg")}
    assert pictures == {path.name for path in (ROOT / "docs" / "debates").glob("*.svg")}, stale
    for name in pictures:
        assert said(folder / "debates" / name) == said(ROOT / "docs" / "debates" / name), f"{name}: {stale}"


def test_it_is_committed_with_what_it_shows(folder):
    """Whoever opens it sees it before running anything; nothing in it is of the machine it ran on."""
    whole = NOTEBOOK.read_text(encoding="utf-8")

    assert shown(NOTEBOOK) == shown(folder / "executed.ipynb"), "run python docs/debates/render.py"
    assert len(whole) < MOST_BYTES
    assert not [trace for trace in ("/tmp", "/home", "/work", " · run ", "iopub") if trace in whole]


def test_its_table_has_every_claim_in_its_place(folder):
    """What a reader takes elsewhere: each quote stands in the speech where the row says."""
    import pandas as pd

    items = pd.read_csv(folder / "claims-and-premises.csv")

    assert items["id"].nunique() == 24
    for row in items.dropna(subset=["item_start"]).itertuples():
        if row.item_match == "verbatim":
            assert row.text[int(row.item_start) : int(row.item_end)] == row.item_text


def answer(body):
    """A record of a document's first two sentences; a judge that passes all, and prefers what it is shown first."""
    properties = body["response_format"]["json_schema"]["schema"]["properties"]
    if "better" in properties:
        return {"reasoning": "It came first.", "better": "first"}
    if "told_apart" in properties:
        return ACCEPTS
    claim, premise, _ = body["messages"][-1]["content"].partition(">\n")[2].split(". ", 2)
    return {
        "matter": "Rents",
        "claims": [{"id": 1, "quote": claim}],
        "premises": [{"quote": premise, "supports": 1}],
        "stance": "support",
    }


def test_on_another_file_only_the_second_cell_changes(tmp_path, monkeypatch):
    """A CSV with columns of its own names, one of them `text` and not the text, no ids, and a provider with a key: every cell runs."""
    rows = [
        f"We must cap rents in town {n}. Prices rose by {n} % last year. So it is.,A{n},{n % 2},t{n}"
        for n in range(FEWEST_ROWS)
    ]
    (tmp_path / "posts.csv").write_text("\n".join(["body,author,party,text", *rows]), encoding="utf-8")
    told = NOTEBOOK.read_text(encoding="utf-8")
    for old, new in (
        ('PROVIDER = \\"recorded\\"  #', 'PROVIDER = \\"openai\\"  #'),
        ("pd.read_json(FILE, lines=True)", 'pd.read_csv(\\"posts.csv\\")'),
        ('\\"text\\", \\"speaker\\", \\"group\\"', '\\"body\\", \\"author\\", \\"party\\"'),
    ):
        assert told.count(old) == 1, old
        told = told.replace(old, new)
    (tmp_path / "mine.ipynb").write_text(told, encoding="utf-8")
    with ScriptedProvider(answer) as provider:
        for name, value in provider.environment().items():
            monkeypatch.setenv(name, value)
        RENDER.run(tmp_path / "mine.ipynb", tmp_path)

    assert (tmp_path / "claims-and-premises.csv").read_text(encoding="utf-8").count(
        "\n"
    ) == 2 * FEWEST_ROWS + 1
