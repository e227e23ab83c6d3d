"""A run and its documents in a terminal: what `cupel run` and `cupel show` print, as rich renderables.

Text of documents and models is shown as text: no rich markup in it is obeyed, and control characters (which
could drive the terminal) are shown as their signs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from cupel._format import JURY_WORDS, count, fraction, safe, seconds, share, status_words, usd
from cupel.report.summary import RunSummary
from cupel.state import AddendumRecord, Attempt, Call, Evidence, FindingRecord, Outcome, VerdictRecord

_STATUS_STYLES = {"accepted": "green", "needs_review": "yellow", "failed": "red"}
_VERDICT_STYLES = {"accepted": "green", "rejected": "red", "unknown": "yellow"}
_MATCH_STYLES = {
    "verbatim": "black on green",
    "normalised": "black on cyan",
    "elided": "black on magenta",
    "altered": "black on yellow",
    "absent": "red",
}
_LONG = 300
"""Characters of an item that is shown beside another."""

_SIGNS = {"pass": ("✓", "green"), "fail": ("✗", "red"), "unknown": ("?", "yellow")}


def summary_table(run: RunSummary) -> RenderableType:
    """Return the run's totals: statuses, calls and cost by model."""
    statuses = Table(box=None, pad_edge=False, show_header=False)
    for name, number in run.statuses.items():
        words = Text(status_words(name), style=_STATUS_STYLES.get(name, ""))
        of_all = Text(share(number, run.documents), style="dim", justify="right")
        statuses.add_row(words, Text(count(number), justify="right"), of_all)
    parts: list[RenderableType] = [statuses]
    if run.calls:
        parts.append(_columns(("model", "calls", "cost"), _model_rows(run)))
    total = f"paid by the run {usd(run.cost_usd_total)} · {seconds(run.wall_s)} · {count(run.cache_hits)} answers from the run log"
    parts.append(Text(total, style="dim"))
    parts.extend(Text(safe(note), style="dim italic") for note in run.notes)
    return Group(*parts)


def document_trail(outcome: Outcome, text: str, gold: Mapping[str, Any] | None = None) -> RenderableType:
    """Return everything that happened to one document, in order.

    The text with its evidence marked, the record, the gold it was held against where there is any, then each attempt with its signals and doubts, the judge's
    findings on it, the instructions that followed, and every call with its tokens, cost and latency.
    """
    parts: list[RenderableType] = [_head(outcome)]
    parts += [
        Text(f"  {safe(reason)}", style=_STATUS_STYLES[outcome["status"]]) for reason in outcome["reasons"]
    ]
    parts += [_rule("text"), marked_text(text, outcome["evidence"]), _legend(outcome["evidence"])]
    parts += [_rule("record"), _json(outcome["record"])]
    parts += _quotes(outcome["evidence"])
    parts += _gold(gold) if gold is not None else []
    for attempt in outcome["attempts"]:
        parts += _attempt(attempt, outcome)
        for verdict in outcome["verdicts"]:
            if verdict["attempt"] == attempt["number"]:
                parts += _verdict(verdict)
        for addendum in outcome["addenda"]:
            if addendum["after_attempt"] == attempt["number"]:
                parts += _addendum(addendum)
    if others := outcome.get("other_calls"):
        parts += [_rule("other calls paid for this document"), *_calls(others)]
    if (review := outcome["review"]) is not None:
        parts += [_rule(f"a person: {review['action']}"), Text(safe(review["note"]))]
    return Group(*parts)


def marked_text(text: str, evidence: Sequence[Evidence]) -> Text:
    """Return the text with every quote in its match's colour; later quotes lie on top."""
    marked = Text(safe(text))
    for item in evidence:
        for start, end in _spans(item):
            marked.stylize(_MATCH_STYLES[item["match"]], start, end)
    return marked


def _head(outcome: Outcome) -> Text:
    head = Text(safe(outcome["doc_id"]), style="bold")
    head.append("  ").append(status_words(outcome["status"]), style=_STATUS_STYLES[outcome["status"]])
    facts = [
        outcome["task"],
        outcome["tier"] or "",
        outcome["model"] or "",
        f"prompt {outcome['prompt_version']}" if outcome["prompt_version"] else "",
        _sure(outcome),
        usd(outcome["cost_usd"]),
        seconds(outcome["latency_s"]),
        outcome["language"] or "",
    ]
    head.append("\n" + safe(" · ".join(fact for fact in facts if fact)), style="dim")
    return head.append("\n" + safe(" → ".join(outcome["path"])), style="dim")


def _sure(outcome: Outcome) -> str:
    if outcome["confidence"] is not None:
        return f"confidence {fraction(outcome['confidence'])}"
    return "–" if outcome["score"] is None else f"score {fraction(outcome['score'])}"


def _rule(title: str) -> Rule:
    return Rule(Text(safe(title), style="bold"), align="left", style="dim")


def _spans(item: Evidence) -> Iterable[Sequence[int]]:
    if item["parts"]:
        return item["parts"]
    return [] if item["start"] is None or item["end"] is None else [(item["start"], item["end"])]


def _legend(evidence: Sequence[Evidence]) -> Text:
    legend = Text()
    for match, style in _MATCH_STYLES.items():
        if number := sum(item["match"] == match for item in evidence):
            legend.append(f" {match} ", style=style).append(f" {number}   ")
    return legend


def _json(value: Any) -> Text:
    return Text(safe(json.dumps(value, ensure_ascii=False, indent=2, default=str)))


def _quotes(evidence: Sequence[Evidence]) -> Iterator[Text]:
    """Only those that do not stand in the text as they are."""
    for item in evidence:
        if item["match"] != "verbatim":
            line = Text("  ").append(item["match"], style=_MATCH_STYLES[item["match"]])
            line.append(f" {safe(item['path'])}: {safe(item['quote'])}")
            yield line.append(f"  {safe(item['diff'])}" if item["diff"] else "", style="dim")


def _gold(held: Mapping[str, Any]) -> Iterator[RenderableType]:
    """What the record should have been, and each thing it has wrong: what it says beside what the gold says."""
    right = held["right"]
    verdict = "not answered" if right is None else "right" if right else "wrong"
    yield _rule(f"gold: {verdict}" + ("" if held["score"] is None else f", {held['score']:.2f}"))
    for each in held["differences"]:
        yield Text("  ✗ ", style="red").append(f"{each['fault']}: ", style="bold").append(safe(each["words"]))
        if each["given"] is not None or each["wanted"] is not None:
            given, wanted = (_short_json(each[name]) for name in ("given", "wanted"))
            yield Text(f"      record {given}\n      gold   {wanted}", style="dim")
    yield Padding(_json(held["gold"]), (0, 0, 0, 2))
    yield Text(safe(f"  from {held['source']}"), style="dim")


def _short_json(value: Any) -> str:
    if value is None:
        return "has nothing there"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return safe(text if len(text) <= _LONG else f"{text[:_LONG]}…")


def _attempt(attempt: Attempt, outcome: Outcome) -> Iterator[RenderableType]:
    refined = f", refined in round {attempt['round']}" if attempt["round"] else ""
    yield _rule(f"attempt {attempt['number']}: {attempt['tier']}{refined}")
    facts = [attempt["model"], f"prompt {attempt['prompt_version']}"]
    if attempt["fallback_for"]:
        facts.append(f"in place of {attempt['fallback_for']} during an outage")
    yield Text(safe(" · ".join(facts)), style="dim")
    if attempt["error"]:
        yield Text(safe(f"{attempt['error_kind'] or 'error'}: {attempt['error']}"), style="red")
    yield from (Text(f"in doubt: {safe(doubt)}", style="yellow") for doubt in attempt["doubts"])
    yield _signals(attempt)
    if attempt["record"] is not None and attempt["record"] != outcome["record"]:
        yield Padding(_json(attempt["record"]), (0, 0, 0, 2))
    yield from _calls(attempt["calls"])


def _signals(attempt: Attempt) -> Text:
    numbers: dict[str, float | None] = {**attempt["signals"], "score": attempt["score"]}
    if attempt["calibrated"]:
        numbers["confidence"] = attempt["confidence"]
    line = Text()
    for name, value in numbers.items():
        line.append(f"{safe(status_words(name))} ", style="dim").append(f"{fraction(value)}   ")
    return line


def _verdict(verdict: VerdictRecord) -> Iterator[RenderableType]:
    head = Text("judge: ", style="bold").append(verdict["verdict"], style=_VERDICT_STYLES[verdict["verdict"]])
    head.append(" (advisory)" if verdict["advisory"] else "")
    yield head.append(f"  {safe(verdict['model'] or 'code')}  {safe(verdict['reason'])}", style="dim")
    yield from _estimate(verdict)
    yield from (_finding(finding, "by code: ") for finding in verdict["code_findings"])
    yield from (_finding(finding, "") for finding in verdict["findings"] if not _is_right_item(finding))
    if verdict.get("mending"):
        yield Text(safe(f"  not refined: {verdict['mending']}"), style="dim")
    yield from _jury(verdict)
    yield from _calls(verdict["calls"])


def _is_right_item(finding: FindingRecord) -> bool:
    """Of items that are right the verdict tells how many they are."""
    return "path" in finding and finding["finding"] == "pass"


def _estimate(verdict: VerdictRecord) -> Iterator[RenderableType]:
    """What findings on items add up to, and what is known of the judge."""
    told = [f"by {verdict['way']}"] if verdict.get("way") else []
    if (estimate := verdict.get("estimate")) is not None:
        told += [f"{name} {estimate[name]:.2f}" for name in ("precision", "recall", "f1")]
        if estimate["low"] < estimate["high"]:
            told.append(f"between {estimate['low']:.2f} and {estimate['high']:.2f}")
        if estimate["confidence"] is not None:
            told.append(f"confidence {estimate['confidence']:.2f}")
    if verdict.get("measured"):
        told.append(f"judge {verdict['measured']}")
    if told:
        yield Text(safe("  " + " · ".join(told)), style="dim")


def _jury(verdict: VerdictRecord) -> Iterator[RenderableType]:
    """Every judge's own findings, where more than one was asked."""
    if (sat := verdict.get("jury")) is None:
        return
    head = Text(f"{JURY_WORDS[sat['why']]}: ", style="bold").append(
        sat["verdict"], style=_VERDICT_STYLES[sat["verdict"]]
    )
    yield head.append("  agreed" if sat["agreed"] else "", style="dim")
    for juror in sat["jurors"]:
        line = Text("  ").append(juror["verdict"], style=_VERDICT_STYLES[juror["verdict"]])
        vote = "" if juror["voted"] or sat["why"] == "audit" else "  no vote"
        yield line.append(
            safe(f"  {juror['model']} ({juror['family']}){vote}  {juror['reason']}"), style="dim"
        )
        yield from (
            Padding(_finding(finding, ""), (0, 0, 0, 2))
            for finding in juror["findings"]
            if not _is_right_item(finding)
        )


def _finding(finding: FindingRecord, by: str) -> Text:
    sign, style = _SIGNS[finding["finding"]]
    line = Text(f"  {sign} ", style=style).append(safe(finding["criterion"]), style="bold")
    line.append(f" {by}{safe(finding['reasoning'])}")
    if finding["evidence_quote"]:
        line.append(f" “{safe(finding['evidence_quote'])}”", style="italic")
        line.append(f" ({finding['quote_match']})" if finding["quote_match"] else "", style="dim")
    if (should_be := finding.get("should_be")) is not None:
        line.append(f" → {safe(str(should_be))}", style="dim")
    return line


def _addendum(addendum: AddendumRecord) -> Iterator[RenderableType]:
    yield Text("refine: ", style="bold").append(f"round {addendum['round']} on the {addendum['tier']} tier")
    for number, instruction in enumerate(addendum["instructions"]):
        answered = f"  ({safe(addendum['criteria'][number])})" if number < len(addendum["criteria"]) else ""
        yield Text(f"  {number + 1}. {safe(instruction)}").append(answered, style="dim")
    yield from (Text(f"  dropped: {safe(reason)}", style="dim") for reason in addendum["dropped"])
    yield from _calls(addendum["calls"])


def _calls(calls: Sequence[Call]) -> Iterator[RenderableType]:
    if calls:
        heads = ("call", "model", "in", "cached", "out", "cost", "latency", "")
        yield Padding(_columns(heads, map(_call_row, calls)), (0, 0, 0, 2))


def _call_row(call: Call) -> tuple[str, ...]:
    return (
        call["kind"],
        call["model"],
        count(call["input_tokens"]),
        count(call["cached_tokens"]),
        count(call["output_tokens"]),
        usd(call["cost_usd"]),
        seconds(call["latency_s"]),
        "from the run log" if call["cached"] else "",
    )


def _model_rows(run: RunSummary) -> Iterator[tuple[str, ...]]:
    for model, calls in sorted(run.calls.items()):
        yield model, count(calls), usd(run.cost_usd.get(model))


def _columns(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in heads:
        table.add_column(head, justify="left" if head in ("call", "model", "") else "right")
    for row in rows:
        table.add_row(*(Text(safe(cell)) for cell in row))
    return table
