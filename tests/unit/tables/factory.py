"""Outcomes to write, without a run."""

from typing import Any

from cupel.state.enrich import Outcome


def outcome(**changes: Any) -> Outcome:
    """An accepted outcome of the task `stance`."""
    plain: Outcome = {
        "doc_id": "d1",
        "task": "stance",
        "status": "accepted",
        "record": {"stance": "support", "evidence": [{"quote": "Yes, “we” must."}], "share": None},
        "evidence": [],
        "confidence": 0.875,
        "score": 0.9,
        "calibrated": True,
        "model": "groq:openai/gpt-oss-20b",
        "tier": "cheap",
        "prompt_version": "v1",
        "reasons": [],
        "cost_usd": 0.00012,
        "latency_s": 1.5,
        "language": "en",
        "attempts": [],
        "verdicts": [],
        "addenda": [],
        "review": None,
        "path": [],
    }
    return {**plain, **changes}  # type: ignore[typeddict-item]


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "stance": {"type": "string", "enum": ["support", "oppose"]},
        "evidence": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"quote": {"type": "string", "x-grounded": True}},
                "required": ["quote"],
                "additionalProperties": False,
            },
        },
        "share": {"type": ["number", "null"]},
    },
    "required": ["stance", "evidence", "share"],
    "additionalProperties": False,
}
