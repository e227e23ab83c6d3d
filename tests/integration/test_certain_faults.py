"""What code knows to be wrong is accepted by nobody: two hundred faults put into the demo's own records."""

from __future__ import annotations

import copy
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from cupel.state import Record
from tests.conftest import ROOT
from tests.integration.cascade import ACCEPTS, LOOK_AT_THE_END, enrich_all, job, models

KINDS = ("reference", "id", "exclusive", "words")
EACH = 50


class Spoiled(NamedTuple):
    """A speech of the demo, and a recorded record of it with one fault."""

    kind: str
    text: str
    record: Record


def real_records() -> list[tuple[str, Record]]:
    """The demo's speeches, each with the recorded record whose quotes stand in it."""
    told = [
        line
        for tier in ("cheap", "strong")
        for line in (ROOT / f"evals/recordings/demo-{tier}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    records = [json.loads(json.loads(line)["content"]) for line in told]
    speeches = (ROOT / "evals/datasets/speeches-demo.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in speeches]
    return [
        (text, record)
        for text in texts
        for record in records
        if len(record["claims"]) > 1 and record["premises"] and _stands(record, text)
    ]


def _stands(record: Record, text: str) -> bool:
    """Whether the text holds every quote: a cheap record may hold one that breaks off in the middle of a word."""
    quotes = [each["quote"] for each in (*record["claims"], *record["premises"])]
    return all(re.search(rf"{re.escape(quote)}(?!\w)", text) for quote in quotes)


def spoil(kind: str, text: str, record: Record, drawing: random.Random) -> None:
    """Put one fault of this kind into a record."""
    claims, premises = record["claims"], record["premises"]
    claim = drawing.choice([each for each in claims if text.count(each["quote"]) == 1])
    if kind == "reference":
        premises.append(
            premises.pop(drawing.randrange(len(premises))) | {"supports": len(claims) + drawing.randint(1, 9)}
        )
    elif kind == "id":
        other = drawing.choice([each for each in claims if each is not claim])
        other["id"] = claim["id"]
        for premise in premises:  # nothing but the id is wrong
            premise["supports"] = claim["id"]
    elif kind == "exclusive":
        quote = claim["quote"]
        said = drawing.choice([quote, quote + ".", quote[0].lower() + quote[1:], quote.rpartition(" ")[0]])
        premises.insert(
            drawing.randrange(len(premises) + 1),
            {"quote": said if len(said) > 0.9 * len(quote) else quote, "supports": None},
        )
    else:
        word = drawing.choice(re.findall(r"[^\W\d_]{4,}", text))
        drawing.choice([claims, premises])[0]["quote"] = drawing.choice([word, f"{word}.", f" {word} "])


def spoiled_records() -> Iterator[Spoiled]:
    """Fifty of each kind; the same each time."""
    drawing, real = random.Random(7), real_records()
    for kind in KINDS:
        for number in range(EACH):
            text, record = real[number % len(real)]
            made = copy.deepcopy(record)
            spoil(kind, text, made, drawing)
            yield Spoiled(kind, f"{text}\n\nCopy {kind} {number}.", made)


def by_copy(spoiled: list[Spoiled]) -> Any:
    """What the models say: of each copy its spoiled record, cheap and strong alike."""
    records = {each.text.rpartition("\n\n")[2]: each.record for each in spoiled}

    def said(messages: list[dict[str, str]], _schema: object) -> Record:
        return records[re.findall(r"Copy \w+ \d+\.", messages[-1]["content"])[-1]]

    return said


@pytest.mark.parametrize(
    ("judge", "every"),
    [
        pytest.param("never", 1, id="no judge"),
        pytest.param("always", 4, id="a judge who passes all, a quarter of them", marks=pytest.mark.soak),
        pytest.param("always", 1, id="a judge who passes all", marks=pytest.mark.soak),
    ],
)
async def test_no_record_with_a_fault_that_is_certain_is_accepted(project, judge, every):
    """Whatever its judge says, and with none: the cheap one escalates, the strong one is refined, a person is asked."""
    spoiled = list(spoiled_records())[::every]
    said = by_copy(spoiled)
    with models(
        cheap=said, strong=said, judge=lambda *_: ACCEPTS, refiner=lambda *_: LOOK_AT_THE_END
    ) as made:
        outcomes, _ = await enrich_all(
            project,
            job(project, judge=judge, max_refinements=1, concurrency=32),
            [each.text for each in spoiled],
        )

    assert Counter(outcome["status"] for outcome in outcomes) == {"needs_review": len(KINDS) * EACH // every}
    assert all(
        {attempt["tier"] for attempt in outcome["attempts"]} == {"cheap", "strong"} for outcome in outcomes
    )
    assert {len(outcome["addenda"]) for outcome in outcomes} == {0 if judge == "never" else 1}
    assert len(made["judge"].requests) == 0


async def test_the_same_records_without_the_faults_are_accepted(project):
    """So it was the fault that kept them."""
    spoiled = [
        Spoiled("none", f"{text}\n\nCopy none {n}.", record)
        for n, (text, record) in enumerate(real_records())
    ]
    with models(cheap=by_copy(spoiled)) as made:
        outcomes, _ = await enrich_all(project, job(project, judge="never"), [each.text for each in spoiled])

    assert len(outcomes) == len(spoiled) >= 10
    assert {outcome["status"] for outcome in outcomes} == {"accepted"}
    assert len(made["strong"].requests) == 0
