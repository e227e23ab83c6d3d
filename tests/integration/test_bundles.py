"""Tasks that share a request: measured first, then asked once a document, each with its record and its share of the bill."""

from __future__ import annotations

import json
import signal
import sqlite3
import time

import pytest

from cupel.testing.filling import fill
from cupel.testing.provider import ScriptedProvider
from cupel.testing.replies import answer_by_schema, document_of
from tests.integration import forked
from tests.integration.cascade import TEXT
from tests.integration.test_run_cli import environment, run, started
from tests.integration.test_several_tasks import MODELS, PRICES, rows_of

BUNDLE = "sentiment,summary"
NO_COST = ("sentiment_cost_usd", "summary_cost_usd")


def write(folder, count):
    """A file of speeches that are long enough for a bundle to save something: the document is what it sends once."""
    rows = [
        {"id": f"s{n}", "text": f"{' '.join([TEXT] * 15)} This is speech number {n}."} for n in range(count)
    ]
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def answer(body, lost=lambda task, document: False):
    """A record of every task that is asked for, but for those that are lost; single ones as they would be alone."""
    schema = body["response_format"]["json_schema"]["schema"]
    if "records" not in schema["properties"]:
        return answer_by_schema(body)
    document = document_of(body["messages"])
    entries = schema["properties"]["records"]["items"]["anyOf"]
    tasks = {entry["properties"]["task"]["enum"][0]: entry["properties"]["record"] for entry in entries}
    return {
        "records": [
            {"task": task, "record": fill(record, document)}
            for task, record in tasks.items()
            if not lost(task, document)
        ]
    }


def calibrate(folder, provider, *more):
    """A certificate for the bundle, from the file itself."""
    return forked.run(
        ["cupel", "calibrate", "in.jsonl", "--bundle", BUNDLE, "--yes", "--json", "--cheap-model", "openai:cheap", *more],
        cwd=folder, env=environment(provider, **PRICES),
    )  # fmt: skip


def without_cost(path):
    """The rows, but for what they cost."""
    return [{name: cell for name, cell in row.items() if name not in NO_COST} for row in rows_of(path)]


def test_certified_tasks_are_asked_about_once_and_each_has_its_share_of_the_bill(tmp_path):
    """The third task is asked by itself; records are those of single requests; again, nothing is asked."""
    write(tmp_path, 60)
    asked = ["in.jsonl", "--task", "sentiment,entities,summary", "--json", *MODELS]
    shared = ["--bundle", BUNDLE, "--bundle-min", "0.9", "--out", "bundled.jsonl"]
    with ScriptedProvider(answer) as provider:
        measured = calibrate(tmp_path, provider, "--sample", "40", "--bundle-min", "0.9")
        assert measured.returncode == 0, measured.stderr
        before = provider.counts.requests
        bundled = run(tmp_path, *asked, *shared, provider=provider, **PRICES)
        once = provider.counts.requests - before
        again = run(tmp_path, *asked, *shared, provider=provider, **PRICES)
        assert provider.counts.requests == before + once
        single = run(tmp_path, *asked, "--out", "single.jsonl", provider=provider, **PRICES)

    assert bundled.returncode == 0, bundled.stderr
    certificate, told = json.loads(measured.stdout), json.loads(bundled.stdout)
    assert certificate["certified"]
    assert certificate["saved"] > 0
    assert {task: one["agreement"] for task, one in certificate["tasks"].items()} == {
        "sentiment": 1.0,
        "summary": 1.0,
    }
    assert bundled.returncode == 0, bundled.stderr
    # sixty of the third task; forty of sixty documents were bundled to measure it
    assert once == 60 + 20
    assert told["statuses"] == {"accepted": 180}
    assert json.loads(again.stdout)["reused"] == 180
    assert json.loads(single.stdout)["run_id"] != told["run_id"]
    assert without_cost(tmp_path / "bundled.jsonl") == without_cost(tmp_path / "single.jsonl")
    costs = [
        sum(row[f"{task}_cost_usd"] for row in rows_of(tmp_path / "bundled.jsonl"))
        for task in ("sentiment", "summary")
    ]
    alone = [
        sum(row[f"{task}_cost_usd"] for row in rows_of(tmp_path / "single.jsonl"))
        for task in ("sentiment", "summary")
    ]
    assert all(0 < cost < dear for cost, dear in zip(costs, alone, strict=True))
    account = told["account"]
    assert account["on_no_row"]["usd"] == pytest.approx(0.0, abs=1e-7)
    assert account["rows"]["calls"] == pytest.approx(120)
    assert account["paid"]["usd"] + account["found"]["usd"] == pytest.approx(account["rows"]["usd"])


def test_a_task_the_reply_lacks_is_asked_for_alone(tmp_path):
    """The other keeps its record of the shared reply."""
    write(tmp_path, 60)

    def lossy(body):
        return answer(body, lost=lambda task, document: task == "summary" and "number 7." in document)

    with ScriptedProvider(lossy) as provider:
        measured = calibrate(tmp_path, provider)
        before = provider.counts.requests
        done = run(
            tmp_path, "in.jsonl", "--task", BUNDLE, "--bundle", BUNDLE, "--bundle-min", "0.9", "--out", "out.jsonl", "--json", *MODELS,
            provider=provider, **PRICES,
        )  # fmt: skip
        asked = provider.counts.requests - before

    assert json.loads(measured.stdout)["tasks"]["summary"]["asked_alone"] == 1
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statuses"] == {"accepted": 120}
    assert asked == 0


def test_without_a_certificate_or_beside_what_it_does_not_go_with_a_bundle_is_refused(tmp_path):
    """Nothing is asked; the sentence says what measures it."""
    write(tmp_path, 2)
    with ScriptedProvider(answer) as provider:
        for more, said in (
            (["--bundle", BUNDLE], "cupel calibrate FILE --bundle sentiment,summary"),
            (["--bundle", "sentiment"], "name at least two tasks"),
            (["--bundle", "sentiment,entities"], "'entities' is no task of this run"),
            (["--bundle", BUNDLE, "--batch"], "--bundle does not go with --batch"),
            (["--bundle-min", "0.9"], "no effect without --bundle"),
        ):
            done = run(tmp_path, "in.jsonl", "--task", BUNDLE, *MODELS, *more, provider=provider, **PRICES)
            assert (done.returncode, said in done.stderr) == (2, True), (more, done.stderr)
        asked = provider.counts.requests

    assert asked == 0


def test_a_bundle_that_does_worse_is_not_certified_and_a_run_refuses_it(tmp_path):
    """The bound of every task counts, not that of all together."""
    write(tmp_path, 60)

    def poor(body):
        said = answer(body)
        for entry in said.get("records", ()):
            if entry["task"] == "sentiment":
                entry["record"]["sentiment"] = "negative"
        return said

    with ScriptedProvider(poor) as provider:
        measured = calibrate(tmp_path, provider)
        done = run(
            tmp_path, "in.jsonl", "--task", BUNDLE, "--bundle", BUNDLE, *MODELS, provider=provider, **PRICES
        )

    assert json.loads(measured.stdout)["certified"] is False
    assert done.returncode == 2
    assert "bundled records of sentiment agree with single ones to at least" in done.stderr


def test_killed_and_resumed_a_bundle_pays_nothing_twice(tmp_path):
    """What was in flight when the process died is asked again, and nothing else."""
    write(tmp_path, 60)
    asked = [
        "in.jsonl", "--task", BUNDLE, "--bundle", BUNDLE, "--bundle-min", "0.85", "--out", "out.jsonl", "--json",
        "--concurrency", "4", *MODELS,
    ]  # fmt: skip
    with ScriptedProvider(answer, latency_s=0.05) as provider:
        calibrate(tmp_path, provider, "--sample", "30")
        before = provider.counts.billed
        process = started(tmp_path, *asked, provider=provider, **PRICES)
        while provider.counts.billed < before + 12 and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        last = run(tmp_path, *asked, provider=provider, **PRICES)
        repeats, billed = provider.counts.billed_repeats, provider.counts.billed - before

    assert last.returncode == 0, last.stderr
    assert json.loads(last.stdout)["statuses"] == {"accepted": 120}
    assert repeats <= 4
    assert billed - repeats == 30
    assert "bundled records agree with single ones" in " ".join(json.loads(last.stdout)["notes"])


def test_forgetting_one_task_takes_the_shared_replies_with_it(tmp_path):
    """Nothing of a forgotten record stays in a reply; the other task keeps its own."""
    write(tmp_path, 40)
    shared = ["--task", BUNDLE, "--bundle", BUNDLE, "--bundle-min", "0.85", "--out", "out.jsonl", "--json"]
    with ScriptedProvider(answer) as provider:
        calibrate(tmp_path, provider, "--sample", "30")
        done = run(tmp_path, "in.jsonl", *shared, *MODELS, provider=provider, **PRICES)
    run_id = json.loads(done.stdout)["run_id"]
    told = forked.run(
        ["cupel", "forget", "--run", run_id, "--task", "summary", "--json"], cwd=tmp_path, env=environment()
    )
    gone = json.loads(told.stdout)
    with sqlite3.connect(tmp_path / ".cupel" / "runlog.sqlite") as log:
        kept = log.execute("select count(*) from responses where text like '%records%'").fetchone()[0]
        left = log.execute(
            "select status, count(*) from outcomes where task = 'sentiment' group by status"
        ).fetchall()

    assert told.returncode == 0, told.stderr
    assert (gone["outcomes"], run_id in gone["runs"]) == (40, True)
    assert kept == 0
    assert dict(left)["accepted"] >= 40
