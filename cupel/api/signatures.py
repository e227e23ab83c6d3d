"""Signatures and docstrings of functions that take settings: each setting is declared once, in `RunContext`, and said here."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from inspect import Parameter
from typing import Any, TypeVar

from cupel.context import RunContext

F = TypeVar("F", bound=Callable[..., Any])

_LINE = re.compile(r"^( *)\*\*settings: .*\n", re.MULTILINE)
_WIDTH = 118


def with_settings(function: F) -> F:
    """Have a function that takes `**settings` show them: by name, with default and meaning, in `help` and completion."""
    taken = inspect.signature(function).parameters
    own = [each for each in taken.values() if each.kind is not Parameter.VAR_KEYWORD]
    _show(function, own + _settings(set(taken)))
    function.__doc__ = _LINE.sub(lambda line: _told(line.group(1), set(taken)), function.__doc__ or "")
    return function


def twin_of(other: Callable[..., Any]) -> Callable[[F], F]:
    """Have a plain function show the parameters of its async twin, and what it says of them."""

    def show(function: F) -> F:
        shown = inspect.signature(other)
        _show(function, list(shown.parameters.values()))
        summary, _, _ = (function.__doc__ or "").partition("\n")
        _, _, arguments = (other.__doc__ or "").partition("\n")
        function.__doc__ = f"{summary}\n{arguments}"
        return function

    return show


def _show(function: Callable[..., Any], parameters: list[Parameter]) -> None:
    returned = inspect.signature(function).return_annotation
    function.__signature__ = inspect.Signature(parameters, return_annotation=returned)  # type: ignore[attr-defined]  # what `help` reads


def _settings(taken: set[str]) -> list[Parameter]:
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, default=field.default, annotation=field.annotation)
        for name, field in RunContext.model_fields.items()
        if name not in taken
    ]


def _told(indent: str, taken: set[str]) -> str:
    """A line for each setting, as the docstring has its other arguments."""
    lines = []
    for name, field in RunContext.model_fields.items():
        if name in taken:
            continue
        default = f" Default {field.default!r}." if field.default not in (None, "", ()) else ""
        words = f"{name}: {field.description}{default}"
        lines.append(
            textwrap.fill(
                words,
                _WIDTH,
                initial_indent=indent,
                subsequent_indent=f"{indent}    ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
    return "\n".join(lines) + "\n"
