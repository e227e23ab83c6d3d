"""A prompt tried on development documents, by their ids alone."""

import pytest

from cupel.improvement.dev_trials import DevTrials
from cupel.improvement.versions import replace_prompt
from cupel.task.spec import Rule
from tests.integration.improvement import GOOD_RULE


async def test_rules_are_scored_on_documents_and_what_still_fails_is_told(walk):
    """A rule that helps mends the hard speech; without it the speech fails against its gold."""
    async with walk.opened() as campaign:
        trials = DevTrials(campaign, ["s0"], ["s1"])
        before = await trials.try_prompt(campaign.task, ["s0", "s1"])
        rules = (*campaign.task.rules, Rule("concession", GOOD_RULE))
        after = await trials.try_prompt(replace_prompt(campaign.task, rules), ["s0", "s1"])

    assert before.scores == {"s0": 0.0, "s1": 1.0}
    assert [(failure.doc_id, failure.criterion) for failure in before.failures] == [
        ("s0", "reference_stance")
    ]
    assert (after.scores, after.failures) == ({"s0": 1.0, "s1": 1.0}, ())
    assert trials.groups == {"s0": "d0", "s1": "d1"}


async def test_a_document_of_the_held_out_side_is_not_to_be_had(walk):
    """Whatever an engine asks for."""
    async with walk.opened() as campaign:
        with pytest.raises(ValueError, match=r"not of the development side: \['s9'\]"):
            await DevTrials(campaign, ["s0"], []).try_prompt(campaign.task, ["s0", "s9"])
