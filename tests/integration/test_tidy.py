"""Items from the command line and from Python: beside a run, of a run of the run log, of a frame that came back."""

from __future__ import annotations

import json

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import cupel
from cupel.api import export, tidy
from cupel.errors import InputError
from cupel.tables import open_table
from tests.integration import here
from tests.integration.cascade import CLAIM, PREMISE, TEXT, UNJUDGED, models, record

KINDS = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "lazy": pl.LazyFrame,
    "arrow": pa.table,
    "dicts": lambda columns: pd.DataFrame(columns).to_dict("records"),
}


def dicts_of(table):
    """The rows of any kind of table."""
    table = table.collect() if isinstance(table, pl.LazyFrame) else table
    if isinstance(table, pd.DataFrame):
        return table.astype(object).where(table.notna(), None).to_dict("records")
    return (
        table
        if isinstance(table, list)
        else table.to_dicts()
        if isinstance(table, pl.DataFrame)
        else table.to_pylist()
    )


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_frame_gives_a_frame_of_items(project, kind):
    """Of the same kind, beside the documents' own columns; a document that failed keeps its row."""
    table = kind({"text": [TEXT, ""], "party": ["a", "b"]})
    with models(cheap=record()):
        enriched = cupel.enrich(table, "arguments", suffix="_b", project=project, **UNJUDGED)
    items = tidy(enriched, "arguments", suffix="_b", project=project)
    rows = dicts_of(items)

    assert type(items) is type(table)
    assert [(row["party"], row["item_list"], row["item_text"]) for row in rows] == [
        ("a", "claims", CLAIM), ("a", "premises", PREMISE), ("b", None, None),
    ]  # fmt: skip
    assert TEXT[int(rows[1]["item_start"]) : int(rows[1]["item_end"])] == PREMISE
    assert (rows[1]["item_supports"], rows[1]["item_supports_text"]) == (1, CLAIM)
    assert [row["record_stance"] for row in rows] == ["support", "support", None]
    assert "arguments_b" not in rows[0]
    assert rows[2]["arguments_b_status"] == "failed"


def test_a_frame_read_back_from_a_file_is_tidied_as_well(project, tmp_path):
    """Records are JSON text there."""
    with models(cheap=record()):
        df = cupel.enrich(pd.DataFrame({"text": [TEXT]}), "arguments", project=project, **UNJUDGED)
    df.assign(arguments=df["arguments"].map(json.dumps)).to_csv(tmp_path / "out.csv", index=False)
    items = tidy(pd.read_csv(tmp_path / "out.csv"), "arguments", project=project)

    pd.testing.assert_series_equal(items["item_text"], tidy(df, "arguments", project=project)["item_text"])


def test_what_tidy_needs_is_said(project):
    """The column of the records, and of the texts."""
    with pytest.raises(InputError, match=r"no column 'arguments' \(task, name= or suffix=\)"):
        tidy(pd.DataFrame({"text": ["a"]}), "arguments", project=project)
    with pytest.raises(InputError, match=r"no column 'text' \(text=\)"):
        tidy(pd.DataFrame({"speech": [TEXT], "arguments": [record()]}), "arguments", project=project)


OFFLINE = ("run", "in.jsonl", "--profile", "offline", "--task", "entities", "--no-report")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "xlsx"])
def test_a_run_writes_its_items_beside_its_rows_and_export_the_same(folder, suffix):
    """The same rows, from the run and from the run log alone."""
    done = here.command(folder, *OFFLINE, "--limit", "5", "--tidy", "--out", f"out.{suffix}")
    assert done.code == 0, done.said
    done = here.command(folder, "export", "--out", f"again.{suffix}")
    assert done.code == 0, done.said
    beside, again = open_table(folder / f"out.tidy.{suffix}"), open_table(folder / f"again.{suffix}")

    named = here.command(folder, "forget", "--doc-id", "s0", "--dry-run", "--json").stdout
    assert f"again.{suffix}" in named
    assert f"out.tidy.{suffix}" in named
    assert cells_of(beside) == cells_of(again)
    assert beside.columns == again.columns
    assert {cells["item_list"] for cells in cells_of(beside)} == {"entities"}
    for cells in cells_of(beside):
        assert cells["text"][int(cells["item_start"]) : int(cells["item_end"])] == cells["item_text"]


def cells_of(table):
    """The rows of a file."""
    return [row.values for row in table]  # noqa: PD011  # a Row, not a frame


def test_export_without_the_runs_input_has_ids_and_texts(folder, monkeypatch):
    """The run log keeps no other column: that is said. A file that is there is not replaced unasked."""
    here.command(folder, *OFFLINE, "--limit", "5", "--out", "out.csv")
    (folder / "in.jsonl").unlink()
    monkeypatch.chdir(folder)
    written = export(out="items.csv")
    [note] = written.notes
    refused = here.command(folder, "export", "--out", "items.csv")
    whole = here.command(folder, "export", "--out", "rows.csv", "--documents", "--json")

    assert "in.jsonl: no such file" in note
    assert written.documents == 5
    assert open_table("items.csv").columns[:2] == ("text", "entities_status")
    assert (refused.code, "items.csv: is there already" in refused.stderr) == (2, True)
    assert json.loads(whole.stdout) | {"notes": []} == {
        **written.to_json(), "output": "rows.csv", "rows": 5, "notes": [],
    }  # fmt: skip


def test_export_reads_the_runs_input_as_the_run_did(folder):
    """A quoted CSV with semicolons has its own columns beside the items, row by row; a row that was changed has none."""
    lines = [json.loads(line) for line in (folder / "in.jsonl").read_text().splitlines()[:3]]
    pd.DataFrame(lines).to_csv(folder / "in.csv", index=False, sep=";", quoting=1, encoding="utf-8-sig")
    here.command(folder, "run", "in.csv", *OFFLINE[2:], "--out", "out.csv")
    whole = here.command(folder, "export", "--out", "whole.csv", "--json")
    (folder / "in.csv").write_text(
        (folder / "in.csv").read_text().replace(lines[1]["text"], "Another text.", 1)
    )
    changed = here.command(folder, "export", "--out", "changed.csv", "--json")
    first = {cells["id"]: cells["n"] for cells in cells_of(open_table(folder / "whole.csv"))}
    second = {cells["entities_doc_id"]: cells["n"] for cells in cells_of(open_table(folder / "changed.csv"))}

    assert json.loads(whole.stdout)["notes"] == []
    assert first == {line["id"]: str(line["n"]) for line in lines}
    assert second == first | {lines[1]["id"]: ""}
    assert "1 documents are not in in.csv as the run read them" in json.loads(changed.stdout)["notes"][0]
