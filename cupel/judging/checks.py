"""What code can decide about a record is never asked of a model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cupel.judging.declared import declared_faults
from cupel.judging.findings import Finding
from cupel.judging.quotes import shared_spans, short_quotes
from cupel.judging.references import reference_faults
from cupel.state import Evidence, Match, Record
from cupel.task import TaskSpec, grounded_quotes, schema_faults, shape_of
from cupel.text import is_grounded

_MOST_PER_CHECK = 5
"""A record that is wrong throughout is told its first few faults, not hundreds."""

_SHOWN = 80
_ADDRESSES_JUDGE = re.compile(
    r"\b(?:perfect|flawless|excellent) (?:answer|record|extraction)\b"
    r"|\ball (?:criteria|checks) (?:pass|passed|are met|met)\b"
    r"|\bthis (?:record|answer|extraction) is (?:correct|complete|perfect|accurate)\b"
    r"|\bthought process\s*:|\blet['’]s solve this problem\b|\bverdict\s*[:=]\s*accept"
    r"|[\"']?finding[\"']?\s*[:=]\s*[\"']?pass\b"
    r"|\b(?:dear|note (?:to|for)(?: the)?|attention) (?:judge|grader|evaluator)\b",
    re.IGNORECASE,
)
"""What a record says to its judge instead of about its document (arXiv 2507.08794, "One Token to Fool …")."""

_NO_LETTER = re.compile(r"[\W_]+")
_OPENERS = frozenset({"solution", "answer", "final answer", "explanation", "reasoning"})


def certain_faults(
    record: Record,
    task: TaskSpec,
    evidence: Sequence[Evidence],
    *,
    text: str = "",
    inputs: Mapping[str, Any] | None = None,
) -> Iterator[tuple[str, str]]:
    """What is wrong with a record whatever anyone thinks of the rest, each as the check it fails and in words.

    Looked at before any judge, and outvoted by none: `id` (given twice in a list), `reference` (to an id that is not
    there), and what the task declares: `exclusive` (one span in two lists), `words` (a quote of too few), and the
    checks of `declared_faults`.

    Args:
        record: The record.
        task: Its task.
        evidence: Where each quote stands, by its path.
        text: The document.
        inputs: Its further inputs, of which a value may have to be one.
    """
    yield from reference_faults(record, task.schema)
    for fault in shared_spans(evidence, task.exclusive):
        yield "exclusive", fault
    for fault in short_quotes(evidence, task.min_quote_words):
        yield "words", fault
    yield from declared_faults(record, task, evidence, text=text, inputs=inputs or {})


def code_checks(
    record: Record,
    task: TaskSpec,
    evidence: Sequence[Evidence],
    *,
    text: str,
    inputs: Mapping[str, Any] | None = None,
) -> tuple[Finding, ...]:
    """Check a record by code alone.

    Checks, by the name their findings carry: `schema` (validity), `enum` (labels outside the list),
    `duplicate` (items said twice at the same place), `quote` (every quote at its offsets in the text),
    `judge_address` (values that talk to the judge, or say nothing, and are not the document's words), and
    those of `certain_faults`.

    Args:
        record: The record.
        task: Its task, whose schema marks quotes `x-grounded`.
        evidence: Where each quote stands, by its path.
        text: The document, as the offsets refer to it.
        inputs: Its further inputs.

    Returns:
        One finding per fault, all of them `fail`; empty for a faultless record.
    """
    certain = certain_faults(record, task, evidence, text=text, inputs=inputs)
    faults = [
        *_schema_faults(record, task.schema),
        *_repetitions(task.shown(record), evidence),
        *_quote_faults(record, task.schema, evidence, text),
        *(_fault(check, reasoning) for check, reasoning in certain),
        *_judge_addresses(task.shown(record), task.asked, text),
    ]
    kept: dict[str, list[Finding]] = {}
    for fault in faults:
        kept.setdefault(fault.criterion, []).append(fault)
    return tuple(fault for findings in kept.values() for fault in findings[:_MOST_PER_CHECK])


def _fault(check: str, reasoning: str, quote: str | None = None, match: Match | None = None) -> Finding:
    return Finding(
        criterion=check, finding="fail", reasoning=reasoning, evidence_quote=quote, quote_match=match
    )


def _schema_faults(record: Record, schema: Mapping[str, Any]) -> Iterator[Finding]:
    for fault in schema_faults(record, schema):
        yield _fault("enum" if fault.is_of_labels else "schema", f"/{fault.where}: {_short(fault.words)}")


def _repetitions(record: Record, evidence: Sequence[Evidence]) -> Iterator[Finding]:
    """Items of one list with equal content at equal places; their ids do not tell them apart."""
    places = _places_by_item(evidence)
    for path, items in walk(record):
        if not isinstance(items, list):
            continue
        seen: dict[str, int] = {}
        for index, item in enumerate(items):
            content = f"{_content(item)} {places.get(f'{path}/{index}', '')}"
            first = seen.setdefault(content, index)
            if first != index:
                yield _fault("duplicate", f"{path}/{index} repeats {path}/{first}")


def _places_by_item(evidence: Sequence[Evidence]) -> dict[str, list[tuple[int | None, int | None]]]:
    """For each prefix of each quote's path, where the quotes under it stand."""
    places: dict[str, list[tuple[int | None, int | None]]] = {}
    for entry in evidence:
        parts = entry["path"].split("/")
        for depth in range(2, len(parts) + 1):
            places.setdefault("/".join(parts[:depth]), []).append((entry["start"], entry["end"]))
    return places


def _content(item: Any) -> str:
    shown = {key: value for key, value in item.items() if key != "id"} if isinstance(item, dict) else item
    return " ".join(json.dumps(shown, sort_keys=True, ensure_ascii=False, default=str).casefold().split())


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """A value and everything in it, each with its JSON pointer; what holds others before what it holds."""
    yield path, value
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield from walk(child, f"{path}/{key}")


def _quote_faults(
    record: Record, schema: Mapping[str, Any], evidence: Sequence[Evidence], text: str
) -> Iterator[Finding]:
    by_path = {entry["path"]: entry for entry in evidence}
    for path, quote in grounded_quotes(record, schema):
        entry = by_path.get(path)
        fault = _quote_fault(quote, entry, text)
        if fault is not None:
            yield _fault("quote", f"{path}: {fault}", _short(quote), entry["match"] if entry else None)


def _quote_fault(quote: str, entry: Evidence | None, text: str) -> str | None:
    if entry is None or entry["quote"] != quote:
        return "the quote has no place in the text"
    if not is_grounded(entry["match"]):
        difference = f" ({_short(entry['diff'])})" if entry["diff"] else ""
        return f"the quote is {entry['match']}{difference}; copy the document's words exactly"
    start, end = entry["start"], entry["end"]
    if start is None or end is None or not 0 <= start < end <= len(text):
        return f"the offsets [{start}, {end}) are not in a text of {len(text)} characters"
    if entry["match"] == "verbatim" and text[start:end] != quote:
        return f"the text at [{start}, {end}) is {_short(text[start:end])!r}, not the quote"
    return None


def _judge_addresses(record: Record, schema: Mapping[str, Any], text: str) -> Iterator[Finding]:
    folded = text.casefold()
    for part in shape_of(schema).parts(record):
        value = part.value
        if not isinstance(value, str) or value in part.labels:
            continue  # a label is the task's word, such as `answer` for a kind of reply
        fault = judge_address(value)
        # the document's own words are no address, unless they are bare punctuation
        if fault is not None and (_NO_LETTER.fullmatch(value) or value.strip().casefold() not in folded):
            yield _fault("judge_address", f"{part.pointer}: {fault}")


def judge_address(value: str) -> str | None:
    """Say how a value talks to its judge or says nothing, or None when it does neither.

    >>> judge_address("Thought process: the record holds.")
    "speaks to the judge: 'Thought process:'"
    >>> judge_address(":")
    "says nothing: ':'"
    >>> judge_address("The Union must act on solutions.")
    """
    if address := _ADDRESSES_JUDGE.search(value):
        return f"speaks to the judge: {address.group()!r}"
    if value and (_NO_LETTER.fullmatch(value) or value.strip(" .:!").casefold() in _OPENERS):
        return f"says nothing: {_short(value)!r}"
    return None


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
