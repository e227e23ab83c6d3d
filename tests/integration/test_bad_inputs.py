"""What a client gets wrong is answered with a sentence that says what to do."""

from __future__ import annotations

import pytest

from cupel.errors import TaskError, tell_client
from tests.integration.bad_inputs import INPUTS, SETTINGS, unfit_for_a_client
from tests.integration.cascade import ACCEPTS, TEXT, record
from tests.integration.threads import Thread, answering, kept

pytestmark = pytest.mark.usefixtures("runtime")


@pytest.mark.parametrize("name", [*INPUTS, *SETTINGS])
async def test_a_bad_input_is_an_outcome_with_a_sentence(project, name):
    """It names the field, its value and what to give instead; no folder, no option, no Python."""
    given, said = INPUTS.get(name) or ({"text": TEXT}, SETTINGS[name][1])
    thread = Thread(kept(project))
    with answering(cheap=record(), judge=ACCEPTS):
        outcome = await thread.run(given, **(SETTINGS[name][0] if name in SETTINGS else {}))

    assert outcome["status"] == "failed"
    assert said in outcome["reasons"][0]
    assert unfit_for_a_client(outcome["reasons"][0]) == []
    assert outcome["path"] == ["prepare", "finish"]


async def test_a_good_input_after_a_bad_one_is_done(project):
    """Nothing of what was wrong is remembered."""
    thread = Thread(kept(project))
    with answering(cheap=record(), judge=ACCEPTS):
        await thread.run({"text": 12, "doc_id": 12, "meta": "x"}, cheap_modell="x")
        outcome = await thread.run({"text": TEXT})

    assert outcome["status"] == "accepted"


def test_folders_and_options_are_not_told_to_clients():
    """An address of the web and a field's path stay as they are."""
    error = TaskError(
        "{txt} is unknown; use --extract-prompt, or see https://x.org/a/b at /claims",
        path="/srv/a b/extract.md",
    )

    assert tell_client("~/x/y.toml, C:\\a\\b.md") == "y.toml, b.md"
    assert "/srv" not in tell_client(error)
    assert tell_client(error).endswith(
        "{txt} is unknown; use extract_prompt, or see https://x.org/a/b at /claims"
    )
