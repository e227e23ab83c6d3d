"""Dask with real worker processes and a real PostgreSQL on the loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from cupel.testing import clusters
from cupel.testing.clusters import dask_workers
from cupel.testing.provider import ScriptedProvider
from tests.integration import forked
from tests.integration.cascade import record
from tests.integration.stops import own_database
from tests.integration.test_outages_cli import free_port
from tests.integration.test_run_cli import environment, run
from tests.integration.test_several_tasks import check_on_a_cluster

MODELS = ["--cheap-model", "openai:cheap", "--strong-model", "openai:strong", "--judge", "never"]


@pytest.fixture
def url():
    """A database of the test's own, or a skip."""
    with own_database() as url:
        yield url


def answer(body):
    """The same record for every speech."""
    return record()


@pytest.fixture
def forking(monkeypatch):
    """The cluster's processes are forks of one that has the imports behind it."""

    def start(module, folder, env):
        return forked.Forked(module, cwd=folder, env=dict(env), package="distributed")

    monkeypatch.setattr(clusters, "_start", start)


@pytest.mark.door
def test_one_worker_killed_half_way_costs_only_what_it_had_in_flight(folder, url, forking):
    """Every row has its outcome, in order; the same command again asks nothing."""
    with ScriptedProvider(answer, latency_s=0.2) as provider:
        env = environment(provider, CUPEL_DATABASE_URL=url)
        with dask_workers(3, folder, env, threads=1) as (address, workers):
            asked = ["in.jsonl", "--out", "out.jsonl", "--json", "--concurrency", "4", *MODELS]
            asked += ["--engine", "dask", "--scheduler", address]
            process = forked.Forked(["cupel", "run", *asked], cwd=folder, env=env, package="distributed")
            while provider.counts.billed < 15 and process.poll() is None:
                time.sleep(0.005)
            workers[0].send_signal(signal.SIGKILL)
            stdout, stderr = process.communicate(timeout=120)
            first, repeats = provider.counts.billed, provider.counts.billed_repeats
            again = run(folder, *asked, provider=provider, CUPEL_DATABASE_URL=url)
            asked_again = provider.counts.billed - first

    rows = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert process.returncode == 0, stderr
    assert json.loads(stdout)["statuses"] == {"accepted": 40}
    assert [row["id"] for row in rows] == [f"s{n}" for n in range(40)]
    assert repeats <= 4
    assert (again.returncode, asked_again) == (0, 0), again.stderr
    assert json.loads(again.stdout)["reused"] == 40


@pytest.mark.door
def test_a_dask_dataframe_comes_back_lazy_with_the_tasks_columns(folder, url, forking):
    """Computed twice, it is asked once; the rows, index and order are kept."""
    script = """
import sys
import dask.dataframe as dd, pandas as pd
from distributed import Client
from cupel import enrich
frame = pd.read_json("in.jsonl", lines=True).set_index("n", drop=False)
with Client(sys.argv[1]) as client:
    lazy = enrich(
        dd.from_pandas(frame, npartitions=3), "arguments", doc_id="id", cheap_model="openai:cheap",
        strong_model="openai:strong", judge="never",
    )
    first, second = lazy.compute(), lazy.compute()
assert list(first.index) == list(frame.index) and list(first["id"]) == list(frame["id"])
assert set(first["arguments_status"]) == {"accepted"}, set(first["arguments_status"])
assert second["arguments"].tolist() == first["arguments"].tolist()
"""
    (folder / "lazily.py").write_text(script)
    with ScriptedProvider(answer) as provider:
        env = environment(provider, CUPEL_DATABASE_URL=url)
        with dask_workers(2, folder, env) as (address, _):
            done = forked.run(["lazily", address], cwd=folder, env=env, package="distributed")
        asked = provider.counts.requests

    assert done.returncode == 0, done.stderr
    assert asked == 40


@pytest.mark.door
def test_a_cluster_of_our_own_keeps_one_cap_and_goes_on_under_a_higher_one(folder, url, tmp_path, subtests):
    """`--engine dask` alone is enough: every worker reserves in the run log before it sends, and any engine resumes."""
    (tmp_path / "several").mkdir()
    with subtests.test("several tasks have the same workers, one database and one cap"):
        check_on_a_cluster(tmp_path / "several")
    prices = {"CUPEL_PRICES": "openai:cheap=10/20,openai:strong=10/20", "CUPEL_MAX_OUTPUT_TOKENS": "300"}
    env = {"CUPEL_DATABASE_URL": url, **prices}
    asked = ["in.jsonl", "--out", "out.jsonl", "--json", "--concurrency", "4", *MODELS]
    with ScriptedProvider(answer, latency_s=0.02) as provider:
        capped = run(folder, *asked, "--engine", "dask", "--max-usd", "0.2", provider=provider, **env)
        stopped = provider.counts.billed
        done = run(folder, *asked, "--max-usd", "5", provider=provider, **env)
        billed, repeats = provider.counts.billed, provider.counts.billed_repeats

    assert capped.returncode == 3, capped.stderr
    assert "the budget has no room" in capped.stderr
    assert 0 < json.loads(capped.stdout)["cost_usd_total"] <= 0.2
    assert 0 < stopped < 40
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statuses"] == {"accepted": 40}
    assert (billed, repeats) == (40, 0)


@pytest.mark.soak
def test_interrupted_from_the_terminal_the_workers_finish_what_is_in_flight(folder, url):
    """Ctrl-C reaches every process of the group: no tracebacks, nothing in flight is lost, the rest is pending."""
    asked = ["in.jsonl", "--out", "out.jsonl", "--json", "--concurrency", "4", *MODELS]
    with ScriptedProvider(answer, latency_s=0.5) as provider:
        env = environment(provider, CUPEL_DATABASE_URL=url)
        process = subprocess.Popen(
            [sys.executable, "-m", "cupel", "run", *asked, "--engine", "dask"], cwd=folder, env=env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        while provider.counts.requests < 1 and process.poll() is None:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=120)
        stopped = provider.counts.billed
        resumed = run(folder, *asked, provider=provider, CUPEL_DATABASE_URL=url)
        billed, repeats = provider.counts.billed, provider.counts.billed_repeats

    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert json.loads(stdout)["statuses"] == {"accepted": stopped, "pending": 40 - stopped}
    assert json.loads(resumed.stdout)["statuses"] == {"accepted": 40}, resumed.stderr
    assert (billed, repeats) == (40, 0)


@pytest.mark.soak
def test_what_is_away_for_the_workers_is_told_by_the_driver(folder, url, tmp_path_factory):
    """Somebody else's workers have a log of their own; within five seconds the person at the driver knows, and only once."""
    port = free_port()
    with ExitStack() as stack:
        env = environment(
            CUPEL_DATABASE_URL=url, OPENAI_BASE_URL=f"http://127.0.0.1:{port}/v1", OPENAI_API_KEY="sk-1"
        )
        elsewhere = tmp_path_factory.mktemp("workers")
        address, _ = stack.enter_context(dask_workers(2, elsewhere, env, threads=1))
        asked = ["in.jsonl", "--out", "out.jsonl", "--wait", "60", "--no-report", *MODELS, "--engine", "dask"]
        command = ["cupel", "run", *asked, "--scheduler", address]
        done = stack.enter_context(ThreadPoolExecutor(1)).submit(
            forked.run, command, cwd=folder, env=env, package="distributed"
        )
        while "connection refused" not in (elsewhere / "dask.log").read_text() and not done.done():
            time.sleep(0.1)
        time.sleep(3)
        provider = stack.enter_context(ScriptedProvider(answer, port=port))
        ended = done.result()

    said = ended.stderr.splitlines()
    [line] = [line for line in said if "connection refused" in line]
    down_s = float(line.partition("trying again, ")[2].split(" s")[0])
    assert line.startswith("openai: connection refused")
    assert down_s <= 5
    assert "openai: it answers again" in said
    assert (ended.returncode, provider.counts.billed) == (0, 40), ended.stderr


@pytest.mark.parametrize(
    ("more", "says"),
    [
        pytest.param([], "CUPEL_DATABASE_URL", id="no PostgreSQL", marks=pytest.mark.soak),
        pytest.param(["--batch"], "--batch", id="batch jobs"),
    ],
)
def test_what_a_cluster_cannot_do_is_said_at_once(folder, more, says):
    """Exit code 2, before a cluster is started."""
    more_env = {"CUPEL_DATABASE_URL": "postgresql://127.0.0.1/never-opened"} if more else {}
    with ScriptedProvider(answer) as provider:
        done = run(folder, "in.jsonl", *MODELS, "--engine", "dask", *more, provider=provider, **more_env)

    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
