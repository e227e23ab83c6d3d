"""What flows through `graphs/compare.py`: one document, two sides, and which a third model prefers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, with_config
from typing_extensions import NotRequired, TypedDict

from cupel.state.enrich import Outcome


@with_config(use_attribute_docstrings=True)
class Side(TypedDict):
    """One of the two that are compared: a model, a version of the prompt, or both."""

    name: str
    """What it is called on the page."""

    model: NotRequired[str]
    """`provider:model`; the run's cheap model when left out."""

    rules: NotRequired[list[dict[str, Any]]]
    """The version's rules; the folder's when left out, or empty."""

    extract: NotRequired[str]
    """The version's contract; the folder's when left out."""

    labels: NotRequired[list[Any]]
    """Field by field, each with its pairs of label and definition; the folder's when left out."""

    examples: NotRequired[str]
    """As examples.jsonl has them; the folder's when left out."""

    schema: NotRequired[str]
    """As schema.json has it; the folder's when left out."""


class CompareInput(TypedDict):
    """One document to be done twice, by two models or with two prompts."""

    text: Annotated[str, Field(description="The document, in any language.")]
    task: Annotated[str, Field(description="A folder of `prompts/`.")]
    a: Annotated[Side, Field(description="One side: a model, a version of the prompt, or both.")]
    b: Annotated[Side, Field(description="The other side.")]
    doc_id: NotRequired[Annotated[str, Field(description="Your own id; a hash of the text when left out.")]]
    meta: NotRequired[
        Annotated[dict[str, Any], Field(description="Further inputs the task asks for, such as `topic`.")]
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
