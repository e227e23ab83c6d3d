"""Wrong and odd command lines and calls: each is an error that says what to do, or does what it says; no output is lost."""

from __future__ import annotations

import gzip
import json

import pandas as pd
import pytest
from typer.testing import CliRunner

import cupel
import cupel.errors
import cupel.project
from cupel.cli._app import app
from cupel.errors import CupelError
from tests.integration.cascade import ACCEPTS, TEXT, models, record

SCHEMA = {"type": "object", "properties": {"demand": {"type": "string"}}, "required": ["demand"]}
CHEAP = ["--cheap-model", "scripted:cheap", "--strong-model", "none"]
ALONE = [*CHEAP, "--judge", "never"]
JUDGED = [*CHEAP, "--judge-model", "scripted:judge"]
ONE_OFF = ["--schema", "schema.json"]
COMPARE = [
    "compare",
    "a.jsonl",
    "--a",
    "scripted:cheap",
    "--b",
    "scripted:strong",
    "--judge",
    "scripted:judge",
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A new user's folder, outside any project."""
    rows = [
        {"id": "s1", "text": TEXT, "topic": "housing"},
        {"id": "s2", "text": f"{TEXT} Again.", "topic": "tax"},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "my files").mkdir()
    (tmp_path / "my files" / "a.jsonl").write_text(lines.replace("housing", "rent"))
    (tmp_path / "excel.csv").write_bytes(
        b"\xef\xbb\xbf" + pd.DataFrame(rows).to_csv(index=False, sep=";").replace("\n", "\r\n").encode()
    )
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "list.json").write_text("[]")
    monkeypatch.chdir(tmp_path)
    for name in ("GROQ_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY", "CUPEL_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def fill(_messages, schema):
    """A record of whatever is asked for."""
    return {"demand": "rent"} if "demand" in schema["properties"] else record()


def command(*args):
    """A command with scripted models: how it ended, and what it said where it was refused."""
    with models(cheap=fill, strong=fill, judge=ACCEPTS):
        result = CliRunner().invoke(app, list(args))
    refused = isinstance(result.exception, CupelError)
    return result, str(result.exception) if refused else result.output


REFUSED = [
    # files that are none
    (["run", "my files", *ALONE], "is a folder; give one file"),
    (["run", "-", *ALONE], "standard input only once; write it to a file"),
    (["plan", "/dev/null", *ALONE], "write it to a file"),
    (["run", "a.jsonl", *ALONE, "--limits", "groq:*=rpm"], "or --limits: 'rpm' in 'groq:*=rpm'"),
    (["plan", "a.jsonl", *ALONE, "--limits", "groq:*=rpm"], "or --limits: 'rpm' in 'groq:*=rpm'"),
    # what a plan reads as the run would
    (["plan", "a.jsonl", *ALONE, "--signals", "agreement"], "agreement_model"),
    (["plan", "a.jsonl", *ALONE, "--prerouter", "router.json"], "no strong model"),
    # a task, and a one-off task
    (["run", "a.jsonl", "--task", "arguments", *ONE_OFF, *ALONE], "leave --task out"),
    (["run", "a.jsonl", "--task", "arguments", "--instructions", "Demands.", *ALONE], "without --schema"),
    (["run", "a.jsonl", "--instructions", "Demands.", *ALONE], "without --schema"),
    (["plan", "a.jsonl", "--instructions", "Demands.", *ALONE], "without --schema"),
    (["plan", "a.jsonl", "--task", "stance", *ONE_OFF, *ALONE], "leave --task out"),
    (["run", "a.jsonl", "--schema", "list.json", *ALONE], "is a JSON object"),
    (["run", "a.jsonl", "--schema", "nowhere.json", *ALONE], "nowhere.json"),
    (["run", "a.jsonl", "--task", "argumnets", *ALONE], "did you mean 'arguments'"),
    # inputs
    (["run", "a.jsonl", "--task", "arguments", "--input", "topic", *ALONE], "takes no input 'topic'"),
    (["run", "a.jsonl", "--task", "stance", "--input", "topc=topic", *ALONE], "(inputs: topic)"),
    (["run", "a.jsonl", "--task", "stance", "--input", "=topic", *ALONE], "NAME=COLUMN"),
    (["run", "a.jsonl", "-t", "stance", "--input", "topic=topic", "--input", "topic=id", *ALONE], "two columns"),
    (["run", "a.jsonl", "-t", "stance", "--input", "topic=motion", *ALONE], "no column 'motion'"),
    (["run", "a.jsonl", *ONE_OFF, "--instructions", "About {{party}}.", *ALONE], "no column 'party'"),
    (["run", "a.jsonl", "--text-column", "speech", *ALONE], "--text-column"),
    (["run", "a.jsonl", "--id-column", "key", *ALONE], "--id-column"),
    # models no step would ask
    (["run", "a.jsonl", *ALONE, "--judge-model", "scripted:judge"], "judge='never'"),
    (["run", "a.jsonl", *ALONE, "--jury", "scripted:judge"], "judge='never'"),
    (["run", "a.jsonl", *ALONE, "--refiner-model", "scripted:refiner"], "judge='never'"),
    (["run", "a.jsonl", *ALONE, "--max-refinements", "1"], "judge='never'"),
    (["run", "a.jsonl", *JUDGED, "--max-refinements", "1"], "no refiner is attached"),
    (["run", "a.jsonl", *JUDGED, "--max-refinements", "0", "--refiner-model", "scripted:refiner"], "max_refinements=0"),
    (["run", "a.jsonl", *CHEAP, "--judge", "always"], "no judge is attached"),
    (["run", "a.jsonl", *ALONE, "--prerouter", "router.json"], "no strong model"),
    (["run", "a.jsonl", *ALONE[:2], "--strong-model", "scripted:cheap", "--judge", "never"], "is the cheap model"),
    (["run", "a.jsonl", *ALONE, "--agreement-model", "scripted:cheap"], "is the cheap model"),
    (["run", "a.jsonl", *ALONE, "--fallback-model", "scripted:cheap"], "stand in for itself"),
    (["run", "a.jsonl", *ALONE, "--profile", "offline", "--task", "arguments"], "every model of it is named"),
    (["run", "a.jsonl", *ALONE, "--task", "entities", "--output-language", "French"], "asks for a language"),
    (["run", "a.jsonl", *ALONE, "--signals", "agreement"], "agreement_model"),
    (["plan", "a.jsonl", *ALONE, "--judge-model", "scripted:judge"], "judge='never'"),
    # options that need another one
    (["run", "a.jsonl", *ALONE, "--packing-min", "0.9"], "without --packing"),
    (["run", "a.jsonl", *ALONE, "--batch-poll-s", "5"], "without --batch"),
    (["run", "a.jsonl", *ALONE, "--batch-documents", "5"], "without --batch"),
    (["run", "a.jsonl", *ALONE, "--scheduler", "tcp://127.0.0.1:1"], "--engine dask"),
    (["run", "a.jsonl", *ALONE, "--engine", "spark"], "local and dask"),
    (["failures", "--criterion", "complete"], "without --freeze"),
    (["failures", "--langsmith"], "without --freeze"),
    (["failures", "--prompt", "active"], "without --rerun"),
    (["failures", "--max-usd", "1"], "without --rerun"),
    (["failures", "--freeze", "x", "--rerun", "y.jsonl"], "with --freeze"),
    (["failures", "--freeze", "x", "--limit", "3"], "with --freeze"),
    (["failures", "--rerun", "y.jsonl", "--criterion", "complete"], "with --rerun"),
    (["show", "--prompts"], "without a document's id"),
    (["calibrate", "a.jsonl", "--pack-size", "3", "--yes"], "without --packing"),
    (["calibrate", "a.jsonl", "--packing", "--risk", "0.1", "--yes"], "with --packing"),
    (["improve", "a.jsonl", "--candidate", "mine.toml", "--rounds", "2"], "with --candidate"),
    ([*COMPARE, "--cheap-model", "scripted:x"], "would have no effect"),
    ([*COMPARE, "--input", "topic"], "takes no input"),
    ([*COMPARE, "--text-column", "speech"], "--text-column"),
    (["compare", "a.jsonl", "--a", "openai:x", "--b", "scripted:cheap", "--judge", "scripted:judge"], "OPENAI_API_KEY"),
    # outputs
    (["run", "a.jsonl", *ALONE, "--out", "a.jsonl"], "is the input itself"),
    (["run", "a.jsonl", *ALONE, "--out", "out.docx"], "choose one of"),
    (["run", "a.jsonl", *ALONE, "--out", "my files"], "my files"),
    (["run", "a.jsonl", *ALONE, "--out", "schema.json"], "--overwrite"),
    ([*COMPARE, "--out", "schema.json"], "--overwrite"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "says"), [pytest.param(*row, id=" ".join(row[0])) for row in REFUSED])
def test_a_command_that_means_nothing_is_refused_with_the_way_on(folder, args, says):
    """It ends before anything is asked, with what to change; no file is made or touched."""
    before = {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".cupel" not in path.parts
    }
    result, told = command(*args)

    after = {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".cupel" not in path.parts
    }
    assert isinstance(result.exception, CupelError), (result.exception, result.output)
    assert says in told
    assert after == before


def rows_of(path):
    """The rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_no_two_runs_write_into_one_file(folder):
    """Two folders, two one-off tasks, a task and its neighbour, plain and gzipped: every run has its own output."""
    (folder / "a.jsonl.gz").write_bytes(gzip.compress((folder / "a.jsonl").read_bytes()))
    told = [["a.jsonl"], ["my files/a.jsonl"], ["a.jsonl.gz"], ["a.jsonl", "--task", "summary"], ["excel.csv"],
            ["a.jsonl", *ONE_OFF], ["a.jsonl", *ONE_OFF, "--instructions", "Demands of tenants."]]  # fmt: skip
    outputs = []
    for args in told:
        result, said = command("run", *args, *ALONE, "--no-report", "--json")
        assert result.exit_code == 0, said
        outputs.append(json.loads(result.stdout)["output"])

    assert len(set(outputs)) == len(told)
    assert all((folder / name).is_file() for name in outputs)


def test_an_output_is_never_shortened_and_never_another_runs(folder):
    """The same command goes on; a limit, other settings and somebody's own file need --overwrite."""
    first = ["run", "a.jsonl", "--task", "arguments", *ALONE, "--no-report", "--out", "out.jsonl"]
    assert command(*first)[0].exit_code == 0
    whole = (folder / "out.jsonl").read_bytes()

    assert command(*first)[0].exit_code == 0
    assert "has 2 rows" in command(*first, "--limit", "1")[1]
    assert "another run" in command(*first, "--policy", "none")[1]
    assert (folder / "out.jsonl").read_bytes() == whole
    assert command(*first, "--limit", "1", "--overwrite")[0].exit_code == 0
    assert len(rows_of(folder / "out.jsonl")) == 1


def test_a_run_without_a_task_says_which_one_it_takes_and_what_it_will_cost(folder):
    """It is said on stderr, before anything is asked; stdout stays one object."""
    result, _ = command("run", "excel.csv", *ALONE, "--no-report", "--json")

    note = result.stderr.splitlines()[0]
    assert "no --task was named, so it is 'arguments' (Claims and premises) on 2 rows" in note
    assert json.loads(result.stdout)["documents"] == 2


def test_that_no_language_model_was_asked_is_said(folder):
    """On the terminal, in --json and in Python."""
    told = ["run", "a.jsonl", "--task", "arguments", "--profile", "offline", "--no-report"]
    said, as_json = command(*told)[1], json.loads(command(*told, "--json")[0].stdout)
    with pytest.warns(cupel.errors.OfflineWarning, match="no language model was asked"):
        cupel.enrich(pd.DataFrame({"text": [TEXT]}), "arguments", profile="offline")

    assert "no language model was asked" in " ".join(said.split())
    assert as_json["language_model"] is False
    assert any("no language model was asked" in note for note in as_json["notes"])


def test_inputs_of_a_one_off_task_reach_the_model(folder):
    """A column named with --input stands beside the document, and {{topic}} in the instructions is filled."""
    asked = []

    def answer(messages, schema):
        asked.append("\n".join(message["content"] for message in messages))
        return fill(messages, schema)

    told = [
        "run",
        "a.jsonl",
        *ONE_OFF,
        *ALONE,
        "--no-report",
        "--instructions",
        "What is demanded on {{topic}}?",
    ]
    with models(cheap=answer):
        assert CliRunner().invoke(app, told).exit_code == 0

    assert all("What is demanded on what stands between the topic tags?" in text for text in asked)
    assert {text.partition("<topic>")[2].partition("</topic>")[0] for text in asked} == {"housing", "tax"}


def test_an_input_no_prompt_shows_is_an_error_at_load(folder, tmp_path):
    """The column would be asked for, paid for and never sent."""
    assert command("init", "study")[0].exit_code == 0
    task = folder / "study" / "prompts" / "summary" / "task.toml"
    task.write_text(task.read_text().replace("inputs = []", 'inputs = ["motion"]'))

    with pytest.raises(CupelError, match=r"'motion' is shown by no prompt.*\{\{motion\}\}"):
        cupel.enrich(
            pd.DataFrame({"text": [TEXT], "motion": ["it"]}), "summary", inputs={"motion": "motion"},
            project=cupel.project.find_project(folder / "study"), cheap_model="scripted:cheap", judge="never",
        )  # fmt: skip


CALLS = [
    ({"task": "arguments", "schema": SCHEMA}, "two tasks"),
    ({"instructions": "Demands."}, "without --schema"),
    ({"task": "arguments", "inputs": {"topic": "topic"}}, "takes no input 'topic'"),
    ({"task": "arguments", "judge": "never", "judge_model": "scripted:judge"}, "judge='never'"),
    ({"task": "arguments", "judge": "never", "jury": "always"}, "judge='never'"),
    ({"task": "arguments", "judge_model": "scripted:judge", "jury": "always"}, "there is no jury"),
    ({"task": "arguments", "human_review": True}, "nobody to ask"),
    ({"task": "arguments", "advisory_judge": True}, "no judge is attached"),
    ({"task": "arguments", "refine_prompt": "# user\n{{document}}"}, "no refiner is attached"),
    ({"task": "stance", "inputs": {"topic": "topic"}, "extract_prompt": "# user\n{{document}}"}, "{{topic}}"),
    ({"task": "arguments", "max_refinement": 1}, "did you mean 'max_refinements'"),
    ({"task": "arguments", "text": "speech"}, "speech"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "says"), [pytest.param(*row, id=str(row[0])) for row in CALLS])
def test_a_call_that_means_nothing_is_refused_with_the_way_on(folder, told, says):
    """Python says what the command line says."""
    frame = pd.DataFrame({"text": [TEXT], "topic": ["housing"]})
    given = {"cheap_model": "scripted:cheap", "strong_model": "none", **told}

    with models(cheap=fill), pytest.raises(CupelError) as refused:
        cupel.enrich(frame, **given)
    assert says in str(refused.value)
