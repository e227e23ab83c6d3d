"""Rows of one's own runs, figures held against committed ones, and a table of reference figures."""

from __future__ import annotations

import numpy as np
import pytest

from cupel.evaluation.routing_evaluation import ALL_SIGNALS, evaluate
from cupel.evaluation.routing_experiments import (
    compare_with_reference,
    load_experiment,
    regressions,
    to_baseline,
)
from cupel.routing.rows import RunRows


def rows(n=120):
    """Rows with a signal that says something about the cheap record."""
    rng = np.random.default_rng(0)
    weak = (rng.random(n) < 0.6).astype(float)
    check = np.clip(0.6 * weak + 0.4 * rng.random(n), 0, 1)
    return RunRows.from_columns(
        name="log", weak=weak, strong=np.ones(n), weak_cost=1, strong_cost=10, signals={"check": check}
    )


@pytest.fixture(scope="module")
def evaluation():
    """Every policy on these rows, the trained ones out of fold."""
    return evaluate(rows(), intervals=False)


def test_a_trained_confidence_is_measured_and_an_untrained_one_mapped(evaluation):
    """Both have a reliability diagram; a raw signal also says what a map would make of it."""
    lines = {line.method: line for line in evaluation.lines}

    assert {"AUROC", "AUROC_in_fold", "ECE", "Brier"} <= set(lines[ALL_SIGNALS].figures)
    assert {"AUROC", "ECE", "ECE_platt", "ECE_iso"} <= set(lines["cascade: check"].figures)
    assert lines["cascade: check"].reliability
    assert lines["random mix"].figures["APGR"] == 0.5
    assert evaluation.has_gap


def test_a_figure_that_fell_below_its_baseline_is_a_sentence(evaluation):
    """A figure that is gone counts as fallen; an error that fell is no regression."""
    committed = to_baseline([evaluation])
    policies = committed["log"]["policies"]
    assert regressions([evaluation], committed) == []
    policies["random mix"]["APGR"] = 0.9
    policies["cascade: check"]["ECE"] = 0.9
    policies["random mix"]["AUROC"] = 0.5

    assert regressions([evaluation], committed) == [
        "log · random mix: APGR was 0.900 and is 0.5",
        "log · random mix: AUROC was 0.500 and is None",
    ]


def test_figures_are_reproduced_better_or_worse_than_the_reference(evaluation, tmp_path):
    """Untrained ones within .001, trained ones within .02; unknown sets and methods are left out."""
    auroc = next(line for line in evaluation.lines if line.method == ALL_SIGNALS).figures["AUROC"]
    table = f"set,method,APGR,AUROC\nlog,random mix,0.5,\nlog,cascade: check,1.7,\nlog,{ALL_SIGNALS!r},,\n"
    path = tmp_path / "reference.csv"
    path.write_text(table + f'log,"{ALL_SIGNALS}",,{auroc - 0.3}\nelsewhere,random mix,0.5,\n')
    compared = {(one.method, one.figure): one for one in compare_with_reference([evaluation], path)}

    assert compared["random mix", "APGR"].reproduced
    assert not compared["cascade: check", "APGR"].not_worse
    better = compared[ALL_SIGNALS, "AUROC"]
    assert (better.trained, better.reproduced, better.not_worse, better.among_seeds) == (
        True,
        False,
        True,
        False,
    )
    assert len(compared) == 3


def test_a_table_of_ones_own_runs_has_signals_and_costs_by_prefix(tmp_path):
    """A cell without a number is a signal that is missing."""
    path = tmp_path / "log.csv"
    path.write_text("doc_id,weak_correct,strong_correct,signal:check,cost:check\na,1,1,0.5,0.1\nb,0,1,,0.1\n")
    source = load_experiment(path).sources[0]

    assert (source.rows.name, len(source.rows), list(source.rows.signals)) == ("log", 2, ["check"])
    assert np.isnan(source.rows.signals["check"][1])
