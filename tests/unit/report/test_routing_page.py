"""The evaluation page needs no network, escapes what it is given, and says where there is no number."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from cupel.evaluation.routing_evaluation import ALL_SIGNALS, evaluate
from cupel.report.routing_page import routing_page
from cupel.routing.rows import RunRows


def rows(n: int = 160, *, gap: bool = True, name: str = "log <script>") -> RunRows:
    """A small log with one signal and texts."""
    rng = np.random.default_rng(0)
    weak = (rng.random(n) < 0.6).astype(float)
    return RunRows.from_columns(
        name=name,
        text=[f"{'hard' if not w else 'easy'} question {i % 9}" for i, w in enumerate(weak)],
        weak=weak,
        strong=np.ones(n) if gap else weak,
        weak_cost=1,
        strong_cost=10,
        signals={"check": np.clip(0.6 * weak + 0.4 * rng.random(n), 0, 1)},
    )


class Balanced(HTMLParser):
    """Counts tags that are opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page() -> str:
    """One evaluated log."""
    return routing_page([evaluate(rows())])


def test_the_page_is_whole_and_asks_nothing_of_a_network(page):
    """It has no script and no address; every tag is closed and names are escaped."""
    parser = Balanced()
    parser.feed(page.removeprefix("<!doctype html>"))

    assert parser.open == []
    assert not re.search(r"<script|https?://|src=|@import|url\(", page)
    assert "log &lt;script&gt;" in page


def test_it_shows_curves_diagrams_and_the_baselines(page):
    """Beside every policy stand random mixing, always weak, always strong and the oracles."""
    assert page.count("<svg") >= 2
    assert "Reliability of cascade: check" in page
    for name in ("always weak", "always strong", "random mix", "oracle (sees both answers)", ALL_SIGNALS):
        assert f"<td>{name}</td>" in page


def test_without_a_gap_the_page_says_so_and_draws_no_curve():
    """No number is made up."""
    text = routing_page([evaluate(rows(gap=False), learn=False)])

    assert "no gap: the strong model is not better" in text
    assert "Quality against real cost" not in text
    assert "nan" not in text.lower()


def test_a_policy_that_cannot_be_had_is_a_line_with_the_reason():
    """Where all records are right, the trained policies say why they are missing."""
    log = rows(400)
    found = evaluate(log.take(log.weak == 1))
    skipped = {line.method: line.skipped for line in found.lines if line.skipped}

    assert "only 0 of" in skipped[ALL_SIGNALS]
    assert skipped[ALL_SIGNALS][:20] in routing_page([found])
