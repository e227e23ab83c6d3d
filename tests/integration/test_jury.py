"""Several judges through the real enrich graph: in doubt, always, and in audits that estimate what passes wrongly."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cupel.context import RunContext, run_context
from cupel.errors import SettingError
from cupel.judging.jury import audits_of, false_pass_rate
from cupel.models.errors import ProviderCallError
from cupel.models.profiles import check_models, resolve_models
from cupel.report.page import write_report
from cupel.report.summary import DocumentEntry, Totals
from cupel.report.text import document_trail
from cupel.runlog.rows import failure_rows
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from cupel.testing.models import scripted
from tests.integration.cascade import (
    ACCEPTS,
    CANNOT_TELL,
    REJECTS,
    TEXT,
    job,
    models,
    record,
    walk,
)
from tests.unit.report.factory import run as made_run

JURY = ("scripted:first", "scripted:second", "scripted:third")
MISQUOTES = {
    **ACCEPTS,
    "one_each": {**ACCEPTS["one_each"], "evidence_quote": "this stands nowhere in the speech"},
}
NO_VOTE = ProviderCallError("unreadable", status=400)


async def sat(project, judge, *jurors, **settings):
    """One document whose cheap record is judged by this judge and these jurors."""
    settings = {
        "jury_models": JURY[: len(jurors)],
        "max_retries": 0,
        "audit_share": 0.0,
        "max_refinements": 0,
        **settings,
    }
    with scripted(dict(zip(JURY, jurors, strict=False))) as made:
        walked = await walk(
            project, settings=settings, cheap=record(), strong=record(matter="s"), judge=judge
        )
    return walked, [len(model.requests) for model in made.values()]


@pytest.mark.parametrize(
    ("jurors", "verdict", "status"),
    [
        ((ACCEPTS, ACCEPTS, REJECTS), "accepted", "accepted"),
        ((ACCEPTS, NO_VOTE, CANNOT_TELL), "accepted", "accepted"),
        ((ACCEPTS, REJECTS), "unknown", "needs_review"),
        ((ACCEPTS, REJECTS, CANNOT_TELL), "unknown", "needs_review"),
        ((NO_VOTE, CANNOT_TELL), "unknown", "needs_review"),
    ],
    ids=["majority", "those who know", "tie", "tie and one unknown", "nobody knows"],
)
async def test_where_the_judge_cannot_tell_the_majority_of_a_jury_decides(project, jurors, verdict, status):
    """A missing judgement is no vote, and a tie is for a person."""
    walked, asked = await sat(project, CANNOT_TELL, *jurors)

    made = walked.outcome["verdicts"][0]
    assert (made["verdict"], walked.outcome["status"]) == (verdict, status)
    assert (made["jury"]["why"], made["jury"]["verdict"]) == ("doubt", verdict)
    assert asked == [1] * len(jurors)
    assert [juror["voted"] for juror in made["jury"]["jurors"]] == [False] + [True] * len(jurors)


async def test_a_jury_that_rejects_hands_its_findings_to_the_next_step(project):
    """The verdict's findings are those of the first judge of the majority, not of the judge in doubt."""
    walked, _ = await sat(project, [CANNOT_TELL, ACCEPTS], REJECTS, REJECTS)

    made = walked.outcome["verdicts"][0]
    assert (made["verdict"], made["model"]) == ("rejected", "scripted:first")
    assert [f["criterion"] for f in made["findings"] if f["finding"] == "fail"] == ["nothing_missing"]
    assert "a jury of 2: 2 rejected" in made["reason"]
    assert walked.path[3:] == ["escalate", "verify", "judge"]


async def test_a_judge_that_quotes_what_is_not_there_is_not_followed(project):
    """Its evidence is void and so is its vote, though the rest of its findings would do."""
    walked, asked = await sat(project, [MISQUOTES, ACCEPTS], REJECTS)

    made = walked.outcome["verdicts"][0]
    assert (made["verdict"], asked) == ("rejected", [1])


async def test_a_judge_that_knows_needs_no_jury(project):
    """Nobody else is asked or paid."""
    walked, asked = await sat(project, ACCEPTS, REJECTS, REJECTS)

    assert walked.outcome["status"] == "accepted"
    assert asked == [0, 0]
    assert "jury" not in walked.outcome["verdicts"][0]


async def test_a_jury_may_sit_on_every_record_and_the_judge_votes_in_it(project):
    """Two of three reject what the judge accepts."""
    walked, _ = await sat(project, ACCEPTS, REJECTS, REJECTS, jury="always")

    made = walked.outcome["verdicts"][0]
    assert made["verdict"] == "rejected"
    assert [(j["model"], j["verdict"], j["voted"]) for j in made["jury"]["jurors"]] == [
        ("scripted:judge", "accepted", True), ("scripted:first", "rejected", True), ("scripted:second", "rejected", True),
    ]  # fmt: skip
    assert made["jury"]["agreed"] is False


async def test_what_code_rejects_is_shown_to_no_jury(project):
    """Code comes first."""
    with scripted({"scripted:first": []}):
        settings = {"jury_models": JURY[:1], "jury": "always", "max_refinements": 0, "strong_model": "none"}
        broken = {**record(), "premises": [*record()["premises"], *record()["premises"]]}
        walked = await walk(project, settings=settings, cheap=broken)

    assert walked.outcome["verdicts"][0]["code_findings"]


async def test_a_juror_of_the_writer_s_family_is_left_out(project):
    """A run where nobody is left says so."""
    with scripted(
        {"groq:openai/gpt-oss-20b": record(), "openai:gpt-oss-9": [], "scripted:first": ACCEPTS}
    ) as made:
        settings = {
            "cheap_model": "groq:openai/gpt-oss-20b", "jury_models": ("openai:gpt-oss-9", "scripted:first"),
            "audit_share": 0.0,
        }  # fmt: skip
        walked = await walk(project, settings=settings, judge=CANNOT_TELL)

    assert walked.outcome["status"] == "accepted"
    assert made["openai:gpt-oss-9"].requests == []


async def test_all_judges_are_asked_the_same_and_none_hears_the_others(project):
    """Their calls are counted with the verdict's, under the document's own cap."""
    with scripted(dict.fromkeys(JURY[:2], ACCEPTS)) as made:
        settings = {"jury_models": JURY[:2], "jury": "always"}
        walked = await walk(project, settings=settings, cheap=record(), judge=ACCEPTS)

    asked = [walked.models["judge"], *made.values()]
    assert len({str(model.requests[0].messages) for model in asked}) == 1
    assert [call["model"] for call in walked.outcome["verdicts"][0]["calls"]] == ["scripted:judge", *JURY[:2]]


PRICED = {"CUPEL_PRICES": "openai:one=0/1000,openai:two=0/1000"}


async def test_a_document_s_cap_counts_every_juror(project):
    """The second juror finds no room left and is no vote; the first one's verdict stands."""
    settings = {
        "jury_models": ("openai:one", "openai:two"),
        "max_usd_per_document": 0.6,
        "max_output_tokens": 400,
    }
    with (
        models(cheap=record(), judge=CANNOT_TELL),
        scripted({"openai:one": ACCEPTS, "openai:two": REJECTS}) as jurors,
    ):
        async with Runner(
            job(project, audit_share=0.0, max_retries=0, **settings), project, env=PRICED
        ) as runner:
            rows = [Row(position=0, values={}, text=TEXT, doc_id="d0")]
            outcomes = [found async for _, found in runner.outcomes(rows)]
            outcome = outcomes[0]

    assert (len(jurors["openai:one"].requests), len(jurors["openai:two"].requests)) == (1, 0)
    assert outcome["verdicts"][0]["verdict"] == "accepted"
    assert outcome["cost_usd"] <= 0.6
    assert "no judgement" in outcome["verdicts"][0]["jury"]["jurors"][2]["reason"]


def auditor(messages, _schema):
    """Rejects the records of every fourth speech."""
    user = messages[-1]["content"]
    return REJECTS if any(f"number {n}." in user for n in range(0, 40, 4)) else ACCEPTS


async def test_audits_of_a_random_sample_estimate_how_much_passes_wrongly(project):
    """The rate, its interval and who disagreed are in the summary, the totals and the failures."""
    texts = [f"{TEXT} This is speech number {n}." for n in range(40)]
    settings = {"jury_models": JURY[:1], "audit_share": 0.5}
    with models(cheap=record(), judge=ACCEPTS), scripted({"scripted:first": auditor}) as jurors:
        rows = [Row(position=n, values={}, text=text, doc_id=f"d{n}") for n, text in enumerate(texts)]
        async with Runner(job(project, **settings), project, env={}) as runner:
            outcomes = [outcome async for _, outcome in runner.outcomes(rows)]
            summary = await runner.summary("out")

    audited = len(jurors["scripted:first"].requests)
    rejected = sum(outcome["status"] == "needs_review" for outcome in outcomes)
    assert 10 < audited < 30
    assert 0 < rejected < audited
    expected = false_pass_rate(["rejected"] * rejected + ["accepted"] * (audited - rejected))
    assert summary["audits"] == {
        "audited": audited, "rejected": rejected, "unknown": 0, "false_pass_rate": expected.rate,
        "interval": list(expected.interval),
    }  # fmt: skip
    totals = Totals()
    for outcome in outcomes:
        totals.add(outcome)
    assert (totals.audits["rejected"], totals.audits.total()) == (rejected, audited)
    assert len(audits_of(outcomes, "scripted:first")) == audited
    assert audits_of(outcomes, "scripted:other") == []
    wrong = next(outcome for outcome in outcomes if outcome["status"] == "needs_review")
    assert wrong["verdicts"][0]["verdict"] == "accepted"
    assert wrong["reasons"] == ["audit by scripted:first: nothing_missing: nothing_missing was looked at"]
    assert [row["cause"] for row in failure_rows("", "", wrong, created_at="")] == ["audit"]


async def test_an_audit_of_what_an_advisory_judge_passes_stays_advice(project):
    """It is told, and decides nothing."""
    walked, _ = await sat(project, ACCEPTS, REJECTS, audit_share=1.0, advisory_judge=True)

    assert walked.outcome["status"] == "accepted"
    assert walked.outcome["reasons"] == [
        "audit by scripted:first: nothing_missing: nothing_missing was looked at"
    ]


async def test_every_judge_s_findings_are_shown(project, tmp_path):
    """They stand in the trail of a document and in the report's page."""
    walked, _ = await sat(project, CANNOT_TELL, ACCEPTS, REJECTS)
    console = Console(width=160, file=io.StringIO())
    console.print(document_trail(walked.outcome, TEXT))
    told = console.file.getvalue()

    assert "jury, as the judge was in doubt: unknown" in told
    assert "scripted:judge (judge)  no vote" in told
    assert "scripted:second (second)" in told
    page = write_report(tmp_path / "r.html", made_run(), [DocumentEntry(walked.outcome, TEXT)]).read_text()
    assert '"jurors":[{"model":"scripted:judge"' in page


def test_a_jury_of_one_family_is_refused():
    """The error names the two that are kin, and the setting to change."""
    settings = RunContext(
        cheap_model="offline:baseline",
        judge_model="recorded:demo-judge",
        jury_models=("recorded:demo-judge",),
    )
    with pytest.raises(SettingError, match=r"both of the demo-judge family.*--jury"):
        check_models(resolve_models(settings, {}), {})


def test_jurors_come_from_options_or_a_variable():
    """A variable names several with commas between them; with judging off there is no jury."""
    env = {"CUPEL_JURY_MODELS": "groq:llama-4, groq:qwen/qwen3"}

    assert run_context({}, env).jury_models == ("groq:llama-4", "groq:qwen/qwen3")
    assert run_context({"jury_models": ["local:a"]}, env).jury_models == ("local:a",)
    assert resolve_models(run_context({"judge": "never"}, env), env).jury == ()
    with pytest.raises(SettingError, match="jury_models"):
        run_context({"jury_models": 3}, {})
