"""A run held against gold: figures, what is wrong, what is kept, and what is withheld."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cupel import api
from cupel.cli._app import app
from cupel.errors import InputError, OutputPathError, UsageError
from cupel.evaluation import check_labels, make_labels
from cupel.improvement.ledger import ledger_of
from cupel.improvement.seen import document_hash
from cupel.runlog.lookup import existing_run_log
from cupel.runs.gold import hold_against
from cupel.task import load_task
from cupel.testing.models import scripted
from tests.conftest import ROOT
from tests.integration.improvement import TASK, extractor, made_project, speeches, write
from tests.unit.improvement.seeing import seen_of
from tests.unit.report.factory import attempt, outcome


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with twelve speeches, every second one of which is read the wrong way."""
    made = made_project(tmp_path / "study")
    write(made.folder / "speeches.jsonl", [{**row, "topic": "it"} for row in speeches(12, gold=False)])
    (made.folder / "gold.csv").write_text("id,gold\n" + "".join(f"s{n},favor\n" for n in range(10)))
    monkeypatch.chdir(made.folder)
    for name, value in {"CHEAP_MODEL": "scripted:cheap", "STRONG_MODEL": "none", "JUDGE": "never"}.items():
        monkeypatch.setenv(f"CUPEL_{name}", value)
    return made


def cupel(*args, cheap=extractor):
    """A command with a scripted model."""
    with scripted({"scripted:cheap": cheap, "scripted:judge": []}):
        return CliRunner().invoke(app, list(args))


def run(*args, **how):
    """The figures by gold of a run."""
    result = cupel("run", "speeches.jsonl", "-t", TASK, "--overwrite", "--json", *args, **how)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["gold"], result.stderr


def hold_out(project, *ids):
    """A campaign holds these documents out."""
    sides = {"dev": [], "held_out": list(ids), "documents": "x", "version": "v"}
    ledger_of(project.state).append("split", task=TASK, key="v", at="2026-01-01", data=sides)


def noted(project):
    """Where documents of the study were seen, by id."""
    names = {document_hash(row["text"]): row["id"] for row in speeches(12)}
    with existing_run_log(project) as log:
        return {names[name]: how for name, how in seen_of(log, TASK).items()}


def test_a_run_is_held_against_gold_and_says_what_is_wrong(project):
    """Ten have gold, five of them are wrong by their label; the others count nowhere."""
    gold, _ = run("--gold", "gold.csv")

    assert (gold["documents"], gold["right"], gold["faults"]) == (10, 5, {"wrong label": 5})
    assert gold["interval"][0] < 0.5 < gold["interval"][1]


def test_what_is_wrong_by_gold_is_a_failure_that_is_grouped_shown_and_frozen(project):
    """Like what a judge finds; `show` has the gold beside the record."""
    run("--gold", "gold.csv")
    groups = json.loads(cupel("failures", "--json").stdout)
    shown = json.loads(cupel("show", "s0", "--json").stdout)["gold"]
    page = cupel("show", "s0").stdout
    frozen = json.loads(cupel("failures", "--freeze", "wrong", "--json").stdout)

    assert [(group["criterion"], group["cause"], group["count"]) for group in groups] == [
        ("reference_stance", "gold", 5)
    ]
    assert (shown["gold"], shown["right"], shown["differences"][0]["given"]) == (
        {"stance": "favor"},
        False,
        "against",
    )
    assert "gold: wrong" in page
    assert (frozen["documents"], frozen["failed"]) == (10, 5)


def test_gold_that_was_mended_replaces_what_the_run_kept(project):
    """The same command is held against today's gold; nothing is asked again."""
    run("--gold", "gold.csv")
    (project.folder / "gold.csv").write_text("id,gold\ns0,against\ns2,favor\n")
    gold, _ = run("--gold", "gold.csv", cheap=[])
    groups = json.loads(cupel("failures", "--json").stdout)

    assert (gold["documents"], gold["right"]) == (2, 1)
    assert [group["count"] for group in groups] == [1]


@pytest.mark.parametrize(("kind", "score"), [("provider", None), ("schema", 0.0), ("refusal", 0.0)])
def test_documents_nobody_answered_are_neither_right_nor_wrong(kind, score):
    """A provider's fault says nothing of a prompt; a reply that is no record does."""
    lost = outcome(record=None, attempts=[attempt(record=None, error="x", error_kind=kind)])
    held = hold_against(lost, {"stance": "favor"}, load_task(TASK, ROOT / "prompts"))

    assert (held.score, held.right) == (score, None if score is None else False)
    assert [each.kind for each in held.differences] == ([] if score is None else ["record"])


def test_what_the_gate_holds_out_is_withheld_until_it_is_asked_for(project):
    """Neither counted nor kept; asking is answered with what it costs."""
    hold_out(project, "s0", "s1")
    gold, said = run("--gold", "gold.csv")
    asked, warned = run("--gold", "gold.csv", "--show-held-out")

    assert (gold["documents"], gold["withheld"]) == (8, 2)
    assert "2 documents are held out by the gate: their gold is not used here" in said
    assert asked["documents"] == 10
    assert "can prove nothing there" in warned
    assert "gold" not in json.loads(cupel("show", "s0", "--json").stdout)
    assert "its gold is withheld" in cupel("show", "s0").stdout
    assert "gold" in json.loads(cupel("show", "s0", "--show-held-out", "--json").stdout)


def test_a_column_that_happens_to_be_called_gold_stops_no_run(project):
    """It is left alone with a note; named, it is an error before anything is paid."""
    write(
        project.folder / "speeches.jsonl",
        [{**row, "topic": "it", "gold": {"label": 1}} for row in speeches(2)],
    )
    gold, said = run()
    named = cupel("run", "speeches.jsonl", "-t", TASK, "--gold", "gold", "--overwrite", cheap=[])

    assert gold is None
    assert "the column 'gold' is not used: it is none of this task" in said
    assert isinstance(named.exception, InputError)


def test_the_report_has_the_gold_of_every_document(project):
    """The page's data carries it; the choice of documents knows those that are wrong."""
    run("--gold", "gold.csv")
    path = json.loads(cupel("report", "--json").stdout)["report"]
    page = Path(path).read_text(encoding="utf-8")

    assert '"gold":{"gold":{"stance":"favor"}' in page
    assert "wrong by gold" in page
    assert "by gold: 5 of 10 right, 0.500 on average" in page


def test_a_runs_records_become_labels_of_which_none_is_gold_until_somebody_looked(project):
    """From its output or its id; a line whose `checked` is set counts, the others are told."""
    run()
    made = make_labels(project, "speeches.stance.jsonl", TASK, project.folder / "labels.jsonl")
    with existing_run_log(project) as log:
        run_id = log.runs()[0]["run_id"]
    again = make_labels(project, run_id[:6], TASK, project.folder / "more.jsonl")
    rows = [json.loads(line) for line in made.path.read_text().splitlines()]
    nothing = cupel("run", "speeches.jsonl", "-t", TASK, "--gold", "labels.jsonl", "--overwrite", cheap=[])
    rows[0] |= {"gold": {"stance": "favor"}, "checked": True}
    write(made.path, rows)
    gold, said = run("--gold", "labels.jsonl", cheap=[])

    assert (made.lines, again.lines) == (12, 12)
    assert "holds no gold that can be used" in str(nothing.exception)
    assert (gold["documents"], gold["right"]) == (1, 0)
    assert "11 lines are not checked by anybody yet" in said
    assert check_labels(project, made.path, TASK).lines[0].gold == {"stance": "favor"}


def test_labels_somebody_may_have_worked_on_are_never_written_over(project):
    """Nor is a file of another kind made, nor labels of another task's run."""
    run()
    (project.folder / "labels.jsonl").write_text("mine")

    with pytest.raises(OutputPathError, match="may hold somebody's work"):
        make_labels(project, "speeches.stance.jsonl", TASK, project.folder / "labels.jsonl")
    with pytest.raises(OutputPathError, match=r"is a JSONL; name it x\.jsonl"):
        make_labels(project, "speeches.stance.jsonl", TASK, project.folder / "x.csv")
    with pytest.raises(InputError, match="no column 'entities_doc_id'"):
        make_labels(project, "speeches.stance.jsonl", "entities", project.folder / "y.jsonl")
    assert (project.folder / "labels.jsonl").read_text() == "mine"


def test_what_is_shown_with_its_gold_is_noted_as_seen(project):
    """The gate then takes other documents; those without gold, or withheld, were not seen."""
    hold_out(project, "s0", "s1")
    run("--gold", "gold.csv")

    assert set(noted(project)) == {f"s{n}" for n in range(2, 10)}


def test_a_report_written_anew_withholds_what_the_gate_holds_out_until_it_is_asked_for(project):
    """The page says so, and so does the terminal; asking is answered with what it costs, and noted."""
    run("--gold", "gold.csv", "--no-report")
    hold_out(project, "s0", "s1")
    told = json.loads(cupel("report", "--json").stdout)
    page = Path(told["report"]).read_text(encoding="utf-8")
    asked = json.loads(cupel("report", "--json", "--show-held-out").stdout)
    whole = Path(asked["report"]).read_text(encoding="utf-8")

    assert (page.count('"gold":{"gold"'), whole.count('"gold":{"gold"')) == (8, 10)
    assert "2 documents: held out by the gate: their gold is not shown" in page
    assert any("--show-held-out shows them, and spends them" in note for note in told["notes"])
    assert any("can prove nothing" in note for note in asked["notes"])
    assert "2 documents: held out by the gate" in " ".join(cupel("report").stdout.split())


def test_an_example_of_what_failed_is_seen_and_none_that_the_gate_holds_out(project):
    """Another document stands for the group; only those of the groups that are shown are noted."""
    run("--gold", "gold.csv", "--no-report")
    with existing_run_log(project) as log, log.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM seen_documents")
    hold_out(project, "s0", "s2")
    group = json.loads(cupel("failures", "--json").stdout)[0]

    assert group["count"] == 5
    assert noted(project) == {group["example"]["doc_id"]: "failures"}
    assert group["example"]["doc_id"] not in ("s0", "s2")


def test_where_all_of_a_group_is_held_out_it_is_counted_and_none_is_shown(project):
    """What showing one costs is said; who asks for it sees it."""
    run("--gold", "gold.csv", "--no-report")
    hold_out(project, *(f"s{n}" for n in range(12)))
    page = " ".join(cupel("failures").stdout.split())
    group = json.loads(cupel("failures", "--json").stdout)[0]
    asked = json.loads(cupel("failures", "--json", "--show-held-out").stdout)[0]
    warned = " ".join(cupel("failures", "--show-held-out").stdout.split())

    assert (group["count"], group["example"]) == (5, None)
    assert "reference_stance (gold): withheld, the gate holds out every document of it" in page
    assert "some are held out by the gate, and shown: a prompt that is changed after this" in warned
    assert asked["example"]["doc_id"] in {f"s{n}" for n in range(0, 10, 2)}


def test_python_code_has_what_the_command_line_prints(project, tmp_path):
    """Runs, labels and versions, the very same; a prompt is copied by either."""
    run("--gold", "gold.csv", "--no-report")
    runs = json.loads(cupel("runs", "--json").stdout)
    made = api.make_labels("speeches.stance.jsonl", tmp_path / "labels.jsonl", TASK)
    (tmp_path / "labels.jsonl").write_text('{"id": "s0", "gold": {"stance": "favor"}, "checked": true}\n')
    copied = api.copy_prompt(TASK, tmp_path / "mine")
    said = cupel("prompts", "copy", TASK, str(tmp_path / "yours")).stdout

    assert api.list_runs(TASK) == runs
    assert (made.lines, api.list_runs("entities")) == (12, [])
    assert [line.doc_id for line in api.check_labels(tmp_path / "labels.jsonl", TASK).labels.lines] == ["s0"]
    assert api.prompts(TASK) == json.loads(cupel("prompts", "list", TASK, "--json").stdout)
    assert ", ".join(copied) in said
    with pytest.raises(UsageError, match="no version '0123'"):
        api.diff_versions(TASK, "0123")
