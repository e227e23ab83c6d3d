"""How far records asked for in packs agree with those asked for alone."""

import json
import re

import pandas as pd
import pytest

from cupel.calibration.packing import Measured, certify_packing, sample_packs
from cupel.engine import PackTerms
from cupel.errors import BudgetExceededError, NotEnoughDataError
from cupel.tables.frames import frame_rows
from cupel.testing.models import scripted
from tests.unit.runs.stand_in import MODELS, call, job_of, outcome, project_of, rows

TERMS = PackTerms(size=4, max_chars=400)
RIGHT = {"evidence": [], "reason": "It says so.", "stance": "favor"}
PRICES = {"CUPEL_PRICES": "scripted:cheap=1/2"}


@pytest.fixture
def project(tmp_path):
    """A project with the stance task and an empty state."""
    return project_of(tmp_path)


def record(text):
    """What is right about a speech: its first words are its evidence."""
    return {**RIGHT, "evidence": [re.search(r"vote \d+", text)[0]]}


def model(*, spoil=lambda number, record: record):
    """A model that answers single documents rightly, and packs as `spoil` says."""

    def answer(messages, schema):
        said = messages[-1]["content"]
        if "records" not in schema["properties"]:
            return record(said)
        documents = re.findall(r'<document id="([^"]+)">\n(.*?)</document', said, re.DOTALL)
        return {
            "records": [{"document": int(n), "record": spoil(int(n), record(text))} for n, text in documents]
        }

    return answer


def speeches(count):
    """Short texts."""
    return [f"We must hold vote {n} soon." for n in range(count)]


def table(count):
    """A table of speeches on a topic."""
    return frame_rows(
        pd.DataFrame({"text": speeches(count), "topic": "a tax"}, dtype=object), inputs={"topic": "topic"}
    )


async def certify(project, script, count=80, **more):
    """What certifying on that many speeches gives."""
    with scripted({**{name: [] for name in MODELS.values()}, "scripted:cheap": script}) as models:
        job = job_of(project, judge="never", **more)
        result = await certify_packing(rows(*speeches(count)), job, project, TERMS, min_agreement=0.8)
        return result, models["scripted:cheap"].requests


async def test_a_model_that_does_as_well_in_packs_is_certified(project, monkeypatch):
    """The certificate says on how much, and what it saves; another time nothing is paid."""
    monkeypatch.setenv("CUPEL_PRICES", PRICES["CUPEL_PRICES"])
    result, asked = await certify(project, model())
    again, none = await certify(project, [])
    summary = result.to_json()

    assert result.certified
    assert len(asked) == 80 + 20
    assert (summary["packs"], summary["documents"], summary["agreement"]) == (20, 80, 1.0)
    assert summary["saved"] > 0.2
    assert json.loads(result.path.read_text())["packs"] == 20
    assert (none, again.cost_usd, again.certificate) == ([], 0.0, result.certificate)


async def test_a_model_that_mixes_documents_up_is_not(project):
    """Its packed records agree with the single ones too rarely."""
    result, _ = await certify(
        project, model(spoil=lambda n, record: {**record, "stance": "against" if n > 1 else "favor"})
    )

    assert not result.certified
    assert result.certificate.lower < 0.5


async def test_too_few_packs_are_no_measurement(project):
    """It says what would help."""
    with pytest.raises(NotEnoughDataError, match="9 packs could be compared"):
        await certify(project, model(), 36)


async def test_what_stops_the_measurement_is_raised(project):
    """A part of it is none."""
    with pytest.raises(BudgetExceededError):
        await certify(project, BudgetExceededError("spent"), 4)


def test_whole_packs_of_neighbours_are_drawn_from_the_whole_table(project):
    """Neighbours are alike, and that is where a model may mix them up."""
    drawn = [row.position for row in sample_packs(table(400), job_of(project).task, TERMS, 48)]
    packs = [drawn[at : at + 4] for at in range(0, len(drawn), 4)]

    assert drawn == sorted(drawn)
    assert len(packs) == 12
    assert max(drawn) > 200
    assert all(pack == list(range(pack[0], pack[0] + 4)) for pack in packs)


def test_a_table_with_too_few_packs_says_what_would_help(project):
    """Ten are the fewest that are compared."""
    with pytest.raises(NotEnoughDataError, match="5 full packs of 4 documents of at most 400 characters"):
        sample_packs(table(20), job_of(project).task, TERMS, 48)


def test_a_document_without_two_records_is_not_compared(project):
    """One that was asked alone after all is counted."""
    task, measured = job_of(project).task, Measured()
    single, packed = ({"record": RIGHT, "calls": [call()], "signals": {"pack": 4.0}} for _ in range(2))
    measured.add(outcome("a", attempts=[single]), task)
    measured.add(outcome("b", attempts=[{**single, "record": None}, packed]), task)
    measured.add(outcome("c", attempts=[single, packed]), task)

    assert (measured.unlabelled, measured.asked_alone, measured.by_pack) == (2, 2, {4.0: [1.0]})
    assert measured.documents == [1.0]
