"""What flows through the graphs: the input, the shared state and the outcome of one document.

Everything here is plain JSON, so that a checkpoint, the run log, the server and a report all carry the
same thing. The text of the document appears once, in `DocumentInput`; all else points into it by offsets.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from cupel.state.mention import Mention

Tier = Literal["cheap", "strong"]
Role = Literal["cheap", "strong", "judge", "refine", "other"]
Match = Literal["verbatim", "normalised", "elided", "altered", "absent"]
FindingName = Literal["pass", "fail", "unknown"]
VerdictName = Literal["accepted", "rejected", "unknown"]
JuryReason = Literal["always", "doubt", "audit"]
JudgeWay = Literal["criteria", "items", "adjudicate"]
"""How records are judged: criterion by criterion, item by item, or where two readings of a document differ."""

Status = Literal["accepted", "needs_review", "failed"]
Record = dict[str, Any]


class DocumentInput(TypedDict):
    """One document to enrich: its text, and the task to do on it."""

    text: Annotated[
        str,
        Mention.WORDS,
        Field(
            description="The document, in any language. It is never rewritten: every offset refers to it as given."
        ),
    ]
    task: NotRequired[
        Annotated[
            str,
            Mention.TASK,
            Field(
                description="A folder of prompts/; `arguments` when left out and no output_schema is given."
            ),
        ]
    ]
    doc_id: NotRequired[
        Annotated[str, Mention.WORDS, Field(description="Your own id; a hash of the text when left out.")]
    ]
    meta: NotRequired[
        Annotated[
            dict[str, Any],
            Mention.WORDS,
            Field(
                description="Further inputs the task asks for (such as `topic`) or may have (such as `date`), each as text, "
                "and anything to carry along."
            ),
        ]
    ]
    output_schema: NotRequired[
        Annotated[
            dict[str, Any],
            Mention.SCHEMA,
            Field(
                description="A JSON Schema for a one-off task instead of `task`; mark quote fields with "
                '"x-grounded": true.'
            ),
        ]
    ]
    instructions: NotRequired[
        Annotated[
            str,
            Mention.SCHEMA,
            Field(description="What to extract, for a one-off task: one or two sentences."),
        ]
    ]


class Evidence(TypedDict):
    """One quote of a record, and where it stands in the text."""

    path: str
    """JSON pointer into the record, such as `/claims/0/quote`."""

    quote: str
    match: Match
    start: int | None
    """First character of the quote in the text; None when absent."""

    end: int | None
    """One past its last character."""

    parts: list[list[int]]
    """`[start, end)` of every part of an elided quote; a single one otherwise."""

    similarity: float
    """Alignment similarity in [0, 1]; 1 for verbatim."""

    diff: str
    """For an altered quote: what differs, word by word."""


class Call(TypedDict):
    """One model call as the run log has it."""

    key: str
    """Hash of the request: the key of its response in the run log."""

    kind: Literal["extract", "repair", "verify", "answer", "judge", "refine", "improve", "compare"]
    model: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: float | None
    """None when the model's price is unknown."""

    latency_s: float
    cached: bool
    """Answered from the run log; nothing was sent."""

    elsewhere: NotRequired[bool]
    """Paid by another run, or for another row of this one; absent where it was paid for this row."""

    packed: NotRequired[int]
    """How many documents were asked about together; tokens and cost are then this document's share."""


class Found(TypedDict):
    """Where a model that was shown a question of a record alone finds its answer in the document."""

    question: str
    start: int | None
    """First character of the passage in the text; None where it says that the document does not answer it."""

    end: int | None
    """One past its last character."""


class Attempt(TypedDict):
    """One try of one tier at one document: the record, where it stands in the text, and how sure we are."""

    number: int
    """1 for the first attempt of the document; `extract` and `escalate` add, `verify` completes."""

    tier: Tier
    round: int
    """0 for the task prompt alone, n after the n-th refinement on this tier."""

    model: str
    fallback_for: str | None
    """The model this one stood in for during an outage, else None."""

    prompt_version: str
    record: Record | None
    error: str | None
    """Why there is no record; None when there is one."""

    error_kind: Literal["schema", "refusal", "provider"] | None
    """What kind of failure: a reply that does not fit, a refusal, or no reply at all."""

    provider_cause: NotRequired[str]
    """Why there is no record, where that is the provider's doing and not the document's."""

    evidence: list[Evidence]
    found: NotRequired[list[Found]]
    """What came of asking the record's questions back, where the task has it; without those that could not be asked."""

    calls: list[Call]
    signals: dict[str, float | None]
    score: float | None
    """Raw, in [0, 1]; set by `verify`."""

    confidence: float | None
    """Calibrated probability that the record is right; None without a calibration."""

    calibrated: bool
    in_doubt: bool
    doubts: list[str]
    """Why the record is in doubt, in words."""


class FindingRecord(TypedDict):
    """One criterion's finding."""

    criterion: str
    finding: FindingName
    reasoning: str
    evidence_quote: str | None
    quote_match: Match | None
    path: NotRequired[str]
    """JSON pointer to the item it is about, where a record is judged item by item; of what is missing, to its list."""

    field: NotRequired[str]
    """What of that item is wrong; empty for one that is right, and for what is missing."""

    should_be: NotRequired[Any]
    """What it should be, as far as code could check it; None where that was not said."""


class EstimateRecord(TypedDict):
    """What a judge's findings on the items of a record add up to."""

    score: float
    """The task's own metric, in [0, 1], against the record as the judge would have it."""

    low: float
    """The same where all it could not tell is wrong."""

    high: float
    """The same where all of that is right."""

    precision: float
    """Share of the record's items that are right; what could not be told counts half."""

    recall: float
    """Share of the items there should be that are there, and right."""

    f1: float
    confidence: float | None
    """Probability that the verdict is right, by what was measured of this judge; None where nothing was."""


class JurorRecord(TypedDict):
    """What one judge of a jury found; the run's own judge is the first."""

    model: str
    family: str
    verdict: VerdictName
    voted: bool
    """Whether its verdict was counted: not that of a judge in doubt, nor that of an auditor."""

    score: float | None
    reason: str
    findings: list[FindingRecord]


class JuryRecord(TypedDict):
    """Several judges of different families on one record."""

    why: JuryReason
    """It always sits, or the judge was in doubt, or what the judge accepted was drawn for an audit."""

    verdict: VerdictName
    """Of the majority, `unknown` in a tie; for an audit that of the auditor, which decides nothing."""

    agreed: bool
    """All that knew said the same, and at least two did."""

    jurors: list[JurorRecord]


class VerdictRecord(TypedDict):
    """The judge's verdict on one attempt."""

    attempt: int
    """`Attempt.number` it is about."""

    verdict: VerdictName
    findings: list[FindingRecord]
    """What the judge's model found, one per criterion; empty when code checks already failed."""

    code_findings: list[FindingRecord]
    """What code found before any model was asked; only the failures."""

    advisory: bool
    """An advisory judge's fail is shown and does not refine."""

    model: str | None
    score: float | None
    """Weighted share of criteria passed; None when nothing could be judged."""

    reason: str
    calls: list[Call]
    jury: NotRequired[JuryRecord]
    """Where more than the judge was asked."""

    way: NotRequired[str]
    """How it judged, where that was not criterion by criterion: `items` or `adjudicate`."""

    estimate: NotRequired[EstimateRecord]
    """What findings on items add up to."""

    measured: NotRequired[str]
    """What is known of this judge from `cupel judge-check`, in words; `unmeasured` where that is nothing."""

    mending: NotRequired[str]
    """Why a refinement would not mend what is wrong, by what the run log has seen of the same faults."""


class AddendumRecord(TypedDict):
    """Instructions for one document, written from a critique of its last attempt."""

    tier: Tier
    round: int
    """1 for the first refinement on this tier."""

    after_attempt: int
    instructions: list[str]
    criteria: list[str]
    """The failed criterion each instruction answers, in the same order."""

    dropped: list[str]
    """What code took out of the refiner's reply, with the reason."""

    model: str | None
    calls: list[Call]
    by: NotRequired[str]
    """Who wrote it, where that was a person; it then holds for every tier."""

    at: NotRequired[str]
    """When a person wrote it, in UTC."""


class Review(TypedDict):
    """What a person answered in the review step."""

    action: Literal["accept", "edit", "respond", "ignore"]
    record: Record | None
    evidence: list[Evidence]
    note: str
    by: NotRequired[str]
    """Who answered: the server's user, else whom the answer names."""

    at: NotRequired[str]
    """When, in UTC."""


class Asked(TypedDict):
    """What is kept of a run before it stops for a person."""

    settings: dict[str, Any]
    """The settings it asked under, where they are not the defaults: they hold when it is resumed."""

    objection: str
    """Why the last answer could not be read; shown when the person is asked again."""


def merge_attempts(old: list[Attempt], new: list[Attempt]) -> list[Attempt]:
    """Append new attempts; one with a known number takes that one's place.

    >>> first = {"number": 1, "score": None}
    >>> merge_attempts([first], [{"number": 1, "score": 0.5}, {"number": 2}])
    [{'number': 1, 'score': 0.5}, {'number': 2}]
    """
    merged = {attempt["number"]: attempt for attempt in old}
    merged.update({attempt["number"]: attempt for attempt in new})
    return list(merged.values())


class Settled(TypedDict):
    """What `finish` settles."""

    status: Status
    record: Record | None
    """The best attempt's record, or the person's; None when failed."""

    evidence: list[Evidence]
    confidence: float | None
    score: float | None
    calibrated: bool
    model: str | None
    tier: Tier | None
    prompt_version: str
    reasons: list[str]
    """Why this status, in words; empty for a plain acceptance."""

    cost_usd: float | None
    """All calls of this document when they were first paid; None when a price is unknown."""

    latency_s: float
    """Sum of the waiting times for its calls when they were made."""

    review: Review | None
    """A person's answer; None when nobody was asked."""


class Outcome(Settled):
    """What became of one document. Every document has exactly one."""

    doc_id: str
    task: str
    language: str | None
    attempts: list[Attempt]
    verdicts: list[VerdictRecord]
    addenda: list[AddendumRecord]
    path: list[str]
    """The nodes walked, in order."""

    other_calls: NotRequired[list[Call]]
    """Paid for this document and listed nowhere above: of a graph that failed, a node of one's own, or an earlier try."""


class Kept(TypedDict):
    """Where the run log has the text of a thread's document, which the state of a thread holds no longer."""

    words: str
    characters: int


class RunState(DocumentInput):
    """Everything the nodes share.

    On a thread the state refers to its words by key (`cupel.cascade.words`); steps and routers see them all the same.
    """

    document: NotRequired[Kept | None]

    language: NotRequired[str | None]
    """ISO 639-1 code, as detected; None where undecided."""

    windows: NotRequired[list[list[int]]]
    """`[start, end)` of each window of the text; one for a short document."""

    problem: NotRequired[str | None]
    """Why the text cannot be used at all; None when it can."""

    first_tier: NotRequired[Tier]
    """The tier a pre-router chose to try first."""

    attempts: Annotated[list[Attempt], merge_attempts]
    """Oldest first; nothing is lost."""

    verdicts: Annotated[list[VerdictRecord], operator.add]
    addenda: Annotated[list[AddendumRecord], operator.add]
    path: Annotated[list[str], operator.add]
    review: NotRequired[Review | None]
    asked: NotRequired[Asked | None]
    """Set while a person is asked."""

    status: NotRequired[Status]
    record: NotRequired[Record | None]
    evidence: NotRequired[list[Evidence]]
    confidence: NotRequired[float | None]
    score: NotRequired[float | None]
    calibrated: NotRequired[bool]
    model: NotRequired[str | None]
    tier: NotRequired[Tier | None]
    prompt_version: NotRequired[str]
    reasons: NotRequired[list[str]]
    cost_usd: NotRequired[float | None]
    latency_s: NotRequired[float]


def calls_of(state: RunState | Outcome) -> Iterator[tuple[Role, Call]]:
    """Every call made for a document, once, with whom it was made of: a tier, the judges, the refiner, or another.

    What was asked twice was answered once: it is listed where it was asked first.

    >>> call = {"key": "k"}
    >>> list(calls_of({"attempts": [], "verdicts": [{"calls": [call, call]}], "addenda": []}))
    [('judge', {'key': 'k'})]
    """
    seen: set[str] = set()
    for role, call in _all_calls(state):
        if call["key"] not in seen:
            seen.add(call["key"])
            yield role, call


def _all_calls(state: RunState | Outcome) -> Iterator[tuple[Role, Call]]:
    for attempt in state["attempts"]:
        yield from ((attempt["tier"], call) for call in attempt["calls"])
    for verdict in state["verdicts"]:
        yield from (("judge", call) for call in verdict["calls"])
    for addendum in state["addenda"]:
        yield from (("refine", call) for call in addendum["calls"])
    others: Any = state.get("other_calls", ())  # only an outcome has them
    yield from (("other", call) for call in others)
