"""Where a run stands, and what ends it."""

from cupel.errors import BudgetExceededError, InputError
from cupel.runs.progress import Progress, Stop, audits_of
from tests.unit.runs.stand_in import call, outcome


def audited(verdict):
    """An outcome whose accepted record a second judge looked at."""
    jury = {"why": "audit", "verdict": verdict, "jurors": [{"model": "a"}, {"model": "b"}]}
    return outcome("d", verdicts=[{"jury": jury, "calls": [call(kind="judge")], "model": "a"}])


def progress_of(*outcomes):
    """Progress after these outcomes."""
    progress = Progress()
    for each in outcomes:
        progress.note(each, reused=False)
    return progress


def test_every_outcome_is_counted_by_its_status_and_its_way():
    """An escalated document is one whose path leads through the strong model."""
    progress = progress_of(outcome("a"), outcome("b", status="failed", path=["prepare", "escalate"]))
    progress.note(outcome("c"), reused=True)

    assert progress.statuses == {"accepted": 2, "failed": 1}
    assert (progress.done, progress.escalated, progress.reused) == (3, 1, 1)


def test_the_false_pass_rate_is_what_second_judges_rejected():
    """Of two that were told apart one was rejected; a judge who could not tell counts for neither."""
    audits = audits_of(progress_of(*map(audited, ("accepted", "rejected", "unknown"))))

    assert (audits["audited"], audits["rejected"], audits["unknown"]) == (2, 1, 1)
    assert audits["false_pass_rate"] == 0.5
    assert audits["interval"][0] < 0.5 < audits["interval"][1]


def test_without_audits_there_is_no_rate():
    """A rate of nothing is not 0."""
    assert audits_of(progress_of(outcome("a"))) is None


def test_a_verdict_taken_over_from_another_row_is_not_audited_twice():
    """It is another row's, and counts there."""
    copied = {**audited("rejected"), "path": ["duplicate"]}

    assert audits_of(progress_of(copied)) is None


def test_the_first_error_ends_a_run_and_keeps_its_place():
    """What goes wrong afterwards follows from it."""
    stop = Stop()
    first = BudgetExceededError("the run may spend no more")
    stop.because_of(first)
    stop.because_of(InputError("a later one"))

    assert stop.requested
    assert stop.error is first
    assert not stop.interrupted


def test_an_interruption_is_no_error():
    """Ctrl-C stops a run that goes on with the same command."""
    stop = Stop()
    stop.interrupt()

    assert (stop.requested, stop.interrupted, stop.error) == (True, True, None)
