"""The model calls of one document, as whoever debugs it sees them: what was sent and what came back, from the run log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

from cupel.engine import DOCUMENT_MARK
from cupel.runlog import RunLog, StoredResponse
from cupel.state import Call


async def calls_told(document: Mapping[str, Any], run_log: RunLog) -> list[dict[str, Any]]:
    """Every call of a document with its messages and its raw reply, whether it was paid now or found.

    Args:
        document: An outcome, or a state, with all its words (`unfold`).
        run_log: Where the replies are.

    Returns:
        One object a call: `of` says whether it made an attempt, a verdict or instructions, and which; `messages`,
        `reply`, `tokens` (text, log-probability, alternatives), what it took, and `gone` where it was forgotten.
    """
    listed = list(_calls(document))
    found = await asyncio.to_thread(run_log.responses_of, [call["key"] for _, call, _ in listed])
    return [_told(of, call, text, found.get(call["key"])) for of, call, text in listed]


def _calls(document: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Call, str]]:
    """Each call, what it was made for, and the text it is about: a window of the document, or the whole."""
    text = str(document.get("text") or "")
    windows = document.get("windows") or []
    for attempt in document.get("attempts") or ():
        window = -1
        for call in attempt["calls"]:
            window += call["kind"] == "extract"
            of_window = len(windows) > 1 and 0 <= window < len(windows) and call["kind"] != "answer"
            part = windows[window] if of_window else (0, len(text))
            yield {"attempt": attempt["number"], "tier": attempt["tier"]}, call, text[part[0] : part[1]]
    for number, verdict in enumerate(document.get("verdicts") or (), start=1):
        for call in verdict["calls"]:
            yield {"verdict": number, "attempt": verdict["attempt"]}, call, text
    for addendum in document.get("addenda") or ():
        for call in addendum["calls"]:
            yield {"refinement": addendum["round"], "attempt": addendum["after_attempt"]}, call, text


def _told(of: Mapping[str, Any], call: Call, text: str, stored: StoredResponse | None) -> dict[str, Any]:
    told: dict[str, Any] = {**call, "of": dict(of), "gone": stored is None}
    if stored is None:
        return told
    messages = json.loads(stored.asked)
    return told | {
        "messages": [{**each, "content": each["content"].replace(DOCUMENT_MARK, text)} for each in messages],
        "reply": stored.text,
        "refusal": stored.refusal,
        "finish_reason": stored.finish_reason,
        "tokens": None if stored.tokens is None else [list(token) for token in stored.tokens],
    }
