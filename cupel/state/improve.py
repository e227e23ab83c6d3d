"""What flows through `graphs/improve.py`: one attempt to make one task's prompt better, from start to ledger."""

from __future__ import annotations

import operator
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

Result = Literal[
    "nothing_to_do", "no_candidate", "rejected", "inconclusive", "nominee", "promoted", "declined"
]


class ImproveInput(TypedDict):
    """A task whose prompt is to be improved, and the documents to do it on."""

    task: Annotated[str, Field(description="A folder of `prompts/`.")]
    documents: Annotated[
        str,
        Field(
            description="A file of documents, best with `gold` (JSONL as in `evals/datasets/`); relative to the project."
        ),
    ]
    group: NotRequired[
        Annotated[
            str,
            Field(
                description="Field by which documents hang together (debate, speaker); found in `meta` when left out."
            ),
        ]
    ]
    max_usd: NotRequired[
        Annotated[
            float | None, Field(description="Hard cap on what the whole campaign may cost, in US dollars.")
        ]
    ]
    rounds: NotRequired[
        Annotated[
            int,
            Field(
                description="How many candidates may be tried on the development documents; 3 when left out."
            ),
        ]
    ]
    seed: NotRequired[
        Annotated[int, Field(description="Another number is another campaign: the rewriter is asked anew.")]
    ]
    engine: NotRequired[
        Annotated[
            str, Field(description="What proposes edits: `reflect` asks once, `gepa` searches (an extra).")
        ]
    ]
    gate_judge: NotRequired[
        Annotated[
            str,
            Field(
                description="Without gold: the judge of the held-out documents; not the one of the development documents."
            ),
        ]
    ]
    gate_metric: NotRequired[
        Annotated[
            Literal["", "graded", "right"],
            Field(
                description="With gold: the task's metric of each document (`graded`, when left out), or only whether it is `right`."
            ),
        ]
    ]
    candidate: NotRequired[
        Annotated[
            str,
            Field(
                description="A rules.toml or extract.md edited by hand, or a version of the ledger, to be tested instead of asking a rewriter."
            ),
        ]
    ]
    held_out: NotRequired[
        Annotated[float, Field(description="Share of groups held out, in (0, 1); .7 when left out.")]
    ]


class Candidate(TypedDict):
    """A version of the prompt that is being tried."""

    version: str
    parent: str
    author: str
    rules: list[dict[str, Any]]
    extract: str
    """The contract: the parent's, unless a person edited it."""

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


class ImproveState(ImproveInput):
    """Everything the nodes of a campaign share. Documents are named here, never carried."""

    campaign: NotRequired[str]
    """Hash of all that decides it: the key of its money and its ledger entries."""

    version: NotRequired[str]
    """The prompt as it is."""

    dev: NotRequired[list[str]]
    held_out_ids: NotRequired[list[str]]
    held_out_version: NotRequired[str]
    notes: Annotated[list[str], operator.add]
    """What to know about the documents and the test."""

    failures: NotRequired[list[dict[str, Any]]]
    """What went wrong on development documents."""

    failed_docs: NotRequired[list[str]]
    passed_docs: NotRequired[list[str]]
    causes: NotRequired[list[dict[str, Any]]]
    """Failures clustered by criterion and cause, the commonest first."""

    told: NotRequired[str]
    """The causes as the rewriter reads them."""

    shown: NotRequired[dict[str, str]]
    """Failure id → document, of all the rewriter is shown."""

    mended: NotRequired[str]
    proposal: NotRequired[Candidate | None]
    tried: Annotated[list[Round], operator.add]
    decision: NotRequired[dict[str, Any] | None]
    """The gate's decision and all it rests on."""

    approved_by: NotRequired[str | None]
    """Who approved the nominee; None while nobody has."""

    declined: NotRequired[bool]
    edited: NotRequired[Edited | None]
    """A person's edit of the nominee, until it is read."""

    objection: NotRequired[str]
    """Why the last answer of a person changed nothing; shown when they are asked again."""

    passed: NotRequired[Nominee | None]

    result: NotRequired[Result]
    reasons: NotRequired[list[str]]
    cost_usd: NotRequired[float]


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
