"""Several documents in one request: certified first, each record held against its own text, nothing paid twice."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from cupel.calibration.packing import certify_packing, sample_packs
from cupel.engine.packing.ask import packed_prompt
from cupel.engine.packing.certificate import PackingCertificate, certificate_path
from cupel.engine.packing.packs import Packing, PackTerms
from cupel.errors import NotEnoughDataError, SettingError
from cupel.runlog import tables
from cupel.runs.runner import Runner
from cupel.tables.rows import Row
from cupel.testing.models import reply
from cupel.testing.provider import ScriptedProvider
from tests.integration import forked
from tests.integration.cascade import ACCEPTS, PREMISE, job, models
from tests.integration.test_run_cli import environment, run as run_cupel

TERMS = PackTerms(size=4, max_chars=400)
PRICES = {"CUPEL_PRICES": "scripted:cheap=1/2,scripted:judge=1/2"}


def speech(number):
    """A short speech with a claim of its own."""
    return f"Madam President, we must hold vote {number}. {PREMISE}."


def rows(count, start=0):
    """That many speeches."""
    return [Row(position=n, values={}, text=speech(n), doc_id=f"d{n}") for n in range(start, start + count)]


def record_of(number, claim=None):
    """What is right about a speech."""
    return {
        "matter": "votes",
        "claims": [{"id": 1, "quote": claim or f"we must hold vote {number}"}],
        "premises": [{"quote": PREMISE, "supports": 1}],
        "stance": "support",
    }


def documents_of(messages):
    """Number in the request and number of the vote, of every document in it."""
    said = messages[-1]["content"]
    found = re.findall(r'<document id="([^"]+)">\n.*?vote (\d+)', said)
    return [(name, int(vote)) for name, vote in found]


def entries(messages):
    """The right answer about a pack."""
    return [{"document": int(n), "record": record_of(vote)} for n, vote in documents_of(messages)]


def able(messages, schema):
    """A model that does packs as well as single documents."""
    if "records" in schema["properties"]:
        return {"records": entries(messages)}
    return record_of(documents_of(messages)[0][1])


def sloppy(messages, schema):
    """A model whose packed records lose the premises of all but the first document."""
    if "records" not in schema["properties"]:
        return able(messages, schema)
    found = entries(messages)
    for entry in found[1:]:
        entry["record"] = {**entry["record"], "premises": [], "stance": "none"}
    return {"records": found}


def packed(project, **settings):
    """A job that packs, certificate or not."""
    return replace(job(project, judge="never", **settings), packing=Packing(trial=TERMS))


async def run(project, made, documents, env=PRICES):
    """Outcomes in order, and the runner."""
    async with Runner(made, project, env=env) as runner:
        return [outcome async for _, outcome in runner.outcomes(documents)], runner


async def certified(project, cheap, count=300, **more):
    """What calibrating on that many speeches gives."""
    with models(cheap=cheap):
        return await certify_packing(
            rows(count), job(project, judge="never", **more), project, TERMS, min_agreement=0.95
        )


async def test_documents_go_four_to_a_request_and_each_gets_its_own_record(project):
    """The contract is sent once, the documents each between tags of their own; offsets are each text's own."""
    with models(cheap=able) as scripts:
        outcomes, _ = await run(project, packed(project), rows(10))

    asked = scripts["cheap"].requests
    assert [len(documents_of(request.messages)) for request in asked] == [4, 4, 2]
    assert [o["record"]["claims"][0]["quote"] for o in outcomes] == [
        f"we must hold vote {n}" for n in range(10)
    ]
    assert all(item["match"] == "verbatim" for o in outcomes for item in o["evidence"])
    assert outcomes[9]["evidence"][0]["start"] == speech(9).index("we must")
    assert asked[0].messages[0]["content"].count("Annotate the arguments of a speech") == 1


async def test_the_shares_of_a_packed_call_add_up_exactly(project):
    """Tokens and cost of the documents are those of the calls, to the last picodollar."""

    def metered(messages, schema):
        return reply(able(messages, schema), input_tokens=1003, output_tokens=217)

    with models(cheap=metered):
        outcomes, runner = await run(project, packed(project), rows(10))

    calls = [call for outcome in outcomes for call in outcome["attempts"][0]["calls"]]
    assert sum(call["input_tokens"] for call in calls) == 3 * 1003
    assert sum(call["output_tokens"] for call in calls) == 3 * 217
    assert sum(round(o["cost_usd"] * 1e12) for o in outcomes) == round(runner.tally.total_usd * 1e12)
    assert {call["packed"] for call in calls} == {4, 2}


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda found: found[:1] + found[2:], id="left out"),
        pytest.param(lambda found: [*found, found[1]], id="there twice"),
        pytest.param(
            lambda found: [found[0], {"document": 2, "record": found[2]["record"]}, *found[2:]],
            id="a neighbour's",
        ),
        pytest.param(lambda found: "no JSON at all", id="no answer"),
    ],
)
async def test_a_document_without_a_record_of_its_own_is_asked_alone(project, spoil):
    """Nothing is lost, and nobody gets a neighbour's record."""

    def answer(messages, schema):
        if "records" not in (schema or {}).get("properties", {}):
            return able(messages, schema)
        spoilt = spoil(entries(messages)) if len(documents_of(messages)) == 4 else []
        return {"records": spoilt} if isinstance(spoilt, list) else spoilt

    with models(cheap=answer) as scripts:
        outcomes, runner = await run(project, packed(project), rows(4))

    alone = [r for r in scripts["cheap"].requests if "records" not in r.schema["properties"]]
    assert [o["record"]["claims"][0]["quote"] for o in outcomes] == [
        f"we must hold vote {n}" for n in range(4)
    ]
    assert 'id="d1"' in "".join(request.messages[-1]["content"] for request in alone)
    assert sum(round(o["cost_usd"] * 1e12) for o in outcomes) == round(runner.tally.total_usd * 1e12)


async def test_a_quote_from_the_document_next_door_is_absent_and_doubted(project):
    """An invented quote that stands nowhere stays with its document and is found out by verify as always."""

    def inventive(messages, schema):
        found = entries(messages)
        found[2]["record"] = record_of(2, claim="we must abolish all votes for good")
        return {"records": found}

    with models(cheap=inventive, strong=able):
        outcomes, _ = await run(project, packed(project), rows(4))

    assert [outcome["tier"] for outcome in outcomes] == ["cheap", "cheap", "strong", "cheap"]


async def test_after_extraction_every_document_goes_its_own_way(project):
    """Records are judged one by one, and a rejected one is refined alone."""
    with models(cheap=able, judge=ACCEPTS) as scripts:
        outcomes, _ = await run(project, replace(packed(project), context=job(project).context), rows(8))

    assert len(scripts["cheap"].requests) == 2
    assert len(scripts["judge"].requests) == 8
    assert {outcome["status"] for outcome in outcomes} == {"accepted"}


async def test_killed_between_it_asks_nothing_twice(project):
    """Packs are made by the input's order: another concurrency, and a pack half finished, change nothing."""
    documents = rows(12)
    with models(cheap=able):
        first, _ = await run(project, allowed(project), documents[:8])
        async with Runner(allowed(project), project, env=PRICES) as runner:
            await runner.runtime.run_log.transact(_forget_some)
    with models(cheap=able) as scripts:
        again, _ = await run(project, allowed(project, concurrency=1), documents)

    assert len(scripts["cheap"].requests) == 1
    assert [o["record"] for o in again[:8]] == [o["record"] for o in first]
    assert sum(o["cost_usd"] for o in again[:8]) == pytest.approx(sum(o["cost_usd"] for o in first))


def _forget_some(connection):
    """As if killed when two documents of a pack had their outcome and two had not."""
    connection.execute(tables.outcomes.delete().where(tables.outcomes.c.doc_id.in_(["d2", "d3", "d5"])))


async def test_what_was_answered_alone_is_not_asked_again_in_a_pack(project):
    """The single answers of an earlier run serve; so does one that is missing among them, alone."""
    with models(cheap=able):
        await run(project, job(project, judge="never"), rows(3))
    with models(cheap=able) as scripts:
        outcomes, _ = await run(project, allowed(project), rows(4))

    assert len(scripts["cheap"].requests) <= 1
    assert [o["attempts"][0]["calls"][0].get("packed") for o in outcomes[:3]] == [None, None, None]


async def test_a_pack_of_which_one_is_still_to_be_done_is_not_asked_for_its_sake(project):
    """A row put into a finished file is asked alone."""
    made = allowed(project)
    with models(cheap=able):
        await run(project, made, rows(8))
    squeezed = [Row(position=0, values={}, text=speech(99), doc_id="new"), *moved(rows(8))]
    with models(cheap=able) as scripts:
        outcomes, _ = await run(project, made, squeezed)

    assert len(scripts["cheap"].requests) == 1
    assert [vote for _, vote in documents_of(scripts["cheap"].requests[0].messages)] == [99]
    assert len(outcomes) == 9


def moved(documents):
    """The same rows one place further down."""
    return [replace(row, position=row.position + 1) for row in documents]


def allowed(project, **settings):
    """A job that packs, by a certificate as `cupel calibrate --packing` writes it."""
    made = job(project, judge="never", **settings)
    certificate = PackingCertificate(
        task="arguments", model="scripted:cheap", size=4, max_chars=400, metric="items", agreement=1.0, lower=0.97,
        prompt_version=packed_prompt(made.task, "scripted:cheap", made.context).version, confidence=0.95,
        packs=100, documents=400, unlabelled=0, asked_alone=0, single_tokens=10, packed_tokens=5, single_usd=None,
        packed_usd=None, date="2026-11-21",
    )  # fmt: skip
    path = certificate_path(project.state, "arguments")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(certificate.to_json())
    return replace(made, packing=Packing())


async def test_a_cap_holds_for_packed_requests_too(project):
    """They are reserved before they are sent, and what was done is kept."""
    made = replace(packed(project, max_output_tokens=200), max_usd=0.004, concurrency=4)
    with models(cheap=lambda m, s: reply(able(m, s), input_tokens=900, output_tokens=150)):
        outcomes, runner = await run(project, made, rows(40))

    done = sum(outcome is not None for outcome in outcomes)
    assert 0 < done < 40
    assert runner.tally.total_usd <= 0.004


async def test_an_able_model_is_certified_and_a_run_may_then_pack(project):
    """Packing is asked for in so many words, and the file says what it holds for."""
    result = await certified(project, able)
    made = replace(job(project, judge="never"), packing=Packing())
    with models(cheap=able) as scripts:
        outcomes, _ = await run(project, made, rows(8, start=1000))

    told = json.loads(result.path.read_text())
    assert result.certified
    assert (told["agreement"], told["packs"], told["asked_alone"]) == (1.0, 75, 0)
    assert told["lower"] >= 0.95
    assert result.certificate.saved > 0.3
    assert len(scripts["cheap"].requests) == 2
    assert {outcome["status"] for outcome in outcomes} == {"accepted"}


async def test_a_model_that_does_worse_in_packs_is_refused_with_its_figure(project):
    """Its agreement is measured and stored, and packing is not allowed."""
    result = await certified(project, sloppy, count=120)
    with models(), pytest.raises(SettingError, match=r"agree .* to at least 0\.\d+ only.*--pack-size 2"):
        await run(project, replace(job(project, judge="never"), packing=Packing()), rows(4))

    assert not result.certified
    assert result.certificate.agreement < 0.8


async def test_without_a_certificate_a_run_says_how_to_get_one(project):
    """It is said before anything is paid."""
    with models(), pytest.raises(SettingError, match="cupel calibrate FILE --task arguments --packing"):
        await run(project, replace(job(project), packing=Packing()), rows(4))


async def test_a_certificate_for_another_prompt_does_not_count(project):
    """Who edits the contract has to measure again."""
    await certified(project, able, count=60)
    changed = "# system\nList claims.\n# user\n{{document}}"
    made = replace(job(project, judge="never", extract_prompt=changed), packing=Packing(min_agreement=0.5))
    with models(), pytest.raises(SettingError, match="measure again"):
        await run(project, made, rows(4))


async def test_calibrating_uses_single_answers_that_were_paid_before(project):
    """Only the packed requests are new."""
    with models(cheap=able):
        await run(project, job(project, judge="never"), rows(60))
    with models(cheap=able) as scripts:
        await certify_packing(rows(60), job(project, judge="never"), project, TERMS, min_agreement=0.5)

    assert len(scripts["cheap"].requests) == 15


def test_whole_packs_are_drawn_from_the_whole_file(project):
    """Neighbours stay together, as in a run; long texts are passed over."""
    table = Listed(
        [*rows(200), Row(position=200, values={}, text="x" * 500, doc_id="long"), *rows(40, start=201)]
    )
    drawn = sample_packs(table, job(project).task, TERMS, 48, seed=1)

    positions = [row.position for row in drawn]
    assert len(positions) == 48
    assert all(positions[n + 1] == positions[n] + 1 for n in range(0, 48, 2))
    assert 200 not in positions
    assert max(positions) > 150


def test_too_few_packs_say_what_would_help(project):
    """A handful of packs gives no certificate."""
    with pytest.raises(NotEnoughDataError, match="--pack-size 2"):
        sample_packs(Listed(rows(12)), job(project).task, TERMS, 100)


class Listed(list):
    """Rows with a table's name."""

    name = "in.jsonl"


@pytest.fixture
def short(tmp_path):
    """A folder with a file of eighty short speeches."""
    lines = [json.dumps({"id": f"d{n}", "text": speech(n)}) for n in range(80)]
    (tmp_path / "short.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_from_the_command_line_it_is_measured_then_used(short):
    """`calibrate --packing` says what it found; `run --packing` refuses before and packs after."""

    def answer(body):
        wanted = body["response_format"]["json_schema"]["schema"]
        return able(body["messages"], wanted)

    told = ["--cheap-model", "openai:cheap", "--strong-model", "openai:strong"]
    asked = ["short.jsonl", "--json", "--judge", "never", "--packing", "--packing-min", "0.8", *told]
    with ScriptedProvider(answer) as provider:
        refused = run_cupel(short, *asked, provider=provider)
        measured = forked.run(
            ["cupel", "calibrate", "short.jsonl", "--packing", "--packing-min", "0.8", "--json", *told[:2]],
            cwd=short, env=environment(provider),
        )  # fmt: skip
        before = provider.counts.requests
        done = run_cupel(short, *asked, provider=provider)
        asked_by_run = provider.counts.requests - before

    assert (refused.returncode, measured.returncode, done.returncode) == (2, 0, 0), (
        measured.stderr + done.stderr
    )
    assert "cupel calibrate FILE --task arguments --packing" in refused.stderr
    assert "100 calls" in measured.stderr
    assert json.loads(measured.stdout)["certified"]
    assert json.loads(done.stdout)["statuses"] == {"accepted": 80}
    assert asked_by_run == 0  # calibrating has asked about these very packs
