"""What the tests of runs share."""

from __future__ import annotations

import pytest

from cupel.testing.models import scripted
from tests.unit.runs.stand_in import MODELS, project_of


@pytest.fixture
def small(tmp_path):
    """A project with a graph of one step, and scripted models that nobody may ask."""
    with scripted({model: [] for model in MODELS.values()}):
        yield project_of(tmp_path)
