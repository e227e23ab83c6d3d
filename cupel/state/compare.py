"""What flows through `graphs/compare.py`: one document, two sides, and which a third model prefers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, with_config
from typing_extensions import NotRequired, TypedDict

from cupel.state.enrich import Outcome
from cupel.state.mention import Mention


@with_config(use_attribute_docstrings=True)
class Side(TypedDict):
    """One of the two that are compared: a model, a version of the prompt, or both."""

    name: Annotated[str, Mention.WORDS]
    """What it is called on the page."""

    model: NotRequired[Annotated[str, Mention.MODEL]]
    """`provider:model`; the run's cheap model when left out."""

    rules: NotRequired[Annotated[list[dict[str, Any]], Mention.PROMPT]]
    """The version's rules; the folder's when left out, or empty."""

    extract: NotRequired[Annotated[str, Mention.PROMPT]]
    """The version's contract; the folder's when left out."""

    labels: NotRequired[Annotated[list[Any], Mention.PROMPT]]
    """Field by field, each with its pairs of label and definition; the folder's when left out."""

    examples: NotRequired[Annotated[str, Mention.PROMPT]]
    """As examples.jsonl has them; the folder's when left out."""

    schema: NotRequired[Annotated[str, Mention.SCHEMA]]
    """As schema.json has it; the folder's when left out."""


class CompareInput(TypedDict):
    """One document to be done twice, by two models or with two prompts."""

    text: Annotated[str, Mention.WORDS, Field(description="The document, in any language.")]
    task: Annotated[str, Mention.TASK, Field(description="A folder of `prompts/`.")]
    a: Annotated[
        Side, Mention.SIDE, Field(description="One side: a model, a version of the prompt, or both.")
    ]
    b: Annotated[Side, Mention.SIDE, Field(description="The other side.")]
    doc_id: NotRequired[
        Annotated[str, Mention.WORDS, Field(description="Your own id; a hash of the text when left out.")]
    ]
    meta: NotRequired[
        Annotated[
            dict[str, Any],
            Mention.WORDS,
            Field(description="Further inputs the task asks for, such as `topic`."),
        ]
    ]


class Opinion(TypedDict):
    """What the judge said of the two records in one order."""

    first: Literal["a", "b"]
    better: Literal["first", "second", "tie"] | None
    reasoning: str


class CompareState(CompareInput):
    """Everything the nodes share."""

    outcomes: NotRequired[dict[str, Outcome]]
    """`a` and `b`."""

    opinions: NotRequired[list[Opinion]]
    """Both orders; none where the records left nothing to ask."""

    preferred: NotRequired[Literal["a", "b", "tie", "unknown"]]
    """A side only where both orders agree on it."""


class CompareResult(TypedDict):
    """Which record is better, and what each took."""

    doc_id: NotRequired[str]
    outcomes: dict[str, Outcome]
    opinions: list[Opinion]
    preferred: Literal["a", "b", "tie", "unknown"]
