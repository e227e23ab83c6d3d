"""diagnose: causes in words that hold no document."""

from nodes.collect import collect
from nodes.diagnose import diagnose


async def test_failures_become_causes_and_no_speech_is_told(walk):
    """One cause on every hard speech; what a rewriter may cite is named with its document."""
    await walk.step(collect)
    update = await walk.step(diagnose)

    (cause,) = update["causes"]
    assert cause["documents"] == len(walk.state["failed_docs"])
    assert set(update["shown"].values()) <= set(walk.state["failed_docs"])
    assert all(failure in update["told"] for failure in update["shown"])
    assert "village number" not in update["told"]
    assert walk.entries()[-1][1] == f"{walk.state['campaign']}:diagnosis"


async def test_without_failures_there_is_no_cause(walk):
    """As with a person's own candidate, which is tested all the same."""
    update = await walk.step(diagnose)

    assert (update["causes"], update["told"], update["shown"]) == ([], "", {})
