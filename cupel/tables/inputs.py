"""Where the further inputs of a task come from: a column of the table, or a file whose text is every document's."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Container, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cupel.errors import InputError
from cupel.files import read_text
from cupel.task import TaskSpec

Told = Hashable
"""What a person names for an input: a column; as a `Path`, a file."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file with what every document is given; told from another version of it by a hash of its text."""

    path: str
    text: str = field(repr=False)
    digest: str

    def __str__(self) -> str:
        return f"the file {self.path} ({self.digest})"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSource:
    """Where one input comes from."""

    column: Hashable = None
    file: InputFile | None = None
    is_optional: bool = False
    """Whether a document may come without."""

    is_told: bool = True
    """Whether somebody named it; one that nobody did is a column of the input's own name, where it is there."""

    def is_there(self, columns: Container[Hashable]) -> bool:
        """Whether it is looked for at all: an optional input that nobody named need have no column."""
        return self.file is not None or self.is_told or not self.is_optional or self.column in columns


def read_input_files(inputs: Mapping[str, Told] | None) -> dict[str, Any]:
    """The same inputs, with the text of each file in place of its path.

    Raises:
        InputError: For a file that cannot be read, or holds nothing.
    """
    named = (inputs or {}).items()
    return {name: _read(name, told) if isinstance(told, Path) else told for name, told in named}


def _read(name: str, path: Path) -> InputFile:
    try:
        text = textwrap.dedent(read_text(path)).strip()
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"{path}: cannot be read as the input {name!r}: {why}; it is a text in UTF-8, given as --input {name}=@FILE"
        ) from error
    if not text:
        raise InputError(
            f"{path}: holds nothing, and is the input {name!r} of every document; write it, or leave it out"
        )
    return InputFile(str(path), text, hashlib.sha256(text.encode()).hexdigest()[:12])


def input_sources(task: TaskSpec, inputs: Mapping[str, Told] | None = None) -> dict[str, InputSource]:
    """Where each input of a task comes from: what was told, else a column of its own name.

    Raises:
        InputError: For a file that cannot be read.
    """
    told = read_input_files(inputs)
    return {
        name: source_of(told.get(name, name), is_optional=name in task.optional_inputs, is_told=name in told)
        for name in dict.fromkeys((*task.inputs, *told))
    }


def source_of(told: Any, *, is_optional: bool = False, is_told: bool = True) -> InputSource:
    """One source, as it was told of: itself, a file that was read, or a column."""
    if isinstance(told, InputSource):
        return told
    if isinstance(told, InputFile):
        return InputSource(file=told)
    return InputSource(column=told, is_optional=is_optional, is_told=is_told)


def long_inputs(task: TaskSpec, sources: Mapping[str, InputSource]) -> Iterator[str]:
    """Files longer than a window of the text itself, in words: every request carries the whole of one."""
    most = task.window.max_chars
    for name, source in sources.items():
        if source.file is not None and (length := len(source.file.text)) > most:
            yield (
                f"the input {name!r} from {source.file.path} has {length:,} characters, more than the {most:,} of a window of "
                f"text: every request carries it, about {length // 4:,} tokens; shorten it, or mind the limit of tokens a minute"
            )
