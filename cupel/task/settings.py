"""What task.toml and its tables may say, and in which form."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from cupel.errors import TaskError
from cupel.task.spec import Checks, Rule, TaskCriterion, Window

Kind = TypeVar("Kind")

Form = tuple[str, Callable[[Any], bool]]
"""What a value has to be: in words, and as a check."""

_AT = re.compile(r"at line (\d+), column (\d+)")
_NO_WORD = re.compile(r"[#\"'\[\]{}]")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_weight(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_groups(value: Any) -> bool:
    return isinstance(value, list) and all(_is_texts(group) and len(set(group)) > 1 for group in value)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _are_tables(values: Any) -> bool:
    return isinstance(values, list) and all(map(_is_table, values))


def _are_named_tables(values: Any) -> bool:
    return isinstance(values, Mapping) and all(map(_is_table, values.values()))


SETTINGS: Mapping[str, Form] = {
    "title": ("a text", _is_text),
    "description": ("a text", _is_text),
    "level": ('"document", the only level there is', lambda value: value == "document"),
    "inputs": ('a list of column names, such as ["topic"]', _is_texts),
    "optional_inputs": ('a list of column names, such as ["date"]', _is_texts),
    "output_language": ("a language, such as English", _is_text),
    "must_fill": ('a list of fields, such as ["stance"]', _is_texts),
    "metric": ("a text", _is_text),
    "wrong_below": ("a number from 0 to 1", _is_share),
    "window": ("a table [window]", _is_table),
    "merge": ("a table [merge]", _is_table),
    "labels": ("tables [labels.FIELD]", _are_named_tables),
    "criteria": ("tables [[criteria]]", _are_tables),
    "exclusive": ('groups of lists, such as [["claims", "premises"]]', _are_groups),
    "min_quote_words": ("a whole number, 0 or more", _is_count),
    "checks": ("a table [checks]", _is_table),
}
"""What may stand at the top of task.toml: in words, and as a check."""


def check_settings(settings: Mapping[str, Any], path: Path) -> None:
    """A key that means nothing is an error, not a setting without effect.

    Raises:
        TaskError: For an unknown key, or a value of the wrong form; it says what is right.
    """
    for name, value in settings.items():
        if name not in SETTINGS:
            raise TaskError(_unknown(name, SETTINGS), path=path)
        words, is_valid = SETTINGS[name]
        if not is_valid(value):
            raise TaskError(f"{name} {_shown(value)}: needs {words}", path=path)
    check_label_tables(settings.get("labels", {}), path)


def _shown(value: Any) -> str:
    """A value of the wrong form; tables are not written out."""
    if isinstance(value, Mapping):
        return "is a table"
    return "is a list of tables" if value and _are_tables(value) else f"= {value!r}"


def check_label_tables(labels: Mapping[str, Any], path: Path) -> None:
    """Each table of labels stands under a field's bare name, and says in a text what each label means.

    Raises:
        TaskError: For a table inside one, and a definition that is no text.
    """
    for field, told in labels.items():
        for label, definition in told.items() if isinstance(told, Mapping) else [("", told)]:
            if isinstance(definition, Mapping):
                raise TaskError(
                    f"[labels.{field}]: {label!r} is a table; labels go by the bare name of their field, inside a list too: "
                    f"write [labels.{label}]",
                    path=path,
                )
            if not isinstance(definition, str):
                raise TaskError(
                    f"[labels.{field}] {label} = {definition!r}: needs a text that says what the label means",
                    path=path,
                )


def _unknown(name: str, known: Mapping[str, Any], where: str = "") -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{where}unknown key {name!r}{hint} (keys: {', '.join(known)})"


def _is_pairs(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value.values()))


CHECKS: Mapping[str, Form] = {
    "iso": ('a list of fields, such as ["events/iso"]', _is_texts),
    "paths": ('fields and the input each is a path of, such as { "categories/path" = "taxonomy" }', _is_pairs),
    "values": ('fields and the input each is a value of, such as { "topics/theme" = "topics" }', _is_pairs),
    "cover": ('a list of quotes, such as ["sections/begins"]', _is_texts),
    "digits": ('fields and the one beside it with the text, such as { "citations/normal" = "citations/quote" }', _is_pairs),
}  # fmt: skip
"""What `[checks]` may declare: in words, and as a check."""


def read_checks(told: Mapping[str, Any], path: Path) -> Checks:
    """The table `[checks]`.

    Raises:
        TaskError: For an unknown check, or one in the wrong form.
    """
    for name, value in told.items():
        if name not in CHECKS:
            raise TaskError(_unknown(name, CHECKS, "[checks]: "), path=path)
        words, is_valid = CHECKS[name]
        if not is_valid(value):
            raise TaskError(f"[checks] {name} = {value!r}: needs {words}", path=path)
    return Checks(
        iso=tuple(told.get("iso", ())), paths=told.get("paths", {}), values=told.get("values", {}),
        cover=tuple(told.get("cover", ())), digits=told.get("digits", {}),
    )  # fmt: skip


_TABLES: Mapping[type, Mapping[str, Form]] = {
    TaskCriterion: {
        "id": ("a text", _is_text), "question": ("a text", _is_text), "critical": ("true or false", _is_flag),
        "weight": ("a number, 0 or more", _is_weight),
        "way": ('"criteria" or "items", or nothing for both', lambda value: value in ("", "criteria", "items")),
    },
    Window: dict.fromkeys(("max_chars", "overlap_chars"), ("a whole number, 0 or more", _is_count)),
    Rule: {},
}  # fmt: skip
"""What the values of a table are; of a rule `check_rules` looks."""


def read_table(kind: type[Kind], row: Mapping[str, Any], where: str, path: Path) -> Kind:
    """A criterion, a rule or the window, from its table.

    Args:
        kind: The class it becomes; its fields are the keys there are.
        row: The table.
        where: How the file calls it, such as `[window]`.
        path: The file.

    Raises:
        TaskError: For an unknown key, one that is missing, or a value of the wrong form.
    """
    every = {one.name: one for one in dataclasses.fields(kind)}  # type: ignore[arg-type]  # the three are dataclasses
    for name, value in row.items():
        if name not in every:
            raise TaskError(_unknown(name, every, f"{where}: "), path=path)
        words, is_valid = _TABLES[kind].get(name, ("", lambda _: True))
        if not is_valid(value):
            raise TaskError(f"{where} {name} = {value!r}: needs {words}", path=path)
    for name, one in every.items():
        if name not in row and one.default is dataclasses.MISSING:
            raise TaskError(f"{where} lacks {name!r}; write it (keys: {', '.join(every)})", path=path)
    return kind(**row)


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """What a text in TOML says.

    Raises:
        TaskError: If it is none; where a text stands without its quotes, it says so.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise TaskError(f"not valid TOML: {error}{_hint_at_quotes(text, str(error))}", path=path) from error


def _hint_at_quotes(text: str, error: str) -> str:
    """What to write for a value that is a bare word; nothing where the fault is another.

    >>> _hint_at_quotes("title = Moods", "Invalid value (at line 1, column 9)")
    '; put texts in quotes: title = "Moods"'
    >>> _hint_at_quotes("critical = True", "Invalid value (at line 1, column 12)")
    '; write true in small letters'
    """
    place = _AT.search(error)
    if place is None:
        return ""
    line = text.split("\n")[int(place[1]) - 1]
    name, _, value = line.partition("=")
    word = _NO_WORD.split(value, maxsplit=1)[0].strip()
    if word[:1].isalpha() and value.lstrip().startswith(word):
        if word.lower() in ("true", "false"):
            return "" if word.islower() else f"; write {word.lower()} in small letters"
        return f"; put texts in quotes: {name.strip()} = {json.dumps(word, ensure_ascii=False)}"
    starts_bare = line[int(place[2]) - 1 :][:1].isalpha()
    return "; put texts in quotes" if starts_bare and "Invalid value" in error else ""
