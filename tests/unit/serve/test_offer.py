"""What a server says it offers: what its owner allows, and no word of a prompt."""

from __future__ import annotations

import json
import shutil

from cupel.project import Project
from cupel.runs.server.offer import Offer
from cupel.serve.offer import make_offer
from cupel.serve.policy import Policy
from tests.conftest import ROOT, clone_project
from tests.outline import project_in

POLICY = Policy.model_validate(
    {
        "graphs": ["enrich"],
        "tasks": ["stance"],
        "profiles": ["offline"],
        "longest_text": 900,
        "caps": {"usd_per_request": 0.02},
    }
)


def test_a_caller_is_offered_what_the_owner_allows(tmp_path):
    """The task with its inputs, its identity and its schema; the first profile's models; the caps."""
    offer = make_offer(Project(ROOT, tmp_path), POLICY, {})

    assert offer["graphs"] == ["enrich"]
    assert [task["name"] for task in offer["tasks"]] == ["stance"]
    assert offer["tasks"][0]["inputs"] == ["topic"]
    assert len(offer["tasks"][0]["identity"]) == 12
    assert offer["models"] == {"cheap": "offline:baseline"}
    assert (offer["longest_text"], offer["usd_per_request"], offer["schemas"]) == (900, 0.02, False)


def test_without_a_policy_all_is_offered_and_nothing_is_capped(tmp_path):
    """As on one's own machine."""
    offer = make_offer(Project(ROOT, tmp_path), None, {"OPENAI_API_KEY": "sk-4711"})

    assert {"enrich", "improve", "compare"} <= set(offer["graphs"])
    assert {"arguments", "stance", "summary"} <= {task["name"] for task in offer["tasks"]}
    assert offer["usd_per_request"] is None
    assert offer["models"]["cheap"].startswith("openai:")
    assert "4711" not in json.dumps(offer)


def test_no_prompt_is_told_and_a_broken_task_is_not_offered(tmp_path):
    """A file that cannot be read costs its task and no other."""
    folder = clone_project(tmp_path / "study")
    shutil.copytree(folder / "prompts" / "stance", folder / "prompts" / "broken")
    (folder / "prompts" / "broken" / "schema.json").write_text("{")
    offer = make_offer(Project(folder, tmp_path), None, {})

    assert "broken" not in {task["name"] for task in offer["tasks"]}
    assert (folder / "prompts" / "stance" / "extract.md").read_text()[:200] not in json.dumps(offer)


def test_what_may_be_missing_is_offered_as_such(tmp_path):
    """Whoever reads rows by the offer asks for no column that is not needed."""
    project = project_in(tmp_path)
    told = json.loads(json.dumps(make_offer(project, None, {})))
    task = Offer.model_validate(told).task("outline", ["date"]).spec()

    assert (task.inputs, task.required_inputs) == (("date", "taxonomy", "topics"), ())
    assert task.asked_fields.keys() < task.fields.keys()
