"""Errors that are the row's, and errors that are the run's: exit 5 with what to mend, and nothing finished lost."""

from __future__ import annotations

import json

import pytest

from cupel.api import FileRun
from cupel.cli.run import run_file
from cupel.errors import ProviderRefusedError
from cupel.project import Project
from cupel.testing.provider import ScriptedProvider
from cupel.testing.replies import RawReply
from tests.integration.cascade import CLAIM, PREMISE, TEXT, record

REFUSED = RawReply(
    status=400,
    body={
        "error": {
            "message": "Invalid schema for response_format 'record': In context=('properties', 'claims', 'items', "
            "'properties', 'quote'), 'minLength' is not permitted.",
            "type": "invalid_request_error", "param": "response_format", "code": None,
        }
    },
)  # fmt: skip
TOO_LONG = RawReply(
    status=400,
    body={
        "error": {
            "message": "This model's maximum context length is 10 tokens.",
            "code": "context_length_exceeded",
        }
    },
)
UNKNOWN_PARAMETER = RawReply(status=400, body={"error": {"message": "Unsupported parameter: 'temperature'."}})

ALONE = {"strong_model": "none", "judge": "never", "cheap_model": "openai:m"}


@pytest.fixture
def folder(tmp_path, monkeypatch, project):
    """A folder of one's own, with a project around it that has a run log of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cupel.api.files.find_project", lambda: Project(project.folder, tmp_path / ".cupel"))
    return tmp_path


def rows(folder, number, start=0):
    """A file of so many speeches."""
    file = folder / "in.jsonl"
    speeches = [{"id": f"d{n}", "text": f"{TEXT} This is speech number {n}."} for n in range(start, number)]
    file.write_text("".join(json.dumps(speech) + "\n" for speech in speeches))
    return file


def run(folder, monkeypatch, answer, number=12, **more):
    """`cupel run --json` on so many rows; its exit code, the provider, and the rows written."""
    file = rows(folder, number)
    settings = ALONE | more.pop("settings", {})
    with ScriptedProvider(answer) as provider:
        for name, value in provider.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("CUPEL_ENDPOINT_NAME", "test")
        told = FileRun(
            file=file, out=folder / "out.jsonl", task="arguments", report=False, settings=settings,
            **({"concurrency": 2} | more),
        )  # fmt: skip
        code = run_file(told, as_json=True)
        written = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
        return code, provider.counts, written


def number_of(body):
    """Which of the speeches a request is about."""
    return int(body["messages"][-1]["content"].rpartition("number ")[2].split(".")[0])


def statuses(written):
    """What became of the rows."""
    return [row.get("arguments_status") for row in written]


def test_five_first_answers_that_refuse_the_schema_end_the_run_and_say_what_to_mend(
    folder, monkeypatch, capsys
):
    """Twelve rows, five requests or what was in flight with them; the field is named, and the way out."""
    code, counts, _ = run(folder, monkeypatch, lambda _: REFUSED)
    said = capsys.readouterr().err

    assert code == 5
    assert counts.requests <= 6
    assert "at the field claims.quote" in said
    assert 'CUPEL_CAPABILITIES="openai:m=json_object"' in said
    assert "0 of 12 rows are done; the same command goes on from here." in said


def test_the_same_command_goes_on_after_the_schema_is_taken(folder, monkeypatch, capsys):
    """Rows that only the refused schema failed are walked anew, without --retry-failed."""
    run(folder, monkeypatch, lambda _: REFUSED)
    code, counts, written = run(folder, monkeypatch, lambda _: record())

    assert code == 0
    assert statuses(written) == ["accepted"] * 12
    assert counts.requests == 12


def test_all_answers_are_enough_where_there_are_fewer_than_five(folder, monkeypatch, capsys):
    """A run of two rows ends so as well."""
    code, counts, _ = run(folder, monkeypatch, lambda _: REFUSED, number=2)

    assert code == 5
    assert counts.requests == 2
    assert "claims.quote" in capsys.readouterr().err


def test_a_schema_that_was_taken_once_is_no_fault_of_the_run(folder, monkeypatch, capsys):
    """One good answer among the first: what is refused later stays those rows' trouble."""
    code, _, written = run(
        folder, monkeypatch, lambda body: record() if number_of(body) == 0 else REFUSED, concurrency=1
    )

    assert code == 0
    assert statuses(written) == ["accepted"] + ["failed"] * 11


def test_a_judge_whose_schema_is_refused_ends_the_run_too(folder, monkeypatch, capsys):
    """The way out is not to change the task's schema: it is not the task's."""

    def answer(body):
        return (
            record()
            if "claims" in body["response_format"]["json_schema"]["schema"]["properties"]
            else REFUSED
        )

    code, _, _ = run(folder, monkeypatch, answer, settings={"judge": "always", "judge_model": "openai:judge"})
    said = capsys.readouterr().err

    assert code == 5
    assert "openai:judge: it refuses the schema of every judge request" in said
    assert "change the schema there" not in said


def test_a_key_that_is_refused_with_a_400_ends_the_run_at_the_first_answer(folder, monkeypatch, capsys):
    """XAI and Gemini say it so."""
    refused = RawReply(status=400, body=[{"error": {"code": 400, "message": "API key not valid."}}])
    code, counts, _ = run(folder, monkeypatch, lambda _: refused, concurrency=1)

    assert (code, counts.requests) == (5, 1)
    assert "check the key" in capsys.readouterr().err


def test_words_about_a_model_are_a_rows_trouble_once_it_has_answered(folder, monkeypatch, capsys):
    """A provider may repeat a document that speaks of models that do not exist."""
    echo = RawReply(status=400, body={"error": {"message": "cannot read: 'the model does not exist'"}})
    code, _, written = run(
        folder, monkeypatch, lambda body: echo if number_of(body) == 3 else record(), concurrency=1
    )

    assert code == 0
    assert statuses(written).count("failed") == 1


def test_every_row_failed_for_one_cause_of_the_providers(folder, monkeypatch, capsys):
    """Exit 5 and the cause in a sentence: nothing else would have made these rows fail alike."""
    code, _, written = run(folder, monkeypatch, lambda _: UNKNOWN_PARAMETER)
    said = capsys.readouterr().err

    assert code == 5
    assert statuses(written) == ["failed"] * 12
    assert "every row failed for one cause: openai:m: 400: Unsupported parameter: 'temperature'." in said
    assert "--retry-failed" in said


def test_documents_own_causes_keep_exit_0_and_the_commonest_is_printed(folder, monkeypatch, capsys):
    """All are too long, or all but one fail as one: no fault of the run."""
    code, _, written = run(folder, monkeypatch, lambda _: TOO_LONG)
    summary = json.loads(capsys.readouterr().out)

    assert (code, statuses(written)) == (0, ["failed"] * 12)
    assert summary["failures"]["rows"] == summary["failures"]["commonest"]["rows"] == 12
    assert "maximum context length" in summary["failures"]["commonest"]["reason"]

    code, _, _ = run(
        folder, monkeypatch, lambda body: UNKNOWN_PARAMETER if number_of(body) else record(), retry_failed=True
    )  # fmt: skip
    assert code == 0


async def test_python_is_told_of_the_common_fault_as_an_error(project, monkeypatch):
    """A frame without one record would say less."""
    import pandas as pd

    import cupel

    with ScriptedProvider(lambda _: UNKNOWN_PARAMETER) as provider:
        for name, value in provider.environment().items():
            monkeypatch.setenv(name, value)
        frame = pd.DataFrame({"text": [CLAIM, PREMISE]})
        with pytest.raises(ProviderRefusedError, match="every row failed for one cause"):
            await cupel.aenrich(frame, "arguments", project=project, **ALONE)
