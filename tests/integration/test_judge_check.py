"""`cupel judge-check`: with people's labels, on a run's records, and on what a run audited."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.testing.models import scripted
from tests.integration.improvement import made_project

TEXT = "Colleagues, I welcome proposal {n} because it helps town {n} and its people."


@pytest.fixture
def study(tmp_path, monkeypatch):
    made = made_project(tmp_path / "study")
    monkeypatch.chdir(made.folder)
    monkeypatch.setenv("CUPEL_JUDGE_MODEL", "scripted:judge")
    return made


def judge(messages, schema):
    """Fails what is not in favour."""
    good = '"stance":"favor"' in messages[-1]["content"]
    return {
        name: {"reasoning": "looked", "evidence_quote": None, "finding": "pass" if good else "fail"}
        for name in schema["properties"]
    }


def rows(count, *, label=lambda n: n % 2 == 0):
    """Records of which every second one is right."""
    return [
        {
            "id": f"r{n}",
            "text": TEXT.format(n=n),
            "meta": {"topic": "it"},
            "label": "pass" if label(n) else "fail",
            "record": {
                "evidence": [f"I welcome proposal {n}"],
                "reason": "The speaker says so.",
                "stance": "favor" if n % 2 == 0 else "none",
            },
        }
        for n in range(count)
    ]


def check(study, lines, *args):
    """`cupel judge-check` on these lines."""
    (study.folder / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with scripted({"scripted:judge": judge}):
        return CliRunner().invoke(app, ["judge-check", "labels.jsonl", "--task", "stance", "--json", *args])


def test_a_judge_that_agrees_with_people_may_decide(study):
    """Forty records, all judged as people did."""
    told = json.loads(check(study, rows(40)).stdout)["agreement"]["verdict"]

    assert (told["n"], told["tpr"]["value"], told["tnr"]["value"], told["kappa"]["value"]) == (
        40,
        1.0,
        1.0,
        1.0,
    )
    assert not told["advisory"]


def test_without_labels_records_of_a_run_are_spoiled_and_counted(study, monkeypatch):
    """Code catches what it can, the judge the rest or nothing; each way of spoiling has its row."""
    monkeypatch.setenv("CUPEL_CHEAP_MODEL", "scripted:cheap")
    speech = "We must build homes now. Rents rose by forty percent in ten years."
    (study.folder / "in.jsonl").write_text(json.dumps({"id": "a", "text": speech}) + "\n")
    record = {
        "matter": "housing",
        "claims": [{"id": 1, "quote": "We must build homes now."}],
        "premises": [{"quote": "Rents rose by forty percent in ten years.", "supports": 1}],
        "stance": "support",
    }

    def lenient(_messages, schema):
        return {
            name: {"reasoning": "fine", "evidence_quote": None, "finding": "pass"}
            for name in schema["properties"]
        }

    with scripted({"scripted:cheap": record, "scripted:judge": lenient}):
        ran = CliRunner().invoke(app, ["run", "in.jsonl", "--task", "arguments", "--json"])
        assert ran.exit_code == 0, ran.output
        result = CliRunner().invoke(app, ["judge-check", "--task", "arguments", "--json"])

    told = {row["mutation"]: row for row in json.loads(result.stdout)["mutations"]}
    assert told["unchanged"]["missed"] == 1
    assert told["quote_faked"]["caught_by_code"] == 1
    assert told["label_flipped"]["missed"] == 1


def audited(messages, schema):
    """An auditor that rejects the records of every fourth speech, and of labelled ones those not in favour."""
    return judge(
        [{"content": '"stance":"none"' if "again." in messages[-1]["content"] else messages[-1]["content"]}],
        schema,
    )


def test_the_auditor_of_a_run_is_measured_and_its_false_pass_rate_corrected(study):
    """`cupel run --jury` audits what the judge accepts; people's labels tell what the auditor's rate is worth."""
    speeches = [
        {
            "id": f"s{n}",
            "topic": "it",
            "text": f"{TEXT.format(n=n)}{' I say it again.' if n % 4 == 0 else ''}",
        }
        for n in range(40)
    ]
    (study.folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in speeches))
    right = {"evidence": ["because it helps town"], "reason": "The speaker says so.", "stance": "favor"}
    env = {"CUPEL_AUDIT_SHARE": "1", "CUPEL_CHEAP_MODEL": "scripted:cheap"}
    with scripted({"scripted:cheap": right, "scripted:judge": judge, "scripted:auditor": audited}):
        args = ["run", "in.jsonl", "--task", "stance", "--jury", "scripted:auditor", "--json", "--no-report"]
        ran = json.loads(CliRunner().invoke(app, args, env=env).stdout)
        assert (ran["audits"]["audited"], ran["audits"]["rejected"]) == (40, 10)
        (study.folder / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in rows(60)))
        args = [
            "judge-check",
            "labels.jsonl",
            "--task",
            "stance",
            "--run",
            ran["run_id"],
            "--judge-model",
            "scripted:auditor",
        ]
        told = json.loads(CliRunner().invoke(app, [*args, "--json"], env=env).stdout)["false_pass"]
        shown = CliRunner().invoke(app, args, env=env).stdout

    assert (told["audited"], told["rate"]) == (40, 0.25)
    assert told["corrected"]["value"] == pytest.approx(0.25)
    assert told["corrected"]["interval"][0] < 0.25 < told["corrected"]["interval"][1]
    assert "false-pass rate of the run, as it audited 40 acceptances: 0.25" in " ".join(shown.split())
