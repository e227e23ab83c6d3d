"""A document through the real graph where its record is judged item by item."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.testing.models import scripted
from tests.integration.cascade import CLAIM, PREMISE, TEXT, record, walk
from tests.integration.improvement import made_project
from tests.unit.cascade.test_judge_ways import items_judge

LOST = "The Commission should therefore open its funds to the cities"


def writer(first, then):
    """A model that writes one record, and another once it is told something about it."""
    return lambda messages, _schema: then if "mind also" in messages[-1]["content"] else first


def judge(messages, schema):
    """Finds the premise that stands among the claims, and misses what only the better record has."""
    user = messages[-1]["content"]
    missing = [] if f'"{LOST}"' in user else [{"quote": LOST, "list": "claims"}]
    return items_judge([(f'claims: "{PREMISE}"', "wrong list", "premises")], missing)(messages, schema)


POOR = {**record(PREMISE), "premises": []}
GOOD = {
    "matter": "housing", "claims": [{"id": 1, "quote": CLAIM}, {"id": 2, "quote": LOST}],
    "premises": [{"quote": PREMISE, "supports": 1}], "stance": "support",
}  # fmt: skip


async def test_a_rejected_record_is_mended_by_its_judged_items_and_nobody_is_asked_for_a_critique(project):
    """The next try is told what to move and what to add, by code; what was right stays."""
    done = await walk(
        project,
        cheap=writer(POOR, GOOD),
        judge=judge,
        settings={"judge_way": "items", "refiner_model": "none"},
    )
    addendum = done.outcome["addenda"][0]

    assert done.path == ["extract", "verify", "judge", "refine", "extract", "verify", "judge"]
    assert (done.outcome["status"], done.outcome["record"]) == ("accepted", GOOD)
    assert addendum["instructions"][:2] == [
        f"“{PREMISE}” belongs into premises, not into claims.", f"Add to claims: “{LOST}”."
    ]  # fmt: skip
    assert addendum["model"] is None
    assert "stays as it is" in str(done.models["cheap"].requests[1].messages[-1]["content"])
    assert [v["score"] for v in done.outcome["verdicts"]] == [0.0, 1.0]


async def test_of_several_tries_the_best_by_the_judges_estimate_is_kept(project):
    """A round that made the record worse ends the rounds, and its record is not the outcome."""
    worse = {**POOR, "claims": [], "premises": []}
    half = {**POOR, "claims": [{"id": 1, "quote": CLAIM}, {"id": 2, "quote": PREMISE}]}
    done = await walk(
        project,
        cheap=writer(half, worse),
        judge=judge,
        settings={"judge_way": "items", "strong_model": "none", "max_refinements": 5},
    )

    assert done.path.count("refine") == 1
    assert done.outcome["record"] == half
    assert done.outcome["status"] == "needs_review"


@pytest.fixture
def study(tmp_path, monkeypatch):
    made = made_project(tmp_path / "study")
    monkeypatch.chdir(made.folder)
    monkeypatch.setenv("CUPEL_CHEAP_MODEL", "scripted:cheap")
    monkeypatch.setenv("CUPEL_JUDGE_MODEL", "scripted:judge")
    return made


def invoke(*args, **scripts):
    with scripted({f"scripted:{role}": script for role, script in scripts.items()}):
        return CliRunner().invoke(app, list(args))


def enrich_one(study):
    """A right record of one document, judged by items."""
    (study.folder / "in.jsonl").write_text(json.dumps({"id": "a", "text": TEXT}) + "\n")
    told = ("run", "in.jsonl", "--task", "arguments", "--judge-way", "items", "--no-report")
    invoke(*told, cheap=GOOD, judge=judge)


def labelled(count):
    """Every second record is right by its gold; the judge sees which."""
    gold = {"claims": [{"quote": CLAIM}, {"quote": LOST}], "premises": [{"quote": PREMISE}]}
    return [{"id": f"r{n}", "text": TEXT, "record": (GOOD, POOR)[n % 2], "gold": gold} for n in range(count)]


@pytest.mark.parametrize(
    ("reply", "advisory"), [(judge, False), (items_judge(), True)], ids=["it sees", "it accepts everything"]
)
def test_judge_check_measures_any_way_and_runs_go_by_it(study, reply, advisory):
    """Against gold: kappa and AUROC, kept for this judge, prompt and way; a judge that shows nothing only advises then."""
    (study.folder / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in labelled(40)))
    checked = invoke("judge-check", "labels.jsonl", "--judge-way", "items", "--json", judge=reply)
    told = json.loads(checked.stdout)
    (study.folder / "in.jsonl").write_text(json.dumps({"id": "a", "text": TEXT}) + "\n")
    args = [
        "run",
        "in.jsonl",
        "--task",
        "arguments",
        "--judge-way",
        "items",
        "--strong-model",
        "none",
        "--no-report",
        "--json",
    ]
    ran = invoke(*args, cheap=POOR, judge=reply)
    shown = invoke("show", "a")

    assert told["agreement"]["verdict"]["advisory"] == advisory
    assert told["auroc"]["value"] == (0.5 if advisory else 1.0)
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["statuses"].get("accepted", 0) == advisory
    words = " ".join(shown.stdout.split())
    assert "by items" in words
    assert ("(advisory)" in words) == advisory
    assert "unmeasured" not in words


def test_a_judge_that_was_never_measured_is_called_so(study):
    """`show` says what is known of the judge, and that is nothing."""
    enrich_one(study)

    assert "judge unmeasured" in " ".join(invoke("show", "a").stdout.split())


def test_a_plan_prices_the_way_the_run_judges(study):
    """Adjudication takes a second reading; each way is planned by its own prompt."""
    (study.folder / "in.jsonl").write_text(
        "".join(json.dumps({"id": f"d{n}", "text": TEXT}) + "\n" for n in range(5))
    )
    tokens = {}
    for way in ("criteria", "items", "adjudicate"):
        told = json.loads(
            invoke(
                "plan",
                "in.jsonl",
                "--task",
                "arguments",
                "--judge-way",
                way,
                "--refiner-model",
                "scripted:refiner",
                "--json",
                cheap=[],
                judge=[],
                refiner=[],
            ).stdout
        )
        tokens[way] = next(row for row in told["tiers"] if row["tier"] == "judge")["calls"]["expected"]

    assert tokens["criteria"] == tokens["items"] < tokens["adjudicate"]


def test_spoiled_records_tell_whether_the_very_place_was_named(study):
    """Beside caught and missed: in how many the judge named what was spoiled, and in how many it did so unspoiled."""
    enrich_one(study)
    sees = items_judge(
        [(f'claims: "{PREMISE}"', "wrong list", "premises"), ("stance: oppose", "stance", "support")]
    )
    told = json.loads(invoke("judge-check", "--judge-way", "items", "--json", judge=sees).stdout)
    rows = {row["mutation"]: row for row in told["mutations"]}

    assert rows["unchanged"]["missed"] == 1
    assert (rows["reference_moved"]["found"], rows["reference_moved"]["missed"]) == (0, 1)
    assert rows["quote_faked"]["found"] == rows["quote_faked"]["caught_by_code"] == 1
    assert all(row["alarms"] == 0 for row in rows.values())
