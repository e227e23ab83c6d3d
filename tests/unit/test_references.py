"""The documents hold to the code: references are fresh, variables are all named, links lead somewhere."""

from __future__ import annotations

import ast
import re

import pytest

from cupel.context import RunContext
from tests.conftest import ROOT, load_script

REFERENCE = ROOT / "docs" / "reference"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "evals").rglob("*.md")])
OURS = re.compile(r"(CUPEL|OPENAI|GROQ|OPENROUTER|LOCAL|LANGSMITH|LANGCHAIN|SSL|ARROW)(_[A-Z0-9]+)+")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
CODE_PATH = re.compile(r"`((?:cupel|nodes|graphs|prompts|evals|benchmarks|tests|docs)/[\w./-]*)(?: [^`]*)?`")
BUILT = {ROOT / "cupel" / "_starter"}
"""What only an installed package has."""


GENERATE = load_script(REFERENCE / "generate.py")


@pytest.mark.parametrize("name", sorted(GENERATE.PAGES))
def test_a_reference_says_what_the_code_says(name):
    """A command, an option or a setting that changes is in the reference with the same commit."""
    stale = f"docs/reference/{name} is stale: run {GENERATE.COMMAND}"
    assert (REFERENCE / name).read_text(encoding="utf-8") == GENERATE.PAGES[name](), stale


TASKS = load_script(REFERENCE / "tasks.py")


def test_the_page_of_tasks_says_what_their_folders_say():
    """A field, a figure or a card that changes is on the page with the same commit."""
    stale = f"docs/tasks.md is stale: run {TASKS.COMMAND}"
    assert TASKS.PAGE.read_text(encoding="utf-8") == TASKS.tasks_page(), stale


def variables_read():
    """Names of environment variables that stand in the package as constants, or are looked up in an `env`."""
    for path in (ROOT / "cupel").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Constant(value=str(name)) if OURS.fullmatch(name):
                    yield name
                case (
                    ast.Call(
                        func=ast.Attribute(value=mapping, attr="get"),
                        args=[ast.Constant(value=str(name)), *_],
                    )
                    | ast.Subscript(value=mapping, slice=ast.Constant(value=str(name)))
                    | ast.Compare(left=ast.Constant(value=str(name)), comparators=[mapping])
                ) if ast.unparse(mapping).split(".")[-1] in ("env", "_env", "environ"):
                    yield name


def test_every_variable_is_in_the_reference_and_only_those():
    """Nobody has to read the code to learn what a variable does; none is described that nothing reads."""
    settings = {f"CUPEL_{name.upper()}" for name in RunContext.model_fields}
    read = {re.sub("^LANGCHAIN_", "LANGSMITH_", name) for name in variables_read()} - settings
    described = {name for variables in GENERATE.VARIABLES.values() for name in variables}
    assert read == described, "set VARIABLES in docs/reference/generate.py right and run it"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_paths_of_a_document_lead_somewhere(path):
    """A file that moves takes along what is written about it."""
    text = path.read_text(encoding="utf-8")
    linked = {(path.parent / target.partition("#")[0]).resolve() for target in LINK.findall(text)}
    named = {ROOT / name for name in CODE_PATH.findall(text)}
    missing = sorted(
        str(target.relative_to(ROOT)) for target in (linked | named) - BUILT if not target.exists()
    )
    assert not missing, f"{path.relative_to(ROOT)} names what is not there: {', '.join(missing)}"


def test_every_decision_has_its_line_in_the_index():
    """Who asks why finds the page without opening them all."""
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    missing = [path.name for path in sorted(folder.glob("0*.md")) if f"]({path.name})" not in index]
    assert not missing, f"give it a line in docs/decisions/README.md: {', '.join(missing)}"
