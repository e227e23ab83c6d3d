"""A project's `.env`: read by the command line too, and beaten by whatever is set."""

from __future__ import annotations

import os
import sys

import pytest

from cupel.api.doctor_checks import environment_file
from cupel.cli import main
from cupel.cli._env import read_beside, read_environment
from cupel.errors import ProjectError
from cupel.project import Project, find_project, read_by_project


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A project folder with a `.env`."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "langgraph.json").write_text('{"graphs": {}, "env": ".env"}')
    (tmp_path / ".env").write_text('# keys\nexport GROQ_API_KEY="gsk one"\nCUPEL_JUDGE=never\nEMPTY\n')
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path, tmp_path / ".cupel")


def test_what_is_set_stands_and_the_rest_comes_from_the_file(study):
    """Comments, quotes, `export` and a name without a value are read as they are meant."""
    env = {"CUPEL_JUDGE": "always"}
    read_environment(env)

    assert env == {"CUPEL_JUDGE": "always", "GROQ_API_KEY": "gsk one"}


def test_a_folder_below_reads_the_projects_file_and_one_outside_reads_none(
    study, tmp_path_factory, monkeypatch
):
    """A `.env` that lies about elsewhere is not the project's."""
    below = study.folder / "data"
    below.mkdir()
    (below / ".env").write_text("CUPEL_JUDGE=always\n")
    monkeypatch.chdir(below)
    assert read_by_project(find_project())["CUPEL_JUDGE"] == "never"

    outside = tmp_path_factory.mktemp("outside")
    (outside / ".env").write_text("CUPEL_JUDGE=always\n")
    monkeypatch.chdir(outside)
    assert read_by_project(find_project()) == {}


def test_one_beside_the_documents_is_read_and_named(tmp_path, monkeypatch, capsys):
    """The names are told on stderr, never a value; what is set stands and is not named."""
    (tmp_path / ".env").write_text("CUPEL_JUDGE=never\nOTHER_KEY=secret\n")
    monkeypatch.setenv("CUPEL_JUDGE", "always")
    monkeypatch.setenv("OTHER_KEY", "to be put back")
    del os.environ["OTHER_KEY"]

    read_beside(tmp_path / "speeches.csv")

    said = capsys.readouterr()
    assert (os.environ["OTHER_KEY"], os.environ["CUPEL_JUDGE"]) == ("secret", "always")
    assert said.err == f"note: read {tmp_path / '.env'} (OTHER_KEY)\n"
    assert said.out == ""


def test_one_that_is_no_text_is_an_error_that_names_it(tmp_path):
    """The file and what it should be are told."""
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00K")

    with pytest.raises(ProjectError, match=r"\.env: cannot be read"):
        read_beside(tmp_path / "speeches.csv")


@pytest.mark.parametrize(("told", "read"), [('{"env": {"A": 1}}', {"A": "1"}), ("{", {}), ('{"env": 3}', {})])
def test_variables_may_stand_in_langgraph_json_itself(study, told, read):
    """Variables are read there as the server reads them; a broken file is another command's to complain about."""
    (study.folder / "langgraph.json").write_text(told)

    assert read_by_project(study) == read


def test_doctor_names_the_variables_and_never_their_values(study):
    """What is set elsewhere is told apart."""
    told = [
        check.what for check in environment_file(study, {"GROQ_API_KEY": "other", "CUPEL_JUDGE": "never"})
    ]

    assert told == [".env: CUPEL_JUDGE, GROQ_API_KEY", "set elsewhere, which stands: GROQ_API_KEY"]


def test_the_command_line_reads_it(study, monkeypatch):
    """It is read before any command runs."""
    for name in ("CUPEL_JUDGE", "GROQ_API_KEY"):
        monkeypatch.setenv(name, "to be put back")
        del os.environ[name]
    monkeypatch.setattr(sys, "argv", ["cupel", "--version"])

    with pytest.raises(SystemExit):
        main()
    assert os.environ["GROQ_API_KEY"] == "gsk one"
