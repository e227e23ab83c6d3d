"""What a thread's state refers to by key: the document's text, records, evidence, findings and instructions.

A server keeps the state of a thread after every step, and shows all of them; with the words in it a document of two
kilobytes took forty. So the run log keeps the words, under the hash of what they are, and the state has the keys of
calls, the signals, and what a person may want to change. Steps and routers see everything, as in a batch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langgraph.types import Overwrite

from cupel.engine import current
from cupel.errors import RunLogError
from cupel.task import holder_of

KEY = "words"
"""Under this name an item of the state says where its words are."""

_ATTEMPT = (
    "number", "tier", "round", "model", "prompt_version", "score", "confidence", "calibrated", "in_doubt",
)  # fmt: skip
_VERDICT = ("attempt", "verdict", "model", "score", "advisory")
_ADDENDUM = ("tier", "round", "after_attempt", "model", "by", "at")
_REVIEW = ("action", "note", "by", "at")

Brief = Callable[[Mapping[str, Any]], dict[str, Any]]


def brief_attempt(attempt: Mapping[str, Any]) -> dict[str, Any]:
    """What the state keeps of an attempt: its record, as long as it is the latest, and why it is in doubt or not."""
    brief = _some(attempt, _ATTEMPT) | _some(attempt, ("record", "error", "error_kind"))
    signals = {name: value for name, value in attempt["signals"].items() if value is not None}
    return brief | {"signals": signals, "calls": [call["key"] for call in attempt["calls"]]}


def brief_verdict(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """What the state keeps of a verdict: each criterion's finding in a word."""
    findings = {
        name: {item["criterion"]: item["finding"] for item in verdict[name]}
        for name in ("code_findings", "findings")
        if verdict[name]
    }
    brief = _some(verdict, _VERDICT) | findings | {"calls": [call["key"] for call in verdict["calls"]]}
    sat = verdict.get("jury")
    return brief | ({"jury": _some(sat, ("why", "verdict", "agreed"))} if sat else {})


def brief_addendum(addendum: Mapping[str, Any]) -> dict[str, Any]:
    """What the state keeps of the instructions for one document."""
    return _some(addendum, _ADDENDUM) | {"calls": [call["key"] for call in addendum["calls"]]}


def brief_review(review: Mapping[str, Any]) -> dict[str, Any]:
    """What the state keeps of a person's answer; the record they left is the outcome's."""
    return _some(review, _REVIEW)


LISTS: Mapping[str, Brief] = {"attempts": brief_attempt, "verdicts": brief_verdict, "addenda": brief_addendum}


async def fold(update: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """What a step writes, its words put into the run log.

    Args:
        update: As the step returned it.
        state: The thread's state as it was kept.
    """
    doc_id = str(update.get("doc_id") or state.get("doc_id") or "")
    rows: dict[str, dict[str, Any]] = {}

    def keep(kind: str, content: Any, brief: Mapping[str, Any]) -> dict[str, Any]:
        written = json.dumps(content, ensure_ascii=False, sort_keys=True)
        key = hashlib.sha256(json.dumps([doc_id, kind, written]).encode()).hexdigest()[:32]
        rows[key] = {"key": key, "doc_id": doc_id, "kind": kind, "content": written}
        return {**brief, KEY: key}

    folded = dict(update)
    if folded.get("text"):
        text = folded["text"]
        folded |= {"text": "", "document": keep("text", text, {"characters": len(text)})}
    for name, brief in LISTS.items():
        if name in folded:
            items = folded[name].value if isinstance(folded[name], Overwrite) else folded[name]
            kept = [item if KEY in item else keep(name, item, brief(item)) for item in items]
            folded[name] = Overwrite(kept) if isinstance(folded[name], Overwrite) else kept
    if folded.get("review"):
        folded["review"] = keep("review", folded["review"], brief_review(folded["review"]))
    if folded.get("evidence"):
        folded["evidence"] = [brief_evidence(item) for item in folded["evidence"]]
    if rows:
        await (await current()).run_log.save_words(list(rows.values()))
    return _without_old_records(folded, state)


def _without_old_records(folded: dict[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """The update, which also takes the record out of attempts that are not the latest any more, or are settled."""
    new = folded.get("attempts", [])
    if isinstance(new, Overwrite) or not (new or "status" in folded):
        return folded
    numbers = {attempt["number"] for attempt in new}
    old = [
        {name: value for name, value in attempt.items() if name != "record"}
        for attempt in state.get("attempts") or ()
        if KEY in attempt and "record" in attempt and attempt["number"] not in numbers
    ]
    return {**folded, "attempts": [*old, *new]} if old else folded


async def unfold(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state with all its words, as a step or a router reads it. What stands in the state goes before the words.

    Raises:
        RunLogError: If the run log has them no longer.
    """
    review, document = state.get("review"), state.get("document")
    items = [item for name in LISTS for item in state.get(name) or ()]
    items += [item for item in (review, document) if item]
    keys = {item[KEY] for item in items if KEY in item}
    if not keys:
        return dict(state)
    found = await (await current()).run_log.words(sorted(keys))
    if len(found) < len(keys):
        raise RunLogError(
            "the run log no longer has the words of this thread: they were forgotten, or it is another run log; start the "
            "document anew"
        )
    words = {key: json.loads(content) for key, content in found.items()}
    whole = dict(state)
    for name in LISTS:
        if name in state:
            whole[name] = [_whole(item, words) for item in state[name] or ()]
    if review:
        whole["review"] = _whole(review, words)
    if state.get("evidence"):
        whole["evidence"] = [_whole_evidence(item, state.get("record")) for item in state["evidence"]]
    if document and not state.get("text"):
        whole["text"] = words[document[KEY]]
    return whole


def _whole(item: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    if KEY not in item:
        return dict(item)
    kept = words[item[KEY]]
    said = {name: value for name, value in item.items() if name not in (KEY, "calls", "jury")}
    for name in ("findings", "code_findings"):
        if isinstance(said.get(name), Mapping):
            said[name] = _findings(kept[name], said[name])
    if "signals" in said:
        said["signals"] = {**kept["signals"], **said["signals"]}
    return {**kept, **said}


def _findings(kept: Sequence[Mapping[str, Any]], said: Mapping[str, str]) -> list[dict[str, Any]]:
    """The findings that still stand, each as it stands now."""
    return [{**item, "finding": said[item["criterion"]]} for item in kept if item["criterion"] in said]


def brief_evidence(item: Mapping[str, Any]) -> dict[str, Any]:
    """Where a quote stands that the outcome's record has at this path, without what goes without saying."""
    plain = _plain_evidence(item)
    return {k: v for k, v in item.items() if k != "quote" and (k not in plain or v != plain[k])}


def _plain_evidence(item: Mapping[str, Any]) -> dict[str, Any]:
    """What goes without saying of a quote that stands in the text as it is."""
    return {"parts": [[item.get("start"), item.get("end")]], "diff": "", "similarity": 1.0}


def _whole_evidence(item: Mapping[str, Any], record: Any) -> dict[str, Any]:
    quote = {} if "quote" in item else {"quote": _at(record, item["path"])}
    return {**_plain_evidence(item), **quote, **item}


def _at(record: Any, pointer: str) -> Any:
    """What stands at a place of a record; nothing where a person took it out."""
    try:
        holder, name = holder_of(record, pointer)
        return holder[name]
    except (LookupError, TypeError, ValueError):
        return ""


def _some(item: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: item[name] for name in names if item.get(name) is not None}
