"""What of an outcome is a failure, and what is none."""

from __future__ import annotations

from cupel.runlog import NOBODY, failure_rows


def attempt(number, **changes):
    """An attempt that gave no record."""
    return {
        "number": number, "tier": "cheap", "round": 0, "model": "scripted:cheap", "prompt_version": "v1", "calls": [],
        "error": "no reply", "error_kind": "provider", "in_doubt": False, "doubts": [], **changes,
    }  # fmt: skip


def test_that_no_strong_model_is_attached_is_no_cause_of_a_failure():
    """Whoever chose to have none is told what the cheap one did."""
    nobody = attempt(2, tier="strong", model=NOBODY, error="no strong model is attached")
    outcome = {
        "doc_id": "d", "task": "stance", "status": "failed", "review": None, "verdicts": [], "addenda": [],
        "attempts": [attempt(1), nobody],
    }  # fmt: skip

    assert [row["reasoning"] for row in failure_rows("k", "r", outcome, created_at="")] == ["no reply"]
