"""Several tasks over one file in one go: one run, one cap, one file, and nothing that three runs would not give."""

from __future__ import annotations

import json
import signal
import time

import pytest

from cupel.testing.batches import BatchScript
from cupel.testing.provider import ScriptedProvider
from cupel.testing.replies import answer_by_schema
from tests.integration import forked
from tests.integration.cascade import TEXT
from tests.integration.stops import own_database
from tests.integration.test_run_cli import environment, run, started

TASKS = ("sentiment", "summary", "entities")
MODELS = ["--cheap-model", "openai:cheap", "--strong-model", "none", "--judge", "never"]
PRICES = {"CUPEL_PRICES": "openai:cheap=1/2"}
IN_FLIGHT = 8


def write(folder, count, **more):
    """A file of so many speeches."""
    rows = [{"id": f"s{n}", "text": f"{TEXT} This is speech number {n}.", **more} for n in range(count)]
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def rows_of(path):
    """The rows of an output."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def asked_of(provider, task_title):
    """How many requests spoke of something in their system message."""
    return sum(task_title in str(body["messages"][0]["content"]) for body in provider.requests)


def command(folder, *args):
    """A command of the command line to its end."""
    return forked.run(["cupel", *args], cwd=folder, env=environment(**PRICES))


def one_after_the_other(folder, provider, count):
    """The file through each task, each run over the output of the one before; the last output's rows."""
    write(folder, count)
    source = "in.jsonl"
    for task in TASKS:
        done = run(
            folder, source, "--task", task, "--out", f"{task}.jsonl", *MODELS, provider=provider, **PRICES
        )
        assert done.returncode == 0, done.stderr
        source = f"{task}.jsonl"
    return rows_of(folder / source)


@pytest.mark.soak
def test_two_hundred_documents_killed_and_resumed_have_the_columns_of_three_runs(tmp_path):
    """What is billed twice was in flight when the process died; the same command again asks nothing."""
    joint, single = tmp_path / "joint", tmp_path / "single"
    joint.mkdir()
    single.mkdir()
    write(joint, 200)
    asked = [
        "in.jsonl", "--task", ",".join(TASKS), "--out", "out.jsonl", "--json", "--concurrency", str(IN_FLIGHT), *MODELS,
    ]  # fmt: skip
    with ScriptedProvider(latency_s=0.03) as provider:
        for finished in (40, 250, 500):
            process = started(joint, *asked, provider=provider, **PRICES)
            while provider.counts.billed < finished and process.poll() is None:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
        last = run(joint, *asked, provider=provider, **PRICES)
        billed, repeats = provider.counts.billed, provider.counts.billed_repeats
        again = run(joint, *asked, provider=provider, **PRICES)
        assert provider.counts.billed == billed
    with ScriptedProvider() as provider:
        expected = one_after_the_other(single, provider, 200)

    summary = json.loads(last.stdout)
    assert last.returncode == 0, last.stderr
    assert (summary["documents"], summary["statuses"]) == (200, {"accepted": 600})
    assert {task: said["statuses"] for task, said in summary["tasks"].items()} == {
        task: {"accepted": 200} for task in TASKS
    }
    assert repeats <= 3 * IN_FLIGHT
    assert billed - repeats == 600
    assert json.loads(again.stdout)["calls"] == {}
    assert list(rows_of(joint / "out.jsonl")[0]) == list(expected[0])
    assert rows_of(joint / "out.jsonl") == expected


def test_one_run_has_the_columns_of_three_and_the_commands_ask_which_task_is_meant(tmp_path):
    """One line in `cupel runs`, a tidy file a task, one page; whatever reads one task wants to be told which."""
    joint, single = tmp_path / "joint", tmp_path / "single"
    joint.mkdir()
    single.mkdir()
    write(joint, 12)
    asked = ["in.jsonl", "--task", "sentiment,summary", "--task", "entities", "--json", "--tidy", *MODELS]
    with ScriptedProvider() as provider:
        done = run(joint, *asked, "--out", "out.jsonl", provider=provider, **PRICES)
        expected = one_after_the_other(single, provider, 12)

    summary = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert rows_of(joint / "out.jsonl") == expected
    assert sorted(path.name for path in joint.glob("out.*.tidy.jsonl")) == [
        f"out.{task}.tidy.jsonl" for task in sorted(TASKS)
    ]
    assert summary["tidy"] == {task: f"out.{task}.tidy.jsonl" for task in TASKS}
    assert {task: said["planned"]["documents"] for task, said in summary["tasks"].items()} == dict.fromkeys(
        TASKS, 12
    )
    assert summary["account"]["paid"]["calls"] == 36

    runs = json.loads(command(joint, "runs", "--json").stdout)
    assert [(each["task"], each["kind"], each["rows"]) for each in runs] == [(",".join(TASKS), "several", 12)]
    assert json.loads(command(joint, "runs", "--task", "stance", "--json").stdout) == []
    page = (joint / ".cupel" / "reports" / f"{runs[0]['run_id']}.html").read_text()
    assert all(f"{said['run_id']}.html" in page for said in summary["tasks"].values())
    run_id = runs[0]["run_id"]
    for reading in (
        ["show", "s1"], ["show", "s1", "--run", run_id], ["export"], ["charts", run_id], ["failures", "--run", run_id],
        ["forget", "--run", run_id, "--dry-run"], ["failures", "--run", run_id, "--freeze", "x"],
    ):  # fmt: skip
        refused = command(joint, *reading)
        assert (refused.returncode, "several tasks (sentiment, summary, entities)" in refused.stderr) == (
            2,
            True,
        ), reading
    labels = command(joint, "labels", "make", run_id, "-o", "labels.jsonl")
    assert "is of the tasks sentiment, summary, entities, not of 'arguments'" in labels.stderr
    for reading in (
        ["show", "s1"], ["show", "s1", "--run", run_id], ["export"], ["show"], ["report", run_id],
        ["labels", "make", run_id, "-o", "labels.jsonl"], ["forget", "--run", run_id],
    ):  # fmt: skip
        told = command(joint, *reading, "--task", "summary")
        assert told.returncode == 0, (reading, told.stderr)
    resumed = run(joint, *asked, "--out", "out.jsonl", "--overwrite", provider=provider, **PRICES)
    statuses = {task: said["statuses"] for task, said in json.loads(resumed.stdout)["tasks"].items()}
    assert statuses == {task: {"forgotten" if task == "summary" else "accepted": 12} for task in TASKS}


@pytest.mark.parametrize("tasks", ["sentiment", "sentiment,summary"])
def test_a_run_that_is_refused_for_its_output_leaves_no_trace(tmp_path, tasks):
    """One that is finished stays so, and is no newer for it; one that never began is in no list."""
    write(tmp_path, 3)
    asked = ["in.jsonl", "--task", tasks, *MODELS]
    (tmp_path / "taken.jsonl").write_text("somebody else's\n")
    with ScriptedProvider() as provider:
        never = run(tmp_path, *asked, "--out", "taken.jsonl", provider=provider, **PRICES)
        before = command(tmp_path, "runs", "--json")
        done = run(tmp_path, *asked, "--out", "out.jsonl", provider=provider, **PRICES)
        finished = command(tmp_path, "runs", "--json").stdout
        again = run(tmp_path, *asked, "--out", "taken.jsonl", provider=provider, **PRICES)

    assert (never.returncode, done.returncode, again.returncode) == (2, 0, 2), never.stderr + done.stderr
    assert before.stdout.strip() in ("", "[]")
    assert json.loads(finished)[0]["state"] == "finished"
    assert command(tmp_path, "runs", "--json").stdout == finished


def test_what_is_to_be_said_of_the_second_task_is_said(tmp_path):
    """A file that every request of it carries is told of, though the first task has none."""
    write(tmp_path, 2)
    (tmp_path / "tree.txt").write_text("\n".join(f"Matter {number} > Part" for number in range(2_000)))
    with ScriptedProvider() as provider:
        done = run(
            tmp_path, "in.jsonl", "--task", "sentiment,categories", "--input", "taxonomy=@tree.txt", "--out", "out.jsonl",
            *MODELS, provider=provider, **PRICES,
        )  # fmt: skip

    assert "the input 'taxonomy' from tree.txt has" in done.stderr


def test_a_task_that_is_added_later_is_asked_alone(tmp_path):
    """What a run of one task, or of others, has answered is found; the new task is all that is paid for."""
    write(tmp_path, 10)
    with ScriptedProvider() as provider:
        run(
            tmp_path,
            "in.jsonl",
            "--task",
            "sentiment",
            "--out",
            "a.jsonl",
            *MODELS,
            provider=provider,
            **PRICES,
        )
        first = provider.counts.billed
        two = run(
            tmp_path, "in.jsonl", "--task", "sentiment,summary", "--out", "b.jsonl", "--json", *MODELS,
            provider=provider, **PRICES,
        )  # fmt: skip
        second = provider.counts.billed
        three = run(
            tmp_path, "in.jsonl", "--task", "entities,sentiment,summary", "--out", "c.jsonl", "--json", *MODELS,
            provider=provider, **PRICES,
        )  # fmt: skip
        third = provider.counts.billed

    assert (first, second, third) == (10, 20, 30)
    assert json.loads(two.stdout)["tasks"]["sentiment"]["reused"] == 10
    assert json.loads(three.stdout)["reused"] == 20
    runs = json.loads(command(tmp_path, "runs", "--json").stdout)
    assert [each["kind"] for each in runs] == ["several", "several", "run"]


def test_a_document_that_fails_in_one_task_keeps_the_others(tmp_path):
    """Only the cell of that task says so, and why; the exit code is that of a run in which rows failed."""
    write(tmp_path, 6)

    def answer(body):
        schema = body["response_format"]["json_schema"]["schema"]
        spoiled = "sentiment" in schema["properties"] and "number 3." in str(body["messages"])
        return "no record at all" if spoiled else answer_by_schema(body)

    with ScriptedProvider(answer) as provider:
        done = run(
            tmp_path, "in.jsonl", "--task", "sentiment,summary", "--out", "out.jsonl", "--json", *MODELS,
            provider=provider, **PRICES,
        )  # fmt: skip
    rows = rows_of(tmp_path / "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert [row["sentiment_status"] for row in rows] == ["accepted"] * 3 + ["failed"] + ["accepted"] * 2
    assert {row["summary_status"] for row in rows} == {"accepted"}
    assert json.loads(done.stdout)["tasks"]["sentiment"]["failures"]["rows"] == 1


def test_all_tasks_are_under_one_cap(tmp_path):
    """Reached, every row says for each task whether it was run; with a higher cap the same command goes on."""
    write(tmp_path, 20)
    asked = [
        "in.jsonl", "--task", "sentiment,summary", "--out", "out.jsonl", "--json", "--concurrency", "2", *MODELS,
    ]  # fmt: skip
    with ScriptedProvider() as provider:
        capped = run(tmp_path, *asked, "--max-usd", "0.02", provider=provider, **PRICES)
        again = run(tmp_path, *asked, "--max-usd", "0.02", provider=provider, **PRICES)
        whole = run(tmp_path, *asked, "--max-usd", "5", provider=provider, **PRICES)
        repeats = provider.counts.billed_repeats

    first, second = json.loads(capped.stdout), json.loads(again.stdout)
    assert (capped.returncode, again.returncode, whole.returncode) == (3, 3, 0), capped.stderr
    assert 0 < first["cost_usd_total"] <= 0.02
    assert second["cost_usd_total"] <= 0.02
    assert first["statuses"]["pending"] > 0
    assert json.loads(whole.stdout)["statuses"] == {"accepted": 40}
    assert repeats == 0
    paid = [each["account"]["paid"]["usd"] for each in json.loads(whole.stdout)["tasks"].values()]
    assert sum(paid) == pytest.approx(json.loads(whole.stdout)["cost_usd_total"])


def test_interrupted_every_row_says_for_each_task_whether_it_was_run(tmp_path):
    """After one Ctrl-C what is in flight lands; the same command goes on, and nothing is billed twice."""
    write(tmp_path, 20)
    asked = [
        "in.jsonl", "--task", "sentiment,summary", "--out", "out.jsonl", "--json", "--concurrency", "4", *MODELS,
    ]  # fmt: skip
    with ScriptedProvider(latency_s=0.2) as provider:
        process = started(tmp_path, *asked, provider=provider, **PRICES)
        while provider.counts.billed < 6 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        rows = rows_of(tmp_path / "out.jsonl")
        resumed = run(tmp_path, *asked, provider=provider, **PRICES)
        repeats = provider.counts.billed_repeats

    told = json.loads(stdout)
    assert process.returncode == 130
    assert "same command goes on" in stderr
    assert told["statuses"]["pending"] > 0
    assert sum(told["statuses"].values()) == 40
    assert len(rows) == 20
    assert rows[-1]["summary_reasons"] == rows[-1]["sentiment_reasons"] == ["not run: interrupted"]
    assert json.loads(resumed.stdout)["statuses"] == {"accepted": 40}
    assert repeats == 0


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (["--task", "sentiment,stance"], "task 'stance': in.jsonl: no column 'topic'"),
        (["--task", "sentiment,sentiment"], "'sentiment' is there twice"),
        (["--task", "sentiment,,stance"], "a name is empty"),
        (["--task", "sentiment,nosuch"], "nosuch"),
        (["--task", "sentiment,summary", "--input", "topic=text"], "no task takes an input 'topic'"),
        (["--task", "sentiment,summary", "--gold", "gold.jsonl"], "--gold gold.jsonl is what the records of one task"),
        (["--task", "sentiment,summary", "--policy", "p.json"], "policy='p.json' is made for one task"),
        (["--task", "sentiment,summary", "--strong-model", "openai:s", "--prerouter", "r.json"], "prerouter='r.json' is made for one task"),
        (["--task", "sentiment,summary", "--instructions", "x"], "a schema is one task of its own"),
        (["--task", "sentiment,summary", "--packing"], "calibrate"),
        (["--task", "sentiment,summary", "--out", "in.jsonl"], "is the input itself"),
    ],
)  # fmt: skip
def test_what_one_of_the_tasks_lacks_or_only_one_could_use_is_refused_before_anything_is_asked(
    tmp_path, told, said
):
    """The sentence names the task, or the option; nothing is paid for the others either."""
    write(tmp_path, 2)
    with ScriptedProvider() as provider:
        done = run(tmp_path, "in.jsonl", *MODELS, *told, provider=provider, **PRICES)
        asked = provider.counts.requests

    assert (done.returncode, asked) == (2, 0), done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_inputs_go_to_the_tasks_that_take_them_and_a_column_of_gold_is_not_passed_over_in_silence(tmp_path):
    """A further input of one task is no fault beside another."""
    write(tmp_path, 2, debate="homes", gold="x")
    asked = [
        "in.jsonl",
        "--task",
        "sentiment,stance",
        "--input",
        "topic=debate",
        "--out",
        "out.jsonl",
        *MODELS,
    ]
    with ScriptedProvider() as provider:
        done = run(tmp_path, *asked, provider=provider, **PRICES)

    assert done.returncode == 0, done.stderr
    assert "the column gold is not looked at" in done.stderr
    assert {row["stance_status"] for row in rows_of(tmp_path / "out.jsonl")} == {"accepted"}


def test_a_plan_is_of_each_task_and_of_all(tmp_path):
    """The sum is that of the parts, end by end."""
    write(tmp_path, 5)
    told = command(tmp_path, "plan", "in.jsonl", "--task", "sentiment,summary", "--json", *MODELS)
    plan = json.loads(told.stdout)

    assert told.returncode == 0, told.stderr
    assert list(plan["tasks"]) == ["sentiment", "summary"]
    for end in ("expected", "low", "high"):
        each = [one["cost_usd"][end] for one in plan["tasks"].values()]
        assert plan["cost_usd"][end] == pytest.approx(sum(each), abs=2e-6)
    assert "sentiment" in command(tmp_path, "plan", "in.jsonl", "-t", "sentiment,summary", *MODELS).stdout


def test_in_batches_the_tasks_share_the_waves_and_a_kill_sends_nothing_twice(tmp_path):
    """One job holds the requests of all tasks; the rows are those of single requests but for their cost."""
    write(tmp_path, 12)
    asked = ["in.jsonl", "--task", "sentiment,summary", "--out", "out.jsonl", "--json", *MODELS]
    with ScriptedProvider(batches=BatchScript(takes_s=0.6)) as provider:
        counts = provider.batches.counts
        batched = [*asked, "--batch", "--batch-poll-s", "0.1"]
        process = started(tmp_path, *batched, provider=provider, **PRICES)
        while counts.jobs < 1 and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        last = run(tmp_path, *batched, "--max-usd", "5", provider=provider, **PRICES)
        repeats, jobs, alone = provider.counts.billed_repeats, counts.jobs, provider.counts.requests

    assert last.returncode == 0, last.stderr
    assert json.loads(last.stdout)["statuses"] == {"accepted": 24}
    assert (repeats, counts.sent_twice, jobs, alone) == (0, 0, 1, 0)


def check_on_a_cluster(tmp_path):
    """Each task's parts come back in the order of the rows; again, nothing is asked. A door has it, in test_dask_run."""
    write(tmp_path, 20)
    asked = [
        "in.jsonl", "--task", "sentiment,summary", "--out", "out.jsonl", "--json", "--engine", "dask", "--concurrency", "4",
        *MODELS, "--max-usd",
    ]  # fmt: skip
    with own_database() as url, ScriptedProvider() as provider:
        more = {**PRICES, "CUPEL_DATABASE_URL": url}
        capped = run(tmp_path, *asked, "0.02", provider=provider, **more)
        first = run(tmp_path, *asked, "5", provider=provider, **more)
        billed = provider.counts.billed
        again = run(tmp_path, *asked, "5", provider=provider, **more)

    assert (capped.returncode, first.returncode) == (3, 0), capped.stderr + first.stderr
    assert 0 < json.loads(capped.stdout)["cost_usd_total"] <= 0.02
    assert json.loads(first.stdout)["statuses"] == {"accepted": 40}
    assert [row["id"] for row in rows_of(tmp_path / "out.jsonl")] == [f"s{n}" for n in range(20)]
    assert (billed, provider.counts.billed, json.loads(again.stdout)["reused"]) == (40, 40, 40)


def test_from_python_a_table_has_the_columns_of_three_calls(tmp_path):
    """`tasks=` is one run; a suffix goes behind each name."""
    write(tmp_path, 6)
    script = """
import json, cupel
rows = [json.loads(line) for line in open("in.jsonl")]
settings = dict(cheap_model="openai:cheap", strong_model="none", judge="never", doc_id="id")
joint = cupel.enrich(rows, tasks=["sentiment", "summary", "entities"], **settings)
single = rows
for task in ("sentiment", "summary", "entities"):
    single = cupel.enrich(single, task, **settings)
named = cupel.enrich(rows, tasks=["sentiment", "summary"], suffix="_x", **settings)
refused = []
for more in ({"name": "x"}, {"task": "stance"}, {"instances": True}, {"schema": {"type": "object"}}):
    try:
        cupel.enrich(rows, tasks=["sentiment", "summary"], **more, **settings)
    except cupel.CupelError as error:
        refused.append(str(error))
plan = cupel.plan(rows, tasks=["sentiment", "summary"], **settings)
runs = cupel.list_runs()
# times are to the second, so of runs that end together none is the first
whole = next(run for run in runs if run["task"] == "sentiment,summary,entities")
print(json.dumps({"same": joint == single, "columns": list(named[0]), "refused": refused,
    "plan": [each.task for each in plan.tasks], "runs": [run["kind"] for run in runs],
    "first": list(joint[0]), "outcomes": len(cupel.outcomes(whole["run_id"], task="summary"))}))
"""
    (tmp_path / "severally.py").write_text(script)
    with ScriptedProvider() as provider:
        done = forked.run(["severally"], cwd=tmp_path, env=environment(provider, **PRICES))
        billed = provider.counts.billed
    assert done.stdout, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["same"], done.stderr
    assert billed == 18
    assert [name for name in told["columns"] if name.endswith("_status")] == [
        "sentiment_x_status",
        "summary_x_status",
    ]
    assert len(told["refused"]) == 4
    assert told["plan"] == ["sentiment", "summary"]
