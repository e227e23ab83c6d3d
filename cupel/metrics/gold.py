"""What people said of documents, read in one format (docs/reference/labels.md): gold records, and pass or fail.

It stands in a column of the documents' own file, or in a file of its own, and is held against the task's schema and
labels before anything is paid. What cannot be used is an error that names its lines; what is left out is counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cupel.errors import InputError, MissingColumnError
from cupel.metrics.evaluation import KINDS
from cupel.metrics.records import METRICS
from cupel.state import Record
from cupel.tables import Row, Table, doc_id_text, open_table
from cupel.task import Field, TaskSpec, schema_faults
from cupel.text import document_id

COLUMN = "gold"
PASSES = (True, "pass", "accept", "accepted", "yes", "true", "right")
FAILS = (False, "fail", "reject", "rejected", "no", "false", "wrong")
_CHECKED = ("true", "yes", "y", "x", "1", "done")
_SHOWN = 5
"""Faults of a file that are told; all of them are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What people said of one document.

    Attributes:
        doc_id: Its id.
        where: File and line, for messages.
        gold: What its record should be; fields left out are not annotated. None where nobody said.
        record: The record they looked at.
        passed: Whether that record passes as a whole.
        criteria: Criterion of the judge → whether the record passes it.
        values: The line as it is.
    """

    doc_id: str
    where: str
    gold: Record | None = None
    record: Record | None = None
    passed: bool | None = None
    criteria: Mapping[str, bool] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """A file of labels.

    Attributes:
        source: The file.
        lines: Its documents, each once.
        notes: What was left out, and how much of it, in sentences.
    """

    source: str
    lines: Sequence[Labelled]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """The gold of the documents of one input.

    Attributes:
        source: The file or column it is from.
        by_id: Document id → gold, of a file of its own.
        by_position: Row of the input → gold, of a column.
        notes: What was left out.
    """

    source: str
    by_id: Mapping[str, Record] = field(default_factory=dict)
    by_position: Mapping[int, Record] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.by_id) + len(self.by_position)

    def of(self, position: int, doc_id: str) -> Record | None:
        """The gold of one document; None where there is none."""
        return self.by_position.get(position) or self.by_id.get(doc_id)

    def match(self, doc_ids: Collection[str]) -> str | None:
        """How many labels are of no document here; None where all are of one.

        Raises:
            InputError: If none of them is: the ids are other ones, and nothing would be scored.
        """
        lone = [name for name in self.by_id if name not in doc_ids]
        if not lone:
            return None
        if len(lone) == len(self.by_id) and doc_ids:
            raise InputError(
                f"{self.source}: none of its {len(lone)} ids, such as {lone[0]!r}, is of a document here, such as "
                f"{next(iter(doc_ids))!r}; name the column both files have with --id-column, or make the file anew with "
                "`cupel labels make`"
            )
        return f"{self.source}: {_count(lone, 'label')} of no document here, such as {lone[0]!r}: left out"


def open_gold(
    told: str, table: Table, task: TaskSpec, *, id_column: str | None = None, scored: bool = True
) -> Gold | None:
    """The gold of a table's documents.

    Args:
        told: A file of labels, or a column of the table; empty for the column `gold`, where the table has one.
        table: The documents.
        task: Whose record the gold is.
        id_column: Where their ids stand; looked for in a file of labels too.
        scored: Whether the task's metric is to compare it; else what only a data set's own figures use will do.

    Returns:
        None where nothing was told and nothing is there.

    Raises:
        InputError: For no such file or column, or gold that cannot be used, naming its lines.
    """
    if told and _names_file(told, table):
        labels = read_labels(Path(told), task, id_column=id_column, scored=scored)
        found = {line.doc_id: line.gold for line in labels.lines if line.gold is not None}
        if not found:
            raise InputError(
                f"{told}: holds no gold that can be used ({'; '.join(labels.notes) or 'no lines'})"
            )
        beside = (f"the gold is that of {told}; the input's own column {COLUMN!r} is not used",)
        notes = (*labels.notes, *(beside if COLUMN in table.columns else ()))
        return Gold(source=told, by_id=found, notes=notes)
    column = told or COLUMN
    named = [name for name in table.columns if name == column or name.startswith(f"{column}.")]
    if not named:
        if told:
            raise InputError(
                f"{table.name}: no gold {told!r}: neither a file nor a column; the columns are {', '.join(table.columns)}"
            )
        return None
    return _of_column(table, task, column, scored=scored)


def gold_if_any(
    told: str, table: Table, task: TaskSpec, *, id_column: str | None = None
) -> tuple[Gold | None, list[str]]:
    """The gold of a table for what runs without it too, and what to say of it.

    A column `gold` that nobody named and that is no gold of this task is left alone, and that is said.

    Raises:
        InputError: For gold that was named and cannot be used.
    """
    try:
        gold = open_gold(told, table, task, id_column=id_column)
    except InputError as error:
        if told:
            raise
        return None, [
            f"the column 'gold' is not used: it is none of this task. `--gold gold` insists on it. {error}"
        ]
    return gold, tell_gold(gold, table)


def tell_gold(gold: Gold | None, table: Table) -> list[str]:
    """What to say of the gold of a table's documents: what was left out, and labels of documents that are not there.

    Raises:
        InputError: Where no label is of a document here.
    """
    if gold is None:
        return []
    ids = {row.doc_id or document_id(str(row.text), row.inputs) for row in table} if gold.by_id else set()
    lone = gold.match(ids) if gold.by_id else None
    return [*gold.notes, *([lone] if lone else [])]


def _names_file(told: str, table: Table) -> bool:
    """Whether a file is meant: it is there, or the name says so, and it is no column's."""
    if told in table.columns:
        return False
    path = Path(told)
    return path.is_file() or bool(path.suffix) or path.name != told


def _of_column(table: Table, task: TaskSpec, column: str, *, scored: bool) -> Gold | None:
    faults, found, empty, unchecked = _Faults(table.name), dict[int, Record](), 0, 0
    for row in table:
        where = place_of(row, table.name)
        if not is_checked(row.values):
            unchecked += 1
            continue
        try:
            gold = gold_of(row.values, task, column=column, scored=scored)
        except InputError as error:
            faults.add(where, str(error))
            continue
        if gold is None:
            empty += 1
        else:
            found[row.position] = gold
    faults.settle(task)
    notes = _left_out(table.name, empty=empty, unchecked=unchecked)
    return Gold(source=f"{table.name}, column {column}", by_position=found, notes=notes) if found else None


def read_labels(path: Path, task: TaskSpec, *, id_column: str | None = None, scored: bool = True) -> Labels:
    """A file of labels: any table with the documents' ids and what people said (docs/reference/labels.md).

    Raises:
        InputError: For no such file, no column of ids, or lines that cannot be used, naming them.
    """
    table = _open_labels(path, task, id_column)
    faults, lines, empty, unchecked, same = _Faults(str(path)), dict[str, Labelled](), 0, 0, 0
    called_record = 0
    for row in table:
        where = place_of(row, str(path))
        try:
            line = _line(row, task, where, ids=_id_columns(task, id_column), scored=scored)
        except InputError as error:
            faults.add(where, str(error))
            continue
        if line is None:
            unchecked += 1
            continue
        if line.gold is None and line.passed is None and not line.criteria:
            empty += 1
            continue
        before = lines.setdefault(line.doc_id, line)
        if before is not line:
            if (before.gold, before.passed, before.criteria) != (line.gold, line.passed, line.criteria):
                faults.add(
                    where,
                    f"the id {line.doc_id!r} stands in {before.where} too, and says something else there",
                )
            same += 1
        called_record += line.gold is not None and line.gold is line.record
    faults.settle(task)
    notes = _left_out(str(path), empty=empty, unchecked=unchecked, same=same)
    if called_record:
        notes = (
            *notes,
            f"{path}: `record` is read as the gold of {called_record} lines, which have no `gold`",
        )
    return Labels(source=str(path), lines=list(lines.values()), notes=notes)


def _open_labels(path: Path, task: TaskSpec, id_column: str | None) -> Table:
    names = _id_columns(task, id_column)
    for name in (*names, "record"):  # a record with its text needs no id
        try:
            return open_table(path, name)
        except MissingColumnError:
            continue
    raise InputError(f"{path}: has no column of ids ({', '.join(names)}); name it with --id-column")


def _id_columns(task: TaskSpec, id_column: str | None) -> list[str]:
    """Where a document's id may stand: ours, and as a run's output calls it."""
    return [name for name in (id_column, "id", "doc_id", f"{task.name}_doc_id") if name]


def _line(row: Row, task: TaskSpec, where: str, *, ids: Sequence[str], scored: bool) -> Labelled | None:
    """One line; None for one that nobody has checked yet."""
    values = row.values
    if row.problem:
        raise InputError(row.problem)
    doc_id = next((found for name in ids if (found := doc_id_text(values.get(name)))), None)
    if doc_id is None and values.get("text") and values.get("record") is not None:
        doc_id = where
    if doc_id is None:
        raise InputError("has no id")
    if not is_checked(values):
        return None
    said = {
        name: verdict_of(value) for name, value in (_object(values.get("labels"), "labels") or {}).items()
    }
    known = [criterion.id for criterion in task.criteria]
    if unknown := [name for name in said if name not in known]:
        raise InputError(f"no criterion {unknown[0]!r}; {task.name} has {', '.join(known)}")
    passed = verdict_of(values.get("label"))
    record, gold = _object(values.get("record"), "record"), gold_of(values, task, scored=scored)
    has_gold = any(name == COLUMN or name.startswith(f"{COLUMN}.") for name in values)
    if not has_gold and record and "label" not in values and "labels" not in values:
        gold = record = _checked_gold(record, task, scored=scored)
    return Labelled(
        doc_id=doc_id, where=where, gold=gold, record=record, passed=passed, values=values,
        criteria={name: value for name, value in said.items() if value is not None},
    )  # fmt: skip


def verdict_of(value: Any) -> bool | None:
    """Pass or fail as a person writes it; None for what they could not decide.

    Raises:
        InputError: For anything else.

    >>> verdict_of("Pass"), verdict_of("no"), verdict_of("unknown")
    (True, False, None)
    """
    said = value.strip().lower() if isinstance(value, str) else value
    if said is None or said in ("unknown", "") or _is_nan(said):
        return None
    if isinstance(said, bool | str) and said in PASSES:
        return True
    if isinstance(said, bool | str) and said in FAILS:
        return False
    raise InputError(f"the label {value!r} is neither pass nor fail")


def is_checked(values: Mapping[str, Any]) -> bool:
    """Whether a person has looked at a line: all have, but for one whose `checked` says nobody did."""
    if "checked" not in values:
        return True
    value = values["checked"]
    return value is True or str(value).strip().lower() in _CHECKED


def gold_of(
    values: Mapping[str, Any], task: TaskSpec, *, column: str = COLUMN, scored: bool = True
) -> Record | None:
    """The gold in a row: an object or its JSON, a plain value of the field the metric names, or columns `gold.FIELD`.

    Raises:
        InputError: For what is no gold of this task, without the place.
    """
    whole = _plain_gold(values.get(column), task)
    for name, value in values.items():
        part = name.removeprefix(f"{column}.")
        if part == name or _is_empty(value):
            continue
        if part not in task.fields:
            raise InputError(_unknown(part, task))
        whole = {**(whole or {}), part: _typed(value, task.fields[part], part)}
    return _checked_gold(whole, task, scored=scored) if whole else None


def _plain_gold(value: Any, task: TaskSpec) -> Record | None:
    if _is_empty(value):
        return None
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = _json(value)
    if isinstance(value, Mapping):
        return {str(name): part for name, part in value.items()} or None
    one = task.metric if task.metric in task.fields else next(iter(task.asked_fields), "")
    if task.metric not in task.fields and len(task.asked_fields) != 1:
        raise InputError(
            f"{_show(value)} is no object, and the metric {task.metric!r} names no one field it could be; write "
            f'{{"{one}": …}}, or use columns such as {COLUMN}.{one}'
        )
    return {one: _typed(value, task.fields[one], one)}


def _typed(value: Any, place: Field, name: str) -> Any:
    """A cell as the field's kind: a table of text has nothing but text."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if place.kind in ("array", "object", "integer", "number", "boolean") or (
        place.is_nullable and text == "null"
    ):
        try:
            return json.loads(text.lower() if place.kind == "boolean" else text)
        except ValueError:
            raise InputError(f"{name}: {_show(value)} is no {place.kind} in JSON") from None
    return text


def _checked_gold(gold: Record, task: TaskSpec, *, scored: bool) -> Record:
    """The gold, if it is one of this task.

    Raises:
        InputError: For the first thing that does not fit.
    """
    own = {name: value for name, value in gold.items() if name in task.fields}
    if unknown := [name for name in gold if name not in task.fields and name not in KINDS]:
        raise InputError(_unknown(unknown[0], task))
    if scored:
        _check_comparable(own, gold, task)
    for fault in schema_faults(own, {**task.schema, "required": []}):
        if not fault.is_of_absence:
            raise InputError(f"{fault.where + ': ' if fault.where else ''}{fault.words}")
    for path, value, labels in _labelled_values(own, task):
        if value not in labels:
            raise InputError(f"{path}: {_show(value)} is none of the labels {', '.join(labels)}")
    return gold


def _check_comparable(own: Mapping[str, Any], gold: Mapping[str, Any], task: TaskSpec) -> None:
    """Gold that says nothing of what is compared would make every record right."""
    compared = [task.metric] if task.metric in task.fields else list(task.fields)
    if task.metric == "items":
        compared = [name for name, place in task.fields.items() if place.kind == "array"]
    if not any(name in own for name in compared):
        metric = (
            ""
            if task.metric in METRICS and task.metric != "items"
            else f", which the metric {task.metric!r} compares"
        )
        raise InputError(f"has none of {', '.join(compared)}{metric}; it has {', '.join(gold) or 'nothing'}")


def _unknown(name: str, task: TaskSpec) -> str:
    near = get_close_matches(name, task.fields, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{task.name} has no field {name!r}{hint} (fields: {', '.join(task.fields)})"


def _labelled_values(gold: Mapping[str, Any], task: TaskSpec) -> Iterator[tuple[str, Any, Mapping[str, str]]]:
    """Every value that has defined labels, where the schema does not list them."""
    for name, labels in task.labels.items():
        for top, value in gold.items():
            place = task.fields[top]
            if top == name and not place.is_choice and isinstance(value, str):
                yield top, value, labels
            inner = place.item().fields.get(name) if isinstance(value, list) else None
            if inner is not None and not inner.is_choice:
                for number, item in enumerate(value):
                    if isinstance(item, Mapping) and isinstance(item.get(name), str):
                        yield f"{top}/{number}/{name}", item[name], labels


@dataclass(slots=True)
class _Faults:
    """Lines that cannot be used."""

    source: str
    lines: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, where: str, words: str) -> None:
        self.lines.append(f"  {where}: {words}")

    def settle(self, task: TaskSpec) -> None:
        """Raise where there are any."""
        if not self.lines:
            return
        more = f"\n  … and {len(self.lines) - _SHOWN} more" if len(self.lines) > _SHOWN else ""
        one = len(self.lines) == 1
        raise InputError(
            f"{self.source}: {len(self.lines)} {'line is' if one else 'lines are'} no labels of task {task.name!r}:\n"
            + "\n".join(self.lines[:_SHOWN])
            + f"{more}\nMend {'it' if one else 'them'}, or leave the gold empty there: such a line is left out and counted"
        )


def place_of(row: Row, source: str) -> str:
    """File and line of a row, or its number where there are no lines."""
    return f"{source}:{row.line}" if row.line is not None else f"{source}, row {row.position + 1}"


def _left_out(source: str, *, empty: int = 0, unchecked: int = 0, same: int = 0) -> tuple[str, ...]:
    """What was left out, in sentences."""
    told = (
        (empty, "no gold or label: left out"),
        (unchecked, "not checked by anybody yet (`checked` says so): left out"),
        (same, "the same as an earlier one of the same id: counted once"),
    )
    return tuple(
        f"{source}: {count} {'line' if count == 1 else 'lines'} {_verb(words, count)}"
        for count, words in told
        if count
    )


def _verb(words: str, count: int) -> str:
    if words.startswith("no "):
        return f"{'has' if count == 1 else 'have'} {words}"
    return f"{'is' if count == 1 else 'are'} {words}"


def _count(things: Sequence[Any], name: str) -> str:
    return f"1 {name} is" if len(things) == 1 else f"{len(things)} {name}s are"


def _object(value: Any, name: str) -> Record | None:
    if _is_empty(value):
        return None
    found = _json(value) if isinstance(value, str) else value
    if not isinstance(found, Mapping):
        raise InputError(f"{name} is no object: {_show(value)}")
    return {str(key): part for key, part in found.items()}


def _json(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{_show(text)} is no JSON ({error})") from None


def _is_empty(value: Any) -> bool:
    return value is None or _is_nan(value) or (isinstance(value, str) and not value.strip())


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and value != value  # noqa: PLR0124 - what only NaN is


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
