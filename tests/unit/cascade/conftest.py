"""The real runtime of one test: this repository's prompts, an empty run log in SQLite, no keys."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cupel.engine.runtime import Runtime, close_current, install
from cupel.project import Project


@pytest.fixture
async def runtime(project: Project) -> AsyncIterator[Runtime]:
    """Installed for the running loop, and closed with the test."""
    opened = Runtime(project, env={})
    install(opened)
    yield opened
    await close_current()
