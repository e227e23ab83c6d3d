"""Cost and calls: rows, terminal, `--json`, report and `cupel show` add up, whatever a run went through."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from cupel.cli.run_summary import tell_run
from cupel.engine.batch import BatchSettings
from cupel.engine.packing.packs import Packing, PackTerms
from cupel.project import load_graph
from cupel.report import write_run_report
from cupel.report.run_report import read_run_use, rewrite_run_report
from cupel.runlog import open_run_log, tables
from cupel.runs.bench import open_bench, read_documents
from cupel.runs.runner import Runner
from cupel.state import calls_of
from cupel.tables.rows import Row
from cupel.testing.batches import BatchScript
from cupel.testing.provider import ScriptedProvider
from tests.integration.cascade import (
    ACCEPTS,
    INVENTED,
    LOOK_AT_THE_END,
    REJECTS,
    TEXT,
    job,
    models,
    record,
)

PRICES = ",".join(f"{name}=3/7" for name in (*(f"scripted:{r}" for r in ("cheap", "strong", "judge", "refiner")), "openai:m"))  # fmt: skip
ENV = {"CUPEL_PRICES": PRICES}


def number_of(said):
    """Which of the speeches is meant."""
    return int(re.findall(r"speech number (\d+)", said)[-1])


def cheap(messages, schema):
    """Good records; every fifth is about nothing that was said, every seventh is no record."""
    number = number_of(str(messages))
    if number % 7 == 6:
        return "no JSON"
    return record(INVENTED if number % 5 == 4 else record()["claims"][0]["quote"])


def judge(messages, schema):
    """Rejects every third speech."""
    return REJECTS if number_of(str(messages)) % 3 == 2 else ACCEPTS


SCRIPTS = {"cheap": cheap, "strong": record(), "judge": judge, "refiner": LOOK_AT_THE_END}


def rows(numbers):
    """Speeches of these numbers; a number said twice is a text said twice, under another id."""
    return [
        Row(position=n, values={}, text=f"{TEXT} This is speech number {number}.", doc_id=f"d{n}")
        for n, number in enumerate(numbers)
    ]


class Broken:
    """The project's graph, failing at its end for some speeches: what they cost was paid by then."""

    def __init__(self, graph, numbers):
        self.graph, self.numbers = graph, numbers

    async def ainvoke(self, document, config, *, context):
        """The outcome, or a fault."""
        outcome = await self.graph.ainvoke(document, config, context=context)
        if number_of(document["text"]) in self.numbers:
            raise KeyError("a bug of one's own")
        return outcome


async def run(project, made, numbers, *, graph=None, env=ENV):
    """A run to its end, or to its stop; its summary and the outcomes it handed out."""
    async with Runner(made, project, env=env, graph=graph) as runner:
        runner.progress.total = len(numbers)
        outcomes = [outcome async for _, outcome in runner.outcomes(rows(numbers))]
        return await runner.summary(None), [o for o in outcomes if o is not None], runner


def paid_of(project, run_id):
    """Calls and US dollars that the run log's answers of a run come to, read by nothing of Cupel's."""
    log = open_run_log(project.state, {})
    answers = log.rows_of(tables.responses, run_id=run_id)
    stored = {answer["key"]: answer for answer in log.rows_of(tables.responses)}
    outcomes = [outcome for _, outcome, _ in log.run_outcomes(run_id)]
    log.close()
    return answers, stored, outcomes


def check(project, summary, capsys):
    """Every surface shows the same two sums, and they hang together as it says."""
    run_id, account = summary["run_id"], summary["account"]
    answers, stored, outcomes = paid_of(project, run_id)
    column = sum(outcome["cost_usd"] for outcome in outcomes)
    listed = [call for outcome in outcomes for _, call in calls_of(outcome)]

    # what the run paid
    assert account["paid"]["calls"] == len(answers)
    assert account["paid"]["usd"] == pytest.approx(sum(a["cost_usd"] for a in answers), abs=1e-8)
    assert summary["cost_usd_total"] == pytest.approx(
        account["paid"]["usd"] + account["reserved_usd"], abs=1e-8
    )
    # what its rows hold: the column of costs, and every tier
    assert account["rows"]["usd"] == pytest.approx(column, abs=1e-8)
    assert account["rows"]["usd"] == pytest.approx(
        sum(t["cost_usd"] for t in summary["used"].values()), abs=1e-7
    )
    assert account["rows"]["calls"] == pytest.approx(
        sum(1 / call.get("packed", 1) for call in listed), abs=1e-3
    )
    # the bridge: an answer on a row was paid by this run for this row, or found
    own = {call["key"] for call in listed if not call.get("elsewhere")}
    assert all(stored[key]["run_id"] == run_id for key in own)
    found = sum(call["cost_usd"] for call in listed if call.get("elsewhere"))
    assert account["found"]["usd"] == pytest.approx(found, abs=1e-8)
    assert account["on_no_row"]["usd"] == pytest.approx(account["paid"]["usd"] - (column - found), abs=2e-8)
    assert account["on_no_row"]["usd"] >= -1e-8
    # all surfaces say so
    tell_run({**summary, "planned": None, "output": "out.jsonl"})
    assert summary["paid_and_used"] in " ".join(capsys.readouterr().out.split())
    page = write_run_report(project, run_id, summary).read_text()
    anew, rewritten = rewrite_run_report(project, run_id)
    assert summary["paid_and_used"] in page
    assert summary["paid_and_used"] in anew.read_text()
    assert rewritten.cost_usd_total == pytest.approx(summary["cost_usd_total"], abs=1e-8)
    assert sum(rewritten.calls.values()) == account["paid"]["calls"]
    assert read_run_use(project, run_id).to_json()["account"] == account
    return account


@pytest.mark.soak
async def test_they_add_up_over_refinements_duplicates_failures_a_cap_and_two_resumes(project, capsys):
    """Stopped by its cap, taken up again, its failed rows asked anew, and the same answers under another judge."""
    numbers = [*range(12), 3, 6, 0]
    plain = job(project, concurrency=2, max_output_tokens=200)
    with models(**SCRIPTS):
        stopped, some, _ = await run(project, replace(plain, max_usd=0.03), numbers)
        account = check(project, stopped, capsys)
        assert 0 < len(some) < len(numbers)

        whole, outcomes, _ = await run(project, plain, numbers)
        account = check(project, whole, capsys)
        assert (len(outcomes), account["on_no_row"]["calls"]) == (len(numbers), 0)
        assert account["paid"]["calls"] > stopped["account"]["paid"]["calls"]

        again, _, _ = await run(project, plain, numbers)
        assert (again["calls"], again["account"]) == ({}, account)

        retried, _, _ = await run(project, replace(plain, retry_failed=True), numbers)
        check(project, retried, capsys)

        other, _, _ = await run(
            project, job(project, judge="never", concurrency=2, max_output_tokens=200), numbers
        )
        account = check(project, other, capsys)
        assert account["found"]["calls"] > 0
        assert account["paid"]["calls"] < account["rows"]["calls"]


async def test_what_a_row_cost_stays_on_it_when_its_graph_fails(project, capsys):
    """A fault after paid calls: the row says what they were and what they cost, and nothing is on no row."""
    graph = Broken(load_graph(project, "enrich"), {1})
    with models(**SCRIPTS):
        summary, outcomes, _ = await run(project, job(project), range(2), graph=graph)
    account = check(project, summary, capsys)

    assert [outcome["status"] for outcome in outcomes] == ["accepted", "failed"]
    assert outcomes[1]["reasons"][0].startswith("the graph failed: KeyError")
    assert outcomes[1]["cost_usd"] > 0
    assert [call["kind"] for call in outcomes[1]["other_calls"]] == ["extract", "judge"]
    assert account["on_no_row"]["calls"] == 0


async def test_they_add_up_where_documents_share_a_request(project, capsys):
    """Packed calls count once, and each row has its share."""

    def able(messages, schema):
        said = messages[-1]["content"]
        if "records" not in schema["properties"]:
            return record()
        return {"records": [{"document": int(n), "record": record()} for n in re.findall(r'<document id="(\d+)">', said)]}  # fmt: skip

    made = replace(job(project, judge="never"), packing=Packing(trial=PackTerms(size=4, max_chars=1000)))
    with models(cheap=able):
        summary, _, _ = await run(project, made, range(9))
        account = check(project, summary, capsys)

    assert account["paid"]["calls"] == round(account["rows"]["calls"]) == 3


async def test_they_add_up_in_a_batch(project, capsys, monkeypatch):
    """Half the price, on every surface."""
    alone = {f"{role}_model": "none" for role in ("strong", "refiner")}
    made = replace(
        job(project, cheap_model="openai:m", judge="never", **alone), batch=BatchSettings(poll_s=0.02)
    )
    with ScriptedProvider(lambda _: record(), batches=BatchScript(takes_s=0.05)) as provider:
        env = provider.environment() | ENV
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        summary, _, _ = await run(project, made, range(6), env=env)
        batched = check(project, summary, capsys)
        summary, _, _ = await run(
            project, replace(made, batch=None, input_name="other"), range(6, 12), env=env
        )
        single = check(project, summary, capsys)

    assert batched["paid"]["calls"] == single["paid"]["calls"] == 6
    assert batched["paid"]["usd"] == pytest.approx(0.5 * single["paid"]["usd"], rel=0.05)


async def test_what_a_trial_paid_counts_where_it_was_tried(project, tmp_path):
    """An undertaking's money is booked under its own name; the report of its trial says so."""
    file = tmp_path / "in.jsonl"
    file.write_text("".join(json.dumps({"id": r.doc_id, "text": r.text}) + "\n" for r in rows(range(3))))
    made = job(project, judge="never")
    with models(**SCRIPTS):
        async with open_bench(project, "eval-test", env=ENV) as bench:
            documents = read_documents(file, made.task)
            outcomes = await bench.outcomes(made.task, made.context, documents)
            paid = await bench.runtime.run_log.spent_usd("eval-test")
            trial = bench.runtime.run_log.runs(trials=True)[0]["run_id"]
    _, summary = rewrite_run_report(project, trial)

    assert paid == pytest.approx(sum(o["cost_usd"] for o in outcomes.values()))
    assert summary.cost_usd_total == 0
    assert any("a trial: its calls were paid by what tried it" in note for note in summary.notes)
