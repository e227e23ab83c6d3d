"""serve.toml: what it allows, what it is refused for, and that the default is no."""

from __future__ import annotations

import tomllib

import pytest

from cupel.errors import SettingError
from cupel.serve.policy import Policy, read_policy, weak_points
from cupel.serve.refusal import FORMS, refuse
from tests.conftest import ROOT
from tests.unit.serve.conftest import POLICY


def test_without_a_file_there_is_no_policy_and_with_an_empty_one_nothing_is_allowed(study):
    """The default is no: an empty file closes every graph."""
    assert read_policy(study) is None

    (study.folder / "serve.toml").write_text("")
    empty = read_policy(study)

    assert empty == Policy()
    for graph in FORMS:
        assert refuse(empty, graph, {"text": "a"}, {}).status == 403


def test_a_policy_is_read_whole(study):
    """Tasks, models of profiles and by name, and caps."""
    (study.folder / "serve.toml").write_text(POLICY + '[files]\nspeeches = "evals/speeches.jsonl"\n')

    policy = read_policy(study, {})

    assert policy.models_allowed({}) == {"openai:cheap", "offline:baseline"}
    assert (policy.caps.usd_per_key, policy.caps.documents_per_request) == (1.0, 1)
    assert policy.files == {"speeches": "evals/speeches.jsonl"}


WRONG = {
    "no TOML": ("tasks = [", "serve.toml: cannot be read"),
    "an unknown entry": ("task = []", "task: there is no such entry; there are graphs, tasks"),
    "an unknown inner entry": ("[caps]\nusd = 1", "caps.usd: there is no such entry; there are usd_per_request"),
    "another kind": ("longest_text = 'x'", "longest_text is 'x'"),
    "out of range": ("[caps]\nusd_per_day = -1", "caps.usd_per_day is -1"),
    "no such task": ('tasks = ["stanc"]', "tasks: there is no 'stanc'; there are arguments"),
    "no such graph": ('graphs = ["enrich2"]', "graphs: there is no 'enrich2'; there are enrich, improve, compare"),
    "no such profile": ('profiles = ["auto"]', "profiles: there is no 'auto'; there are groq"),
    "no model": ('models = ["gpt"]', "gpt"),
    "a file elsewhere": ('[files]\na = "../../etc/passwd"', "files.a: '../../etc/passwd' is no file of the project"),
    "a file that is not there": ('[files]\na = "x.jsonl"', "files.a: 'x.jsonl' is no file of the project"),
    "a name that is a path": ('[files]\n"a/b" = "evals/speeches.jsonl"', "'a/b' is no name"),
    "a webhook without a host": ('[requests]\nwebhooks = ["https://"]', "is no beginning of an address"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_a_policy_that_is_wrong_names_file_entry_and_what_is_valid(study, text, said):
    """Nothing of it is guessed: a server with such a file does not start."""
    (study.folder / "serve.toml").write_text(text)

    with pytest.raises(SettingError) as refused:
        read_policy(study, {})

    assert str(study.folder / "serve.toml") in str(refused.value)
    assert said in str(refused.value)


def test_an_owner_is_told_what_leaves_callers_with_nothing():
    """Caps of 0, models without a price, and what campaigns of callers change."""
    said = weak_points(
        Policy.model_validate({"models": ["openai:nobody-knows"], "requests": {"improve": True}}), {}
    )

    for part in (
        "tasks is empty",
        "caps.documents_per_day is 0",
        "the price of openai:nobody-knows",
        "campaigns",
    ):
        assert any(part in line for line in said), part


def test_the_policy_on_the_page_is_one():
    """Who copies it from docs/reference/serve.md has a file that is read."""
    page = (ROOT / "docs" / "reference" / "serve.md").read_text()
    policy = Policy.model_validate(tomllib.loads(page.split("```toml")[1].split("```")[0]))

    assert policy.caps.documents_per_day == 10_000
