"""A person's edit of a nominee: a new version, held to the guards, that must pass the gate itself."""

from __future__ import annotations

import asyncio

from cupel.errors import TaskError
from cupel.improvement.campaign import Campaign
from cupel.improvement.candidates import candidate_by_hand
from cupel.improvement.versions import as_version, replace_prompt, rules_of
from cupel.state import Candidate, Edited
from cupel.task import TaskSpec, parse_rules


def apply_edit(campaign: Campaign, nominee: Candidate, edited: Edited) -> TaskSpec | str:
    """The task as the person would have it, what they left alone as in the nominee; or what cannot be read."""
    text = edited["rules"]
    try:
        rules = rules_of(nominee["rules"]) if text is None else parse_rules(text, "your edit")
    except TaskError as error:
        return str(error)
    # labels and examples are the nominee's: a form has rules and contract alone
    return replace_prompt(as_version(campaign.task, nominee), rules, edited["extract"] or nominee["extract"])


async def guard_edit(campaign: Campaign, nominee: Candidate, task: TaskSpec) -> Candidate | str:
    """A candidate that passed the guards, noted in the ledger; or why there is none."""
    candidate, problem = await asyncio.to_thread(candidate_by_hand, campaign, task, "your edit")
    if candidate is None:
        return problem
    if candidate["version"] == nominee["version"]:
        return "your edit says what the nominee says already"
    candidate["edited_from"] = nominee["version"]
    await campaign.note("version", candidate["version"], dict(candidate))
    return candidate
