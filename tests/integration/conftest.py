"""Fixtures several integration tests share."""

from __future__ import annotations

import json

import pytest

from tests.integration.cascade import TEXT
from tests.unit.cascade.conftest import runtime

__all__ = ["folder", "runtime"]

SPEECHES = [{"id": f"s{n}", "text": f"{TEXT} This is speech number {n}.", "n": n} for n in range(40)]


@pytest.fixture
def folder(tmp_path):
    """A folder outside any project, with a file of forty speeches."""
    written = "\n".join(json.dumps(speech) for speech in SPEECHES)
    (tmp_path / "in.jsonl").write_text(written + "\n")
    return tmp_path
