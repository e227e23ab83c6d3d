"""Charts of a run from the command line: where they lie, what they replace, and what forgetting does to them."""

from __future__ import annotations

import json

import pytest

from tests.integration import here
from tests.integration.test_tidy import OFFLINE

pytest.importorskip("vl_convert")


def test_charts_lie_in_the_state_folder_and_elsewhere_replace_nobodys_file(folder):
    """The same run's are replaced; another's are not, unless that is asked for."""
    assert here.command(folder, *OFFLINE, "--limit", "5", "--out", "out.csv").code == 0
    first = json.loads(here.command(folder, "charts", "--kind", "counts", "--json").stdout)
    (folder / "pictures").mkdir()
    (folder / "pictures" / "counts.svg").write_text("mine")
    there = ("charts", "--kind", "counts", "--out", "pictures")
    refused, replaced, again = (here.command(folder, *there, *more) for more in ((), ("--overwrite",), ()))

    [chart] = first["charts"]
    assert chart["path"].endswith(f".cupel/charts/{first['run_id']}/counts.svg")
    assert (refused.code, "is noted here of the run that wrote it" in refused.stderr) == (2, True)
    assert (replaced.code, again.code) == (0, 0)
    assert "<svg" in (folder / "pictures" / "counts.svg").read_text()


def test_charts_of_a_forgotten_document_go_or_are_named(folder):
    """Those in the state folder go with the reports, those elsewhere are for their owner to delete."""
    here.command(folder, *OFFLINE, "--limit", "5", "--out", "out.csv", "--no-report")
    for more in ((), ("--out", "pictures")):
        assert here.command(folder, "charts", "--kind", "evidence", *more).code == 0
    [own] = (folder / ".cupel" / "charts").rglob("*.svg")
    done = here.command(folder, "forget", "--doc-id", "s0", "--json")

    assert done.code == 0, done.said
    assert not own.exists()
    assert "pictures/evidence.svg" in done.stdout


def test_what_was_not_drawn_is_said_with_its_reason(folder):
    """All kinds are tried where none is named, and one that is named has to be possible."""
    here.command(folder, *OFFLINE, "--limit", "5", "--out", "out.csv")
    some = json.loads(here.command(folder, "charts", "--json").stdout)
    none = here.command(folder, "charts", "--kind", "links")

    assert {chart["kind"] for chart in some["charts"]} >= {"counts", "most", "evidence"}
    assert "x-refers-to" in some["left_out"]["links"]
    assert (none.code, "x-refers-to" in none.stderr) == (2, True)
