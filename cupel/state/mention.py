"""What a field of a request may name: the one place that knows which of them reach for a file, a model or a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from typing_extensions import NotRequired


class Mention(Enum):
    """What stands in a field that a caller fills in, by what it leads to.

    A field that holds text and is none of these is a fault of ours: a test looks for it.
    """

    WORDS = "words"
    """Text that goes to a model or into a row, and is looked up nowhere."""

    NAME = "name"
    """One of a closed list that the step itself checks."""

    TASK = "task"
    """A folder of `prompts/`, or what is looked for there."""

    MODEL = "model"
    """`provider:model`; with `gguf:` and `recorded:` a file."""

    PROFILE = "profile"
    LANGUAGE = "language"
    """The name of a language: it goes into a prompt."""

    FILE = "file"
    """A path, or a word that is taken for one where it is no other."""

    PROMPT = "prompt"
    """What models are told in place of the task's files."""

    SCHEMA = "schema"
    """The form of a record."""

    SIDE = "side"
    """An object with fields of its own (`cupel.state.Side`)."""


def mentions_of(form: type[Any]) -> Mapping[str, Mention | None]:
    """What each field of an input or of settings may name; None where nobody has said it.

    Args:
        form: A TypedDict, or a pydantic model.
    """
    if isinstance(form, type) and issubclass(form, BaseModel):
        marked = {name: field.metadata for name, field in form.model_fields.items()}
    else:
        hints = get_type_hints(form, include_extras=True)
        marked = {name: getattr(_bare(hint), "__metadata__", []) for name, hint in hints.items()}
    return {name: next((m for m in marks if isinstance(m, Mention)), None) for name, marks in marked.items()}


def _bare(hint: Any) -> Any:
    """A field's type without `NotRequired` around it."""
    return get_args(hint)[0] if get_origin(hint) is NotRequired else hint
