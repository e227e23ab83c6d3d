"""What flows through `graphs/improve.py`: one attempt to make one task's prompt better, from start to ledger."""

from __future__ import annotations

import operator
from typing import Annotated, Any, Literal

from pydantic import with_config
from typing_extensions import NotRequired, TypedDict

from cupel.state.enrich import Asked
from cupel.state.mention import Mention

Result = Literal[
    "nothing_to_do", "no_candidate", "rejected", "inconclusive", "nominee", "promoted", "declined"
]


@with_config(use_attribute_docstrings=True)
class ImproveInput(TypedDict):
    """A task whose prompt is to be improved, and the documents to do it on."""

    task: Annotated[str, Mention.TASK]
    """A folder of `prompts/`."""

    documents: Annotated[str, Mention.FILE]
    """A file of documents, best with `gold` (JSONL as in `evals/datasets/`); relative to the project."""

    group: NotRequired[Annotated[str, Mention.WORDS]]
    """Field by which documents hang together (debate, speaker); found in `meta` when left out."""

    max_usd: NotRequired[float | None]
    """Hard cap on what the whole campaign may cost, in US dollars."""

    rounds: NotRequired[int]
    """How many candidates may be tried on the development documents; 3 when left out."""

    seed: NotRequired[int]
    """Another number is another campaign: the rewriter is asked anew."""

    engine: NotRequired[Annotated[str, Mention.NAME]]
    """What proposes edits: `reflect` asks once, `gepa` searches (an extra)."""

    gate_judge: NotRequired[Annotated[str, Mention.MODEL]]
    """Without gold: the judge of the held-out documents; not the one of the development documents."""

    gate_metric: NotRequired[Literal["", "graded", "right"]]
    """With gold: the task's metric of each document (`graded`, when left out), or only whether it is `right`."""

    run: NotRequired[Annotated[str, Mention.FILE]]
    """A run whose failures the rewriter is told too: its id, or enough of its beginning; of held-out documents none."""

    gold: NotRequired[Annotated[str, Mention.FILE]]
    """A file of labels, relative to the project, or a column of the documents; the column `gold` when left out."""

    candidate: NotRequired[Annotated[str, Mention.FILE]]
    """A rules.toml or extract.md edited by hand, or a version of the ledger, to be tested instead of asking a rewriter."""

    held_out: NotRequired[float]
    """Share of documents held out, in (0, 1), by whole groups; .7 when left out."""

    split_salt: NotRequired[Annotated[str, Mention.WORDS]]
    """Another salt holds out other groups; what was seen before stays seen."""

    max_token_growth: NotRequired[float | None]
    """Share by which a document's tokens may grow; enough for one example when left out."""


class Candidate(TypedDict):
    """A version of the prompt that is being tried."""

    version: str
    parent: str
    author: str
    rules: list[dict[str, Any]]
    extract: str
    """The contract: the parent's, unless a person edited it."""

    labels: NotRequired[list[Any]]
    """Field by field, each with its pairs of label and definition, in their order."""

    criteria: NotRequired[list[dict[str, Any]]]
    """The judge's, as they were: a candidate changes none."""

    examples: NotRequired[str]
    """As examples.jsonl has them."""

    schema: NotRequired[str]
    """As schema.json has it."""

    rules_text: NotRequired[str]
    """As rules.toml has them, comments included."""

    edits: list[dict[str, Any]]
    dropped: list[dict[str, str]]
    """Edits that were not applied, each with the reason."""

    diff: str
    edited_from: NotRequired[str]
    """The nominee a person edited it from."""


class Edited(TypedDict):
    """What a person made of a nominee; None for a part left as it was."""

    rules: str | None
    """The rules as rules.toml has them."""

    extract: str | None


class Nominee(TypedDict):
    """A candidate that passed the gate, standing by while a person's edit of it is weighed."""

    proposal: Candidate
    decision: dict[str, Any] | None


class Round(TypedDict):
    """One turn of proposing: a candidate that did well or badly on development documents, or none and why."""

    number: int
    version: str | None
    diff: str
    reason: str
    """Why it goes no further; empty where it goes on to the gate."""

    fixes: int
    breaks: int
    documents: int


class CollectUpdate(TypedDict, total=False):
    """What `collect` writes. Documents are named here, never carried."""

    campaign: str
    """Hash of all that decides it: the key of its money and its ledger entries."""

    version: str
    """The prompt as it is."""

    dev: list[str]
    held_out_ids: list[str]
    held_out_version: str
    groups: dict[str, str]
    """Document id → the group it was split by."""

    notes: Annotated[list[str], operator.add]
    """What to know about the documents and the test."""

    failures: list[dict[str, Any]]
    """What went wrong on development documents."""

    mended: str
    """Instructions that mended single records."""

    failed_docs: list[str]
    passed_docs: list[str]
    tokens_per_document: float
    """What a development document takes under the prompt as it is."""

    token_growth: float
    """Share by which that may grow."""


class DiagnoseUpdate(TypedDict, total=False):
    """What `diagnose` writes."""

    causes: list[dict[str, Any]]
    """Failures clustered by criterion and cause, the commonest first."""

    told: str
    """The causes as the rewriter reads them."""

    shown: dict[str, str]
    """Failure id → document, of all the rewriter is shown."""


class ApproveUpdate(TypedDict, total=False):
    """What `approve` writes: what a person's answer comes to."""

    approved_by: str | None
    """Who approved the nominee; None while nobody has."""

    declined: bool
    edited: Edited | None
    """A person's edit of the nominee, until it is read."""

    objection: str
    """Why the last answer of a person changed nothing; shown when they are asked again."""

    asked: Asked | None
    """Set while a person is asked."""


class ConcludeUpdate(TypedDict, total=False):
    """What `conclude` writes."""

    result: Result
    reasons: list[str]
    cost_usd: float


class ImproveState(ImproveInput, CollectUpdate, DiagnoseUpdate, ApproveUpdate, ConcludeUpdate):
    """Everything the nodes of a campaign share."""

    proposal: NotRequired[Candidate | None]
    tried: Annotated[list[Round], operator.add]
    decision: NotRequired[dict[str, Any] | None]
    """The gate's decision and all it rests on."""

    passed: NotRequired[Nominee | None]


class ImproveResult(TypedDict):
    """What became of a campaign."""

    campaign: str
    task: str
    version: str
    result: Result
    reasons: list[str]
    notes: list[str]
    causes: list[dict[str, Any]]
    tried: list[Round]
    proposal: NotRequired[Candidate | None]
    decision: NotRequired[dict[str, Any] | None]
    approved_by: NotRequired[str | None]
    cost_usd: NotRequired[float]
