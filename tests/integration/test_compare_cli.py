"""`cupel compare`: both orders, ties, and a page that shows what was judged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.improvement.ledger import ledger_of
from cupel.improvement.seen import document_hash
from cupel.runlog.lookup import existing_run_log
from cupel.tables import open_table
from cupel.testing.models import scripted
from cupel.testing.provider import ScriptedProvider
from tests.integration.improvement import GOOD_RULE, extractor, made_project, speeches, write
from tests.unit.improvement.seeing import seen_of


@pytest.fixture
def study(tmp_path, monkeypatch):
    made = made_project(tmp_path / "study")
    write(made.folder / "speeches.jsonl", speeches(8, gold=False))
    monkeypatch.chdir(made.folder)
    return made


def record(stance):
    """A model that always says the same."""
    return lambda messages, _schema: {**extractor(messages, None), "stance": stance}


def fair(messages, _schema):
    """Prefers the record in favour, wherever it stands."""
    first = messages[-1]["content"].split("<first>")[1].split("</first>")[0]
    return {
        "reasoning": "The speaker welcomes it <b>.",
        "better": "first" if '"favor"' in first else "second",
    }


def lazy(_messages, _schema):
    """Always prefers what it is shown first."""
    return {"reasoning": "It came first.", "better": "first"}


def compare(*args, file="speeches.jsonl", **scripts):
    """The command with scripted models."""
    made = {
        "scripted:one": record("favor"),
        "scripted:two": record("none"),
        "scripted:judge": fair,
        **scripts,
    }
    with scripted(made):
        return CliRunner().invoke(
            app, ["compare", file, "--task", "stance", "--judge", "scripted:judge", *args]
        )


def test_the_better_model_wins_on_every_document(study):
    """The rate is told with its interval, with cost and time beside it."""
    result = compare("--a", "scripted:one", "--b", "scripted:two", "--json")

    assert result.exit_code == 0, result.exception
    told = json.loads(result.stdout)
    assert (told["a_better"], told["b_better"], told["win_rate"], told["ties"]) == (8, 0, 1.0, 0)
    assert told["a"]["cost_usd_per_document"] == 0.0


def test_a_judge_that_follows_the_order_prefers_nothing(study):
    """Each disagreement is a tie, and it is said how many there were."""
    result = compare("--a", "scripted:one", "--b", "scripted:two", "--json", **{"scripted:judge": lazy})

    told = json.loads(result.stdout)
    assert (told["ties"], told["judge_followed_the_order"], told["win_rate"]) == (8, 8, 0.5)


def test_two_versions_of_a_prompt_are_compared_with_one_model(study):
    """A rules file stands in for the folder's; equal records are a tie nobody is asked about."""
    rules = (study.prompts / "stance" / "rules.toml").read_text()
    (study.folder / "mine.toml").write_text(f'{rules}\n[[rules]]\nid = "mine"\ntext = "{GOOD_RULE}"\n')

    result = compare(
        "--a",
        "mine.toml",
        "--b",
        "active",
        "--cheap-model",
        "scripted:cheap",
        "--json",
        **{"scripted:cheap": extractor},
    )

    told = json.loads(result.stdout)
    assert (told["a_better"], told["ties"]) == (4, 4)


def test_the_page_shows_records_and_reasons_and_runs_nothing(study):
    """What a model wrote is text; no script, no request."""
    result = compare("--a", "scripted:one", "--b", "scripted:two", "--out", "page.html")

    page = (study.folder / "page.html").read_text()
    assert result.exit_code == 0, result.output
    assert "The speaker welcomes it &lt;b&gt;." in page
    assert page.count("<article ") == 8
    assert "<script" not in page
    assert "default-src &#x27;none&#x27;" in page


@pytest.mark.parametrize(
    ("sides", "why"),
    [
        (("scripted:one", "scripted:one"), "a and b are the same"),
        (("scripted:judge", "scripted:two"), "would judge its own records"),
        (("scripted:one", "abcdef123456"), "no version 'abcdef123456' of task 'stance'"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_asked(study, sides, why):
    """The error names what is wrong."""
    result = compare("--a", sides[0], "--b", sides[1])

    assert why in str(result.exception)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_the_table_has_every_row_with_both_records_and_the_verdict(study, suffix):
    """Other columns' names, a repeated id, a repeated text, an empty one and a missing input are borne, and told."""
    rows = [
        {"key": "one", "speech": "I welcome proposal 1.", "motion": "it"},
        {"key": "one", "speech": "I welcome proposal 2.", "motion": "it"},
        {"key": "three", "speech": "I welcome proposal 1.", "motion": "it"},
        {"key": "four", "speech": "", "motion": "it"},
        {"key": "five", "speech": "I welcome proposal 5.", "motion": ""},
    ]
    write(study.folder / "mine.jsonl", rows)
    told = [
        "--text-column",
        "speech",
        "--id-column",
        "key",
        "--input",
        "topic=motion",
        "--out",
        f"both.{suffix}",
        "--json",
    ]

    result = compare("--a", "scripted:one", "--b", "scripted:two", *told, file="mine.jsonl")

    figures = json.loads(result.stdout)
    both = list(open_table(study.folder / f"both.{suffix}", "speech"))
    assert result.exit_code == 0, result.exception
    assert (figures["documents"], figures["repeats"], figures["left_out"]) == (2, 1, 2)
    assert [row.values["key"] for row in both] == ["one", "one", "three", "four", "five"]
    assert [row.values["stance_preferred"] or None for row in both] == ["a", "a", "a", None, None]
    assert {row.values["stance_a_model"] for row in both[:3]} == {"scripted:one"}
    assert {row.values["stance_b_model"] for row in both[:3]} == {"scripted:two"}
    assert "favor" in str(both[0].values["stance_a"])
    assert "topic" in str(both[4].values["stance_preferred_reasons"])


def test_its_cost_is_said_before_anything_is_asked(study):
    """Calls and dollars as an interval, on stderr; stdout stays one JSON object."""
    asked = []

    def counted(messages, schema):
        asked.append(1)
        return record("favor")(messages, schema)

    result = compare("--a", "scripted:one", "--b", "scripted:two", "--json", **{"scripted:one": counted})

    said = result.stderr.splitlines()[0]
    assert "comparing scripted:one and scripted:two on 8 documents, judged by scripted:judge: 16 to" in said
    assert len(asked) == 8
    assert json.loads(result.stdout)["interval"][0] < 1


def test_what_it_wrote_before_is_not_replaced_by_another_comparison(study):
    """The same comparison writes it again; another one is refused before anything is asked, unless it is told to."""
    told = ["--a", "scripted:one", "--b", "scripted:two", "--out", "both.csv"]
    first, again = compare(*told), compare(*told)
    shorter = compare(*told, "--limit", "2")
    other = compare("--a", "scripted:two", "--b", "scripted:one", "--out", "both.csv")
    meant = compare("--a", "scripted:two", "--b", "scripted:one", "--out", "both.csv", "--overwrite")

    assert (first.exit_code, again.exit_code, meant.exit_code) == (0, 0, 0)
    assert "has 8 rows" in str(shorter.exception)
    assert "--overwrite" in str(other.exception)


@pytest.mark.soak
def test_started_from_nothing_it_never_crashes(study):
    """Graphs load in threads while others import: many cold starts, as many as `CUPEL_COLD_STARTS` says."""
    starts, sides = (
        int(os.environ.get("CUPEL_COLD_STARTS", "200")),
        ["--a", "openai:one", "--b", "openai:two"],
    )
    told = ["compare", "speeches.jsonl", "--task", "stance", "--judge", "openai:judge", *sides]
    answer = {"evidence": [], "reason": "So it is said.", "stance": "none"}
    with ScriptedProvider(lambda _body: answer) as provider:
        for number in range(starts):
            shutil.rmtree(study.folder / ".cupel", ignore_errors=True)
            done = subprocess.run(
                [str(Path(sys.executable).with_name("cupel")), *told], cwd=study.folder, capture_output=True, text=True,
                env={**os.environ, **provider.environment()}, timeout=120, check=False,
            )  # fmt: skip

            assert done.returncode == 0, f"start {number}: {done.stderr}"


def test_what_the_gate_holds_out_is_compared_only_when_it_is_asked_for(study):
    """A preference says of a document who read it well; those that were compared are seen, gold or not."""
    rows = speeches(6)
    write(study.folder / "speeches.jsonl", [*rows, {**rows[0], "id": "again"}])
    sides = {"dev": [], "held_out": ["s0", "s1"], "documents": "x", "version": "v"}
    ledger_of(study.state).append("split", task="stance", key="v", at="2026-01-01", data=sides)
    told = compare(
        "--a", "scripted:one", "--b", "scripted:two", "--gold", "gold", "--out", "out.jsonl", "--json"
    )
    written = [json.loads(line) for line in (study.folder / "out.jsonl").read_text().splitlines()]
    names = {document_hash(row["text"]): row["id"] for row in rows}
    with existing_run_log(study) as log:
        seen = {names[name] for name in seen_of(log, "stance")}
    page = Path(json.loads(told.stdout)["page"]).read_text()
    asked = compare(
        "--a", "scripted:one", "--b", "scripted:two", "--gold", "gold", "--show-held-out", "--json"
    )

    assert "2 of 6 documents are held out by the gate and left out here" in told.stderr
    assert (json.loads(told.stdout)["documents"], json.loads(asked.stdout)["documents"]) == (4, 6)
    assert json.loads(told.stdout)["gold"]["documents"] == 4
    assert [row["stance_preferred_reasons"] for row in written if row["stance_preferred"] is None] == [
        ["held out by the gate"]
    ] * 3
    assert seen == {"s2", "s3", "s4", "s5"}
    assert "can prove nothing there" in asked.stderr
    assert "By gold, stance on 4 documents: a 1.000 (4 right), b 0.000 (0 right)" in page
    assert "3 rows are left out." in page


def test_a_file_of_which_all_is_held_out_is_not_compared(study):
    """Before anything is asked."""
    sides = {"dev": [], "held_out": [f"s{n}" for n in range(8)], "documents": "x", "version": "v"}
    ledger_of(study.state).append("split", task="stance", key="v", at="2026-01-01", data=sides)

    said = str(compare("--a", "scripted:one", "--b", "scripted:two").exception)

    assert "the gate holds out every document of it. --show-held-out shows them" in said
