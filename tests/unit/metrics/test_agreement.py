"""An independent scorer gives the same figures: on the gold that is shipped, and on development sets where they are given."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCORER = os.environ.get("CUPEL_BENCH_DATASCORE", "")
DATA = os.environ.get("CUPEL_BENCH_DATA", "")
SETS = sorted(path.parent.name for path in Path(DATA).glob("*/dev.jsonl")) if DATA else ["none"]
pytestmark = pytest.mark.skipif(
    not SCORER, reason="set CUPEL_BENCH_DATASCORE to the folder of an independent scorer (score.py, baselines.py)"
)  # fmt: skip


def load(path):
    """A module by its file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def faults(name, gold):
    """What differs, over baselines, the gold itself and the gold perturbed; and how many figures were compared."""
    agreement = load(ROOT / "benchmarks" / "metrics_agreement.py")
    scorer, baselines = (load(Path(SCORER) / f"{module}.py") for module in ("score", "baselines"))
    compared, found = 0, []
    for _, answers in agreement.answer_sets(name, gold, baselines):
        figures, _, differing = agreement.compare(scorer, name, gold, answers)
        compared, found = compared + figures, found + differing
    return found, compared


def test_figures_on_the_shipped_gold_are_those_of_an_independent_scorer():
    """Span F1 by every kind, intervals and coverage, to a billionth."""
    lines = (ROOT / "evals" / "datasets" / "ner-europarl.jsonl").read_text().splitlines()
    found, compared = faults("ner_europarl", [json.loads(line) for line in lines if '"gold"' in line])

    assert found == []
    assert compared > 100


@pytest.mark.soak
@pytest.mark.skipif(not DATA, reason="set CUPEL_BENCH_DATA to a folder of development sets")
@pytest.mark.parametrize("name", SETS)
def test_figures_on_a_development_set_are_those_of_an_independent_scorer(name):
    """Each set by what it is scored by."""
    if name not in load(Path(SCORER) / "score.py").KINDS:
        pytest.skip("the scorer does not know this set")
    lines = (Path(DATA) / name / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    found, compared = faults(name, [json.loads(line) for line in lines])

    assert found == []
    assert compared > 20
