"""The judge against people's labels and against spoiled records, with a scripted judge and no graph."""

from __future__ import annotations

import pytest

from cupel.errors import InputError
from cupel.evaluation.judge_check import against_people, cases_of_run, read_cases, verdicts_on
from cupel.evaluation.spoiled import judge_spoiled
from cupel.task.folder import load_task
from tests.unit.evaluation.study import CONTEXT, case
from tests.unit.report.factory import outcome, verdict

JUDGED = CONTEXT.model_copy(update={"judge": "always"})


async def report(task, cases):
    """How the scripted judge, which passes what is in favour, agrees with the labels of these cases."""
    return against_people(cases, await verdicts_on(cases, task, JUDGED))


async def test_a_judge_that_agrees_with_people_may_decide(task, models, runtime):
    """Forty records, all judged as people did."""
    cases = [case(n, good=n % 2 == 0, label=n % 2 == 0) for n in range(40)]
    agreement = (await report(task, cases)).verdict

    assert (agreement.n, agreement.tpr.value, agreement.tnr.value, agreement.kappa.value) == (
        40,
        1.0,
        1.0,
        1.0,
    )
    assert not agreement.advisory


async def test_a_judge_at_chance_is_advisory_and_it_says_why(task, models, runtime):
    """People's labels have nothing to do with what it finds."""
    cases = [case(n, good=n % 2 == 0, label=n % 4 < 2) for n in range(40)]
    agreement = (await report(task, cases)).verdict

    assert agreement.advisory
    assert "below 0.4" in agreement.why


async def test_criteria_are_compared_one_by_one(task, models, runtime):
    """A label may be about one criterion only."""
    cases = [case(n, good=n % 2 == 0, labels={"reason_true": n % 2 == 0}) for n in range(20)]
    found = await report(task, cases)

    assert found.verdict is None
    assert {name: agreement.n for name, agreement in found.criteria.items()} == {"reason_true": 20}


async def test_every_record_is_spoiled_in_every_way_and_judged(task, models, runtime):
    """Code catches an invented quote; the judge, which only looks at the stance, catches no false reason."""
    told = await judge_spoiled([case(1), case(2)], task, JUDGED)
    rows, every = told.rows, told.every
    by_name = {row.name: row for row in rows}

    assert by_name["unchanged"].missed == 2
    assert by_name["quote_faked"].caught_by_code == 2
    assert {item.doc_id for item in every} == {"r1", "r2"}
    assert sum(row.missed + row.caught_by_code + row.caught_by_judge + row.unknown for row in rows) == len(
        every
    )


def verdicts_like(cases):
    """The verdicts of a judge that says what people say."""
    return [verdict(verdict="accepted" if one.label else "rejected", findings=[]) for one in cases]


def audit(n, *, rejects):
    """A verdict the judge gave, with the audit of a second one."""
    said = "rejected" if rejects else "accepted"
    jurors = [{"model": "scripted:judge"}, {"model": "scripted:auditor"}]
    jury = {"why": "audit", "verdict": said, "agreed": not rejects, "jurors": jurors}
    return outcome(doc_id=f"s{n}", verdicts=[verdict(verdict="accepted", jury=jury)])


def test_the_false_pass_rate_of_a_run_is_corrected_for_its_auditors_mistakes():
    """A quarter of the audited acceptances were rejected, by an auditor that agrees with people."""
    cases = [case(n, label=n % 2 == 0) for n in range(60)]
    run = [audit(n, rejects=n % 4 == 0) for n in range(40)]
    found = against_people(cases, verdicts_like(cases), run, judge="scripted:auditor")

    assert (found.false_pass.audited, found.false_pass.rate) == (40, 0.25)
    assert found.false_pass_corrected.value == pytest.approx(0.25)
    assert found.false_pass_corrected.interval.low < 0.25 < found.false_pass_corrected.interval.high
    assert found.pass_rate is None


def test_the_pass_rate_of_a_run_is_corrected_for_its_judges_mistakes():
    """A judge that audited nothing there is taken for the run's own; what it did not decide is in no rate."""
    cases = [case(n, label=n % 2 == 0) for n in range(60)]
    said = ["accepted"] * 6 + ["rejected"] * 2 + ["unknown"]
    run = [*(outcome(verdicts=[verdict(verdict=name)]) for name in said), outcome()]
    found = against_people(cases, verdicts_like(cases), run, judge="scripted:judge")

    assert (found.passed, found.decided) == (6, 8)
    assert found.pass_rate.value == pytest.approx(0.75)


def test_labelled_records_are_read_line_by_line(study, task):
    """A label may be a word or a truth value; documents of one debate hang together."""
    path = study.folder / "labels.jsonl"
    line = '{"text": "a", "record": {}, "label": true, "labels": {"reason_true": "Fail"}, "meta": {"debate": "d", "topic": "it"}}'
    path.write_text(f'{line}\n\n{{"id": 7, "text": "b", "record": {{}}, "label": "no"}}\n')
    first, second = read_cases(path, task).cases

    assert (first.doc_id, first.group, first.inputs, first.label) == (f"{path}:1", "d", {"topic": "it"}, True)
    assert first.labels == {"reason_true": False}
    assert (second.doc_id, second.group, second.label) == ("7", "7", False)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", r"labels\.jsonl: holds no rows"),
        ("{", r"labels.jsonl: line 1"),
        ('{"text": "a", "record": {}}', "1 line has no gold or label: left out"),
        ('{"text": "a", "record": {}, "label": "maybe"}', "neither pass nor fail"),
        ('{"text": "a", "record": {}, "labels": {"beauty": "pass"}}', "no criterion 'beauty'; stance has"),
    ],
)
def test_a_line_that_is_no_label_is_named(study, task, line, why):
    """The error says what a label would take."""
    path = study.folder / "labels.jsonl"
    path.write_text(line + "\n")

    with pytest.raises(InputError, match=why):
        read_cases(path, task)


def test_a_runs_accepted_records_are_what_is_spoiled(study, task):
    """Where none was accepted all records are taken; a task with further inputs needs a file that has them."""
    arguments = load_task("arguments", study.prompts)
    rows = [
        (n, outcome(doc_id=f"d{n}", status=status), "text")
        for n, status in enumerate(("failed", "accepted", "accepted"))
    ]
    rows.append((3, outcome(doc_id="none", record=None), "text"))

    assert [one.doc_id for one in cases_of_run(rows, arguments)] == ["d1", "d2"]
    assert [one.doc_id for one in cases_of_run(rows, arguments, 1)] == ["d1"]
    assert [one.doc_id for one in cases_of_run(rows[:1], arguments)] == ["d0"]
    with pytest.raises(InputError, match="task 'stance' needs topic, which the run log does not hold"):
        cases_of_run(rows, task)
