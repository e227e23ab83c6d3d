"""Forgetting documents: nothing of them is left, all that is of others stays, and nothing is asked again."""

from __future__ import annotations

import json
import os
import pickle
import time
import uuid
from datetime import UTC, datetime

import pytest
from langgraph.checkpoint.memory import PersistentDict
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import SQLAlchemyError

from cupel.errors import InputError, RunLogError, UsageError
from cupel.project import Project
from cupel.report import rewrite_run_report, write_run_report
from cupel.runlog import Selection, StoredResponse, open_run_log, tables
from cupel.runs.forget import forget_documents
from cupel.runs.runner import Runner
from cupel.runs.server_threads import forget_threads
from cupel.tables import Output, Row
from tests.conftest import ROOT
from tests.integration.cascade import ACCEPTS, INVENTED, LOOK_AT_THE_END, REJECTS, TEXT, job, models, record

SERVER = os.environ.get("CUPEL_TEST_DATABASE_URL", "postgresql+psycopg://127.0.0.1:5432/test")
ENV: dict[str, str] = {}
PLANTED = "Ms Zwetschge of Quetschenheim asked it in tears."
TEXTS = [f"{TEXT} This is speech number {n}." + (f" {PLANTED}" if n == 1 else "") for n in range(4)]


@pytest.fixture(params=["sqlite", "postgresql"])
def study(request, tmp_path):
    """A project whose run log is a file, or a database of its own on a real server where one answers."""
    project = Project(ROOT, tmp_path / ".cupel")
    if request.param == "sqlite":
        yield project
        return
    server = create_engine(SERVER, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
    name = f"forget_{uuid.uuid4().hex[:8]}"
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except SQLAlchemyError as error:
        pytest.skip(f"no PostgreSQL at {SERVER}: {str(error).splitlines()[0]}")
    ENV["CUPEL_DATABASE_URL"] = SERVER.rsplit("/", 1)[0] + f"/{name}"
    yield project
    ENV.clear()
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def everything(project):
    """Every row of every table, as text."""
    log = open_run_log(project.state, ENV)
    try:
        return {
            table.name: [json.dumps(row, default=str, ensure_ascii=False) for row in log.rows_of(table)]
            for table in tables.metadata.sorted_tables
        }
    finally:
        log.close()


async def run_all(project, texts=TEXTS, *, judged="auto", **scripts):
    """These documents with these answers; a role that has none may not be asked."""
    rows = [Row(position=n, values={}, text=said, doc_id=f"d{n}") for n, said in enumerate(texts)]
    with models(**scripts):
        async with Runner(job(project, judge=judged), project, env=ENV) as runner:
            outcomes = [outcome async for _, outcome in runner.outcomes(rows)]
            runner.told = await runner.summary("out.jsonl")
    return outcomes, runner


SCRIPTS = {"cheap": record(INVENTED), "strong": record(), "judge": REJECTS, "refiner": LOOK_AT_THE_END}


def forget(project, **what):
    """As the command does it."""
    log = open_run_log(project.state, ENV)
    try:
        return forget_documents(project, log, Selection(**what))
    finally:
        log.close()


async def test_of_a_forgotten_document_nothing_is_left_and_all_of_the_others(study):
    """Not a word of it in any table or page; every row of another document as it was; the money adds up."""
    _, runner = await run_all(study, **SCRIPTS)
    before, spent = everything(study), cost(study, runner.run_id)
    assert any(PLANTED in row for rows in before.values() for row in rows)
    erasure = forget(study, doc_ids=("d1",))
    after = everything(study)
    left = [row for rows in after.values() for row in rows if "Zwetschge" in row or '"d1"' in row]

    assert left == []
    assert erasure.forgotten.documents == 1
    assert erasure.forgotten.replies > 2
    for name, rows in before.items():
        others = {row for row in rows if '"d1"' not in row and PLANTED not in row}
        others -= {row for row in others if name in ("attempts", "verdicts", "failures", "run_rows", "runs")}
        assert others <= set(after[name]), name
    assert cost(study, runner.run_id) == spent


async def test_a_resume_asks_nothing_of_a_forgotten_document(study):
    """Its row has no status and says why; the others are as they were."""
    first, _ = await run_all(study, **SCRIPTS)
    forget(study, doc_ids=("d1",))
    again, runner = await run_all(study)

    assert (again[1]["status"], again[1]["record"], again[1]["reasons"]) == (None, None, ["forgotten"])
    assert again[1]["doc_id"] == "d1"
    assert [again[n] for n in (0, 2, 3)] == [first[n] for n in (0, 2, 3)]
    assert runner.tally.calls == {}
    assert runner.progress.statuses["forgotten"] == 1


async def test_a_document_killed_before_its_outcome_is_not_asked_about_again(study):
    """Only replies were there: they go, and a mark keeps the run from taking the document up."""
    _, runner = await run_all(study, TEXTS[:1], cheap=record(), judge=ACCEPTS)
    log = open_run_log(study.state, ENV)
    await log.save_response(
        StoredResponse(key="k", kind="extract", model="m", text=PLANTED, run_id=runner.run_id, doc_id="d1")
    )
    log.close()
    forget(study, doc_ids=("d1",))
    again, resumed = await run_all(study, TEXTS[:2])

    assert not any("Zwetschge" in row for rows in everything(study).values() for row in rows)
    assert again[1]["reasons"] == ["forgotten"]
    assert resumed.tally.calls == {}


async def test_a_text_that_another_document_has_too_stays_with_that_one(study):
    """The reply stays as the other's; the repeating row keeps what it took over, and nothing is asked."""
    texts = [TEXTS[0], TEXTS[0], TEXTS[2]]
    first, _ = await run_all(study, texts, cheap=record(), judge=ACCEPTS)
    erasure = forget(study, doc_ids=("d0",))
    again, runner = await run_all(study, texts)

    assert erasure.forgotten.same_text == ["d1"]
    assert again[0]["reasons"] == ["forgotten"]
    assert again[1] == first[1]
    assert runner.tally.calls == {}


@pytest.mark.parametrize("by", ["run", "before"])
async def test_a_run_or_a_time_is_forgotten_whole(study, by):
    """All its documents, and no other run's."""
    _, old = await run_all(study, TEXTS[:2], **SCRIPTS)
    if by == "before":
        set_back(study)
    _, new = await run_all(study, TEXTS[2:], judged="always", cheap=record(), judge=ACCEPTS)
    what = {"run_ids": (old.run_id,)} if by == "run" else {"before": "2020-01-01T00:00:00+00:00"}
    erasure = forget(study, **what)
    log = open_run_log(study.state, ENV)
    try:
        assert erasure.forgotten.documents == 2
        assert list(log.run_outcomes(old.run_id)) == []
        assert len(list(log.run_outcomes(new.run_id))) == 2
        assert not any("speech number 0" in row["text"] for row in log.rows_of(tables.documents))
    finally:
        log.close()


async def test_what_a_rewriter_was_shown_of_it_goes_too(study):
    """A reply about no one document is emptied where it quotes the text, and only there."""
    await run_all(study, TEXTS[:2], cheap=record(), judge=ACCEPTS)
    log = open_run_log(study.state, ENV)
    shown = json.dumps([{"role": "user", "content": f"Failed on:\n\n> {PLANTED.upper()}"}])
    for key, asked in (("quotes", shown), ("not", json.dumps([{"role": "user", "content": "Rules only"}]))):
        await log.save_response(StoredResponse(key=key, kind="improve", model="m", text="rules", asked=asked))
    log.close()
    forget(study, doc_ids=("d1",))
    left = {row for row in everything(study)["responses"] if '"improve"' in row}

    assert not any("ZWETSCHGE" in row for row in left)
    assert sum('"asked": "[]"' in row for row in left) == 1
    assert sum("Rules only" in row for row in left) == 1


async def test_the_reports_that_show_it_go_and_are_written_anew_without_it(tmp_path):
    """And the file itself, byte by byte, holds nothing of it."""
    project = Project(ROOT, tmp_path / ".cupel")
    _, runner = await run_all(project, **SCRIPTS)
    page = write_run_report(project, runner.run_id, runner.told)
    other = page.with_name("compare-x.html")
    other.write_text(f"<p>{PLANTED.replace(' ', ' <i></i>')}</p>")
    unrelated = page.with_name("compare-y.html")
    unrelated.write_text("<p>about other things altogether</p>")
    details, half_kept = (
        project.state / "trouble" / "20260501-120000-7.txt",
        project.state / "unsaved-1-2.part",
    )
    details.parent.mkdir()
    for path in (details, half_kept):
        path.write_text(f"ValueError: no such thing in {PLANTED}")
    drawn = [project.state / "charts" / run / "evidence.svg" for run in (runner.run_id, "another")]
    for path in drawn:
        path.parent.mkdir(parents=True)
        path.write_text("<svg><text>a</text><text>word</text></svg>")
    erasure = forget(project, doc_ids=("d1",))

    assert set(erasure.pages) == {page, other, details, half_kept, drawn[0]}
    assert drawn[1].exists()
    assert not page.exists()
    assert unrelated.exists()
    again, _ = rewrite_run_report(project, runner.run_id)
    assert "Zwetschge" not in again.read_text()
    for path in project.state.rglob("*"):
        if path.is_file():
            assert b"Zwetschge" not in path.read_bytes(), path


async def test_files_of_ones_own_that_hold_it_are_named_wherever_they_are(tmp_path):
    """Outputs of the run, a table of another command that quotes it, a damaged run log that was put aside."""
    project = Project(ROOT, tmp_path / ".cupel")
    _, runner = await run_all(project, **SCRIPTS)
    written = {"rows.csv": runner.run_id, "compared.csv": "compare-1", "others.csv": "another"}
    for name, run_id in written.items():
        (tmp_path / name).write_text("of other people" if run_id == "another" else PLANTED)
        Output(path=tmp_path / name, state=project.state, run_id=run_id, task="arguments").note(1, 1)
    aside = project.state / "runlog.damaged-20260501-120000.sqlite"
    aside.write_bytes(b"SQLite format 3")
    erasure = forget(project, doc_ids=("d1",))

    assert erasure.yours == sorted([tmp_path / "compared.csv", tmp_path / "rows.csv", aside])


async def test_what_is_in_a_batch_at_a_provider_is_collected_first(study):
    """Nothing is touched, and the sentence names the run."""
    await run_all(study, TEXTS[:2], cheap=record(), judge=ACCEPTS)
    log = open_run_log(study.state, ENV)
    await log.transact(
        lambda connection: connection.execute(
            tables.batch_requests.insert().values(
                key="b", run_id="abc", job_id="j", state="sent", tries=0, model="m", kind="extract", doc_id="d1",
                asked="[]", body="{}", usd=0.0, created_at="2026-01-01",
            )
        ).rowcount
    )  # fmt: skip
    log.close()
    before = everything(study)
    with pytest.raises(RunLogError, match="run abc is still at its provider"):
        forget(study, doc_ids=("d1",))
    assert everything(study) == before


async def test_what_is_not_there_is_said(study):
    """Neither an unknown id nor one that was forgotten already passes in silence."""
    await run_all(study, TEXTS[:2], cheap=record(), judge=ACCEPTS)
    with pytest.raises(InputError, match="holds nothing of that"):
        forget(study, doc_ids=("d7",))
    forget(study, doc_ids=("d1",))
    with pytest.raises(InputError, match="holds nothing of that"):
        forget(study, doc_ids=("d1",))


class TestThreadsOfTheServer:
    """What `langgraph dev` keeps in the project's folder."""

    @pytest.fixture
    def folder(self, tmp_path):
        """Files as the server writes them: three documents on three threads, one of them twice."""
        self.threads = [uuid.uuid4() for _ in range(3)]
        kept = tmp_path / ".langgraph_api"
        kept.mkdir()
        ops = PersistentDict(filename=str(kept / ".langgraph_ops.pckl"))
        ops["threads"] = [
            {"thread_id": thread, "values": {"doc_id": f"d{n}"}, "created_at": datetime.now(UTC)}
            for n, thread in enumerate(self.threads)
        ]
        ops["runs"] = [
            {
                "run_id": uuid.uuid4(),
                "thread_id": thread,
                "kwargs": {"input": {"doc_id": f"d{n}"}, "call": uuid.uuid4},
            }
            for n, thread in enumerate(self.threads)
        ]
        ops["runs"].append(
            {"run_id": uuid.uuid4(), "thread_id": self.threads[0], "kwargs": {"input": {"doc_id": "d1"}}}
        )
        blobs = PersistentDict(filename=str(kept / ".langgraph_checkpoint.3.pckl"))
        for thread in self.threads:
            blobs[(str(thread), "", "text", 1)] = ("msgpack", b"\xa5words")
        for store in (ops, blobs):
            store.sync()
        return tmp_path

    def age(self, folder):
        """Let the files be old: no server is running."""
        for path in (folder / ".langgraph_api").iterdir():
            os.utime(path, (time.time() - 60, time.time() - 60))

    def test_every_thread_that_ever_had_the_document_goes_and_no_other(self, folder):
        """Also one that has another document by now; the rest is as the server wrote it."""
        self.age(folder)
        assert forget_threads(folder, ["d1"], []) == 2
        ops = pickle.loads((folder / ".langgraph_api" / ".langgraph_ops.pckl").read_bytes())
        blobs = pickle.loads((folder / ".langgraph_api" / ".langgraph_checkpoint.3.pckl").read_bytes())

        assert [row["thread_id"] for row in ops["threads"]] == [self.threads[2]]
        assert [row["kwargs"]["call"] for row in ops["runs"]] == [uuid.uuid4]
        assert [key[0] for key in blobs] == [str(self.threads[2])]

    def test_while_a_server_runs_nothing_is_touched(self, folder):
        """It would write its threads again."""
        with pytest.raises(UsageError, match="a server is running here"):
            forget_threads(folder, ["d1"], [])

    def test_a_file_that_runs_something_when_read_is_not_run(self, tmp_path):
        """A foreign pickle is a sentence, never a command."""
        kept = tmp_path / ".langgraph_api"
        kept.mkdir()
        target = tmp_path / "ran"
        (kept / "x.pckl").write_bytes(b"cos\nsystem\n(S'touch " + str(target).encode() + b"'\ntR.")
        with pytest.raises(UsageError, match="cannot be read"):
            forget_threads(tmp_path, ["d1"], [])
        assert not target.exists()


def cost(project, run_id):
    """What the run log says a run has cost."""
    log = open_run_log(project.state, ENV)
    try:
        with log.reading() as connection:
            rows = connection.execute(
                select(tables.responses.c.cost_usd, tables.responses.c.input_tokens)
            ).all()
        return sorted((row[0] or 0.0, row[1]) for row in rows)
    finally:
        log.close()


def set_back(project):
    """Let everything so far have happened long ago."""
    log = open_run_log(project.state, ENV)
    with log.engine.begin() as connection:
        connection.execute(tables.outcomes.update().values(finished_at="2019-01-01T00:00:00+00:00"))
        connection.execute(tables.responses.update().values(created_at="2019-01-01T00:00:00+00:00"))
    log.close()
