"""A campaign is the same one at every step, and nobody else works on its task meanwhile."""

import pytest

from cupel.errors import RunBusyError, SettingError, UsageError
from cupel.improvement import campaign as campaigns
from cupel.improvement.campaign import hold_task
from cupel.improvement.ledger import Ledger
from tests.integration.improvement import TASK, speeches, write


async def test_its_name_hangs_on_all_that_decides_it_and_on_nothing_else(walk):
    """Another seed is another campaign; more money is the same one."""
    names = []
    for change in ({}, {"max_usd": 2.0}, {"seed": 1}):
        walk.state |= change
        async with walk.opened() as campaign:
            names.append(campaign.name)

    assert names[0] == names[1] != names[2]


async def test_documents_are_scored_by_the_metric_unless_asked_for_right_or_wrong(walk):
    """Any third word is refused."""
    metrics = []
    for metric in ("", "graded", "right"):
        walk.state["gate_metric"] = metric
        async with walk.opened() as campaign:
            metrics.append(campaign.metric)
            assert campaign.confirmation == campaign.trial

    assert metrics == ["gold:stance", "gold:stance", f"gold:stance ≥ {campaign.task.wrong_below:g}"]
    walk.state["gate_metric"] = "odd"
    with pytest.raises(SettingError, match="gate_metric='odd': use graded or right"):
        async with walk.opened():
            pass


async def test_without_gold_other_judges_decide_than_those_who_tune(walk):
    """The jury sits at the gate alone."""
    write(walk.project.folder / "speeches.jsonl", speeches(10, gold=False))
    walk.context = walk.context.model_copy(update={"judge": "always", "jury_models": ("scripted:juror",)})
    walk.state["gate_judge"] = "scripted:gate"
    async with walk.opened() as campaign:
        assert campaign.trial.judge_model == "scripted:judge"
        assert campaign.trial.jury_models == ()
        assert campaign.confirmation.judge_model == "scripted:gate"
        assert campaign.confirmation.jury_models == ("scripted:juror",)
        assert campaign.metric == "judge:scripted:gate+scripted:juror"


async def test_a_prompt_changed_meanwhile_ends_it_and_frees_its_task(walk):
    """Its figures are about a prompt that is no more."""
    walk.state["version"] = "0123456789ab"
    for _ in range(2):
        with pytest.raises(
            UsageError, match=r"this campaign began at 0123456789ab: it was changed meanwhile"
        ):
            async with walk.opened():
                pass


async def test_a_task_is_held_from_step_to_step_and_a_moment_longer(tmp_path, monkeypatch):
    """By its campaign: another one of this process is refused, and so is another process."""
    monkeypatch.setattr(campaigns, "LINGER_S", 0.05)
    ledger = Ledger(f"sqlite:///{tmp_path / 'runlog.sqlite'}")
    for _ in range(2):
        async with hold_task(ledger, TASK, "one"), hold_task(ledger, TASK, "one"):
            pass
        with pytest.raises(RunBusyError, match="by campaign one of this process"):
            async with hold_task(ledger, TASK, "another"):
                pass
        with (
            pytest.raises(RunBusyError, match="work on task 'stance' is going on already: process"),
            ledger.session(TASK),
        ):
            pass

    with ledger.session(TASK, wait_s=5):
        pass


async def test_after_a_failure_and_after_the_last_step_a_task_is_free_at_once(tmp_path):
    """Who broke off or is done holds nothing."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'runlog.sqlite'}")
    with pytest.raises(ZeroDivisionError):
        async with hold_task(ledger, TASK, "one"):
            raise ZeroDivisionError
    async with hold_task(ledger, TASK, "two", last=True):
        pass
    with ledger.session(TASK):
        pass
