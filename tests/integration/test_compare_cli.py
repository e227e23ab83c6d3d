"""`cupel compare`: both orders, ties, and a page that shows what was judged."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cupel.cli._app import app
from cupel.testing.models import scripted
from tests.integration.improvement import GOOD_RULE, extractor, made_project, speeches, write


@pytest.fixture
def study(tmp_path, monkeypatch):
    made = made_project(tmp_path / "study")
    write(made.folder / "speeches.jsonl", speeches(8, gold=False))
    monkeypatch.chdir(made.folder)
    return made


def record(stance):
    """A model that always says the same."""
    return lambda messages, _schema: {**extractor(messages, None), "stance": stance}


def fair(messages, _schema):
    """Prefers the record in favour, wherever it stands."""
    first = messages[-1]["content"].split("<first>")[1].split("</first>")[0]
    return {
        "reasoning": "The speaker welcomes it <b>.",
        "better": "first" if '"favor"' in first else "second",
    }


def lazy(_messages, _schema):
    """Always prefers what it is shown first."""
    return {"reasoning": "It came first.", "better": "first"}


def compare(*args, **scripts):
    """The command with scripted models."""
    made = {
        "scripted:one": record("favor"),
        "scripted:two": record("none"),
        "scripted:judge": fair,
        **scripts,
    }
    with scripted(made):
        return CliRunner().invoke(
            app, ["compare", "speeches.jsonl", "--task", "stance", "--judge", "scripted:judge", *args]
        )


def test_the_better_model_wins_on_every_document(study):
    """The rate is told with its interval, with cost and time beside it."""
    result = compare("--a", "scripted:one", "--b", "scripted:two", "--json")

    assert result.exit_code == 0, result.exception
    told = json.loads(result.stdout)
    assert (told["a_better"], told["b_better"], told["win_rate"], told["ties"]) == (8, 0, 1.0, 0)
    assert told["a"]["cost_usd_per_document"] == 0.0


def test_a_judge_that_follows_the_order_prefers_nothing(study):
    """Each disagreement is a tie, and it is said how many there were."""
    result = compare("--a", "scripted:one", "--b", "scripted:two", "--json", **{"scripted:judge": lazy})

    told = json.loads(result.stdout)
    assert (told["ties"], told["judge_followed_the_order"], told["win_rate"]) == (8, 8, 0.5)


def test_two_versions_of_a_prompt_are_compared_with_one_model(study):
    """A rules file stands in for the folder's; equal records are a tie nobody is asked about."""
    rules = (study.prompts / "stance" / "rules.toml").read_text()
    (study.folder / "mine.toml").write_text(f'{rules}\n[[rules]]\nid = "mine"\ntext = "{GOOD_RULE}"\n')

    result = compare(
        "--a",
        "mine.toml",
        "--b",
        "active",
        "--cheap-model",
        "scripted:cheap",
        "--json",
        **{"scripted:cheap": extractor},
    )

    told = json.loads(result.stdout)
    assert (told["a_better"], told["ties"]) == (4, 4)


def test_the_page_shows_records_and_reasons_and_runs_nothing(study):
    """What a model wrote is text; no script, no request."""
    result = compare("--a", "scripted:one", "--b", "scripted:two", "--out", "page.html")

    page = (study.folder / "page.html").read_text()
    assert result.exit_code == 0, result.output
    assert "The speaker welcomes it &lt;b&gt;." in page
    assert page.count("<article>") == 8
    assert "<script" not in page
    assert "default-src &#x27;none&#x27;" in page


@pytest.mark.parametrize(
    ("sides", "why"),
    [
        (("scripted:one", "scripted:one"), "a and b are the same"),
        (("scripted:judge", "scripted:two"), "would judge its own records"),
        (("scripted:one", "abcdef123456"), "no version 'abcdef123456' of task 'stance'"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_asked(study, sides, why):
    """The error names what is wrong."""
    result = compare("--a", sides[0], "--b", sides[1])

    assert why in str(result.exception)
