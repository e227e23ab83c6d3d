"""What every test shares: no provider keys, no tracing, and a project with its own empty state."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cupel.project import Project

ROOT = Path(__file__).parent.parent
os.environ.setdefault("LANGSMITH_TEST_TRACKING", "false")

_FOREIGN = ("CUPEL_", "OPENAI_", "GROQ_", "OPENROUTER_", "LOCAL_", "LANGSMITH_", "LANGCHAIN_")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and settings of the machine never decide a test."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN) and name not in ("LANGSMITH_TEST_TRACKING", "CUPEL_TEST_DATABASE_URL"):
            monkeypatch.delenv(name)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """This repository's graphs and prompts with a run log of the test's own."""
    return Project(ROOT, tmp_path / ".cupel")
