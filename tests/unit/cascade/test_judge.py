"""The judge and its jury: who is asked, and what becomes of what they say."""

import pytest

from cupel.cascade.judge import Heard, Jury, ask_judge, check_by_code, convene_jury, settle_verdict
from cupel.judging.findings import Finding, Verdict
from cupel.testing.models import scripted
from tests.integration.cascade import ACCEPTS, CANNOT_TELL, INVENTED, REJECTS, models, record
from tests.unit.cascade.factory import asking, grounded, state, work

JURY = ("scripted:first", "scripted:second")


async def judged(runtime, **settings):
    """A faultless record before its judge."""
    return await work(runtime, state(await grounded(runtime)), **settings)


async def test_code_has_nothing_against_a_faultless_record(runtime):
    """A model has to look."""
    assert check_by_code(await judged(runtime)) is None


@pytest.mark.parametrize(
    ("changes", "verdict", "criteria"),
    [
        pytest.param({"record": record(INVENTED)}, "rejected", ["quote"], id="an invented quote"),
        pytest.param(
            {"record": None, "error": "does not fit", "error_kind": "schema"},
            "rejected",
            ["schema"],
            id="a misfit",
        ),
        pytest.param(
            {"record": None, "error": "no reply", "error_kind": "provider"}, "unknown", [], id="a failed call"
        ),
    ],
)
async def test_what_code_can_decide_no_model_is_asked(runtime, changes, verdict, criteria):
    """A call that failed cannot be judged at all."""
    documents = await work(runtime, state(await grounded(runtime, **changes)))
    heard = check_by_code(documents)
    settled = settle_verdict(documents, heard, None)

    assert (settled["verdict"], settled["model"], settled["calls"]) == (verdict, None, [])
    assert [item["criterion"] for item in settled["code_findings"]] == criteria


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (ACCEPTS, "accepted"),
        (REJECTS, "rejected"),
        (CANNOT_TELL, "unknown"),
        (ConnectionError("down"), "unknown"),
    ],
    ids=["accepts", "rejects", "cannot tell", "is down"],
)
async def test_the_judge_is_asked_once_about_the_record(runtime, said, verdict):
    """A judgement that could not be had is unknown, never a fail."""
    with models(judge=said) as made:
        documents = await judged(runtime)
        heard = await ask_judge(documents, asking())

    assert heard.verdict.verdict == verdict
    assert len(made["judge"].requests) == 1
    assert settle_verdict(documents, heard, None)["verdict"] == verdict


@pytest.mark.parametrize(
    ("judge", "reason"),
    [("none", "no judge is attached"), ("scripted:cheap", "may not judge its own record")],
    ids=["nobody", "the writer itself"],
)
async def test_a_record_without_an_impartial_judge_stays_unknown(runtime, judge, reason):
    """Nobody is asked, and the reason is said."""
    heard = await ask_judge(await judged(runtime, judge_model=judge), asking())

    assert (heard.model, heard.verdict.verdict) == ("", "unknown")
    assert reason in heard.verdict.reason


def heard(name="accepted", model="scripted:judge", *, void=False):
    """What a judge said."""
    finding = Finding(
        criterion="stance_fits", finding="pass", reasoning="it does", quote_match="absent" if void else None
    )
    return Heard(model, Verdict(verdict=name, findings=(finding,), reason=name), [{"cost_usd": 0.25}])


@pytest.mark.parametrize(
    ("own", "settings", "why", "asked"),
    [
        pytest.param(heard(), {"jury": "always"}, "always", [1, 1], id="it always sits"),
        pytest.param(heard("unknown"), {}, "doubt", [1, 1], id="the judge is in doubt"),
        pytest.param(heard(void=True), {}, "doubt", [1, 1], id="the judge quoted what is not there"),
        pytest.param(heard(), {"audit_share": 1.0}, "audit", [1, 0], id="what is accepted is audited"),
        pytest.param(heard(), {}, None, [0, 0], id="the judge is sure"),
        pytest.param(heard("rejected"), {"audit_share": 1.0}, None, [0, 0], id="a rejection is not audited"),
        pytest.param(heard("unknown"), {"jury_models": ()}, None, [0, 0], id="there is no jury"),
    ],
)
async def test_a_jury_sits_where_it_is_needed(runtime, own, settings, why, asked):
    """In doubt, always, or one of it in an audit."""
    settings = {"jury_models": JURY, "audit_share": 0.0, **settings}
    with scripted(dict.fromkeys(JURY, ACCEPTS)) as made:
        jury = await convene_jury(await judged(runtime, **settings), own, asking())

    assert (jury and jury.why) == why
    assert [len(made[name].requests) for name in JURY] == asked


async def test_a_jury_of_the_writer_s_family_hears_nothing_and_the_run_says_so(runtime):
    """A note is made once, and the judge's doubt stands."""
    documents = await judged(runtime, jury_models=("scripted:cheap",))
    told, own = asking(), heard("unknown")
    jury = await convene_jury(documents, own, told)

    assert (jury.heard, len(told.run.tally.notes)) == ([], 1)
    assert settle_verdict(documents, own, jury)["verdict"] == "unknown"


async def test_what_a_judge_cost_is_no_longer_there_for_the_next(runtime):
    """A juror that the document cannot pay is not asked, and says why."""
    settings = {"jury_models": JURY, "max_usd_per_document": 0.25, "audit_share": 0.0}
    runtime.env = {"CUPEL_PRICES": ",".join(f"{name}=1/2" for name in JURY)}
    runtime.calls.env = runtime.env
    with scripted(dict.fromkeys(JURY, ACCEPTS)) as made:
        jury = await convene_jury(await judged(runtime, **settings), heard("unknown"), asking())

    assert [len(made[name].requests) for name in JURY] == [0, 0]
    assert all("left" in one.verdict.reason for one in jury.heard)


@pytest.mark.parametrize(
    ("why", "said", "verdict", "voted"),
    [
        pytest.param(
            "doubt",
            ["accepted", "accepted", "rejected"],
            "accepted",
            [False, True, True, True],
            id="a majority",
        ),
        pytest.param("doubt", ["accepted", "rejected"], "unknown", [False, True, True], id="a tie"),
        pytest.param(
            "always", ["rejected", "rejected"], "rejected", [True, True, True], id="the judge is outvoted"
        ),
        pytest.param("audit", ["rejected"], "accepted", [False, False], id="an audit decides nothing"),
    ],
)
async def test_the_majority_of_those_who_vote_decides(runtime, why, said, verdict, voted):
    """Everybody's findings and calls are kept; those of the majority lead."""
    own = heard("unknown" if why == "doubt" else "accepted")
    jury = Jury(why, [heard(name, f"m{n}") for n, name in enumerate(said)])
    settled = settle_verdict(await judged(runtime), own, jury)

    assert settled["verdict"] == verdict
    assert [juror["voted"] for juror in settled["jury"]["jurors"]] == voted
    assert len(settled["calls"]) == 1 + len(said)
    if verdict in said:
        assert settled["model"] == f"m{said.index(verdict)}" or why == "audit"
