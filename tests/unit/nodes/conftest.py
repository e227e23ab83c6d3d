"""What the nodes are called with: the real runtime of the cascade's tests, and LangGraph's with a context."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langgraph.runtime import Runtime

from cupel.context import RunContext
from tests.unit.cascade.conftest import runtime
from tests.unit.cascade.factory import context

__all__ = ["runtime", "under"]


@pytest.fixture
def under() -> Callable[..., Runtime[RunContext]]:
    """LangGraph's runtime under these settings."""

    def made(**settings: Any) -> Runtime[RunContext]:
        return Runtime(context=context(**settings))

    return made
