"""What is observed of a record becomes numbers; what was not observed stays unknown."""

from __future__ import annotations

import math

import pytest

from cupel.errors import SettingError
from cupel.routing.confidence.signals import SIGNALS, Observed, compute_signals
from cupel.routing.confidence.value_tokens import Token


@pytest.mark.parametrize("name", sorted(SIGNALS))
def test_a_signal_that_was_not_observed_is_none_and_never_zero(name):
    """Nothing in, None out, for every signal there is."""
    assert compute_signals(Observed(), [name]) == {name: None}


@pytest.mark.parametrize(
    ("name", "seen", "expected"),
    [
        pytest.param("schema_valid", Observed(schema_valid=False), 0.0, id="an invalid reply"),
        pytest.param(
            "quotes_verbatim",
            Observed(quote_matches=["verbatim", "normalised"]),
            0.5,
            id="only word for word",
        ),
        pytest.param(
            "quotes_grounded",
            Observed(quote_matches=["verbatim", "normalised", "altered", "absent"]),
            0.5,
            id="typography aside; altered and absent do not count",
        ),
        pytest.param("quotes_grounded", Observed(quote_matches=[]), None, id="no quotes, nothing to check"),
        pytest.param(
            "fields_filled",
            Observed(record={"a": 0, "b": "", "c": None, "d": False}),
            0.5,
            id="zero and false count",
        ),
        pytest.param(
            "mean_logprob",
            Observed(value_tokens={"a": [Token("x", math.log(0.25))] * 3}),
            0.25,
            id="geometric mean",
        ),
        pytest.param(
            "min_logprob",
            Observed(value_tokens={"a": [Token("x", 0.0)], "b": [Token("y", math.log(0.1))]}),
            0.1,
            id="the weakest token",
        ),
        pytest.param(
            "mean_logprob",
            Observed(value_tokens={"a": [Token("x", math.nan), Token("y", -math.inf)]}),
            None,
            id="no finite logprob is no signal",
        ),
        pytest.param(
            "token_certainty",
            Observed(value_tokens={"a": [Token("x", -1.0, (math.log(0.5), math.log(0.5)))]}),
            -math.log(2),
            id="a coin toss",
        ),
        pytest.param(
            "token_margin",
            Observed(
                value_tokens={"a": [Token("x", -1.0, (math.log(0.2), math.log(0.7)))], "b": [Token("y", 0.0)]}
            ),
            0.5,
            id="the likeliest against the second, where alternatives came",
        ),
        pytest.param(
            "mean_logprob",
            Observed(value_tokens={"label": [Token("x", -2.0)], "quote": [Token("y", 0.0)] * 50}),
            math.exp(-1),
            id="a label counts as much as a long quote",
        ),
        pytest.param(
            "self_verified", Observed(verifications=[True, None, False]), 0.5, id="unreadable votes left out"
        ),
        pytest.param("self_verified", Observed(verifications=[None]), None, id="only unreadable votes"),
        pytest.param("self_report", Observed(self_report=math.nan), None, id="NaN is missing"),
        pytest.param("self_report", Observed(self_report=95), None, id="outside [0, 1] is missing"),
        pytest.param(
            "self_consistency",
            Observed(record={"a": "x"}, samples=[{"a": "x"}, {"a": "y"}, None]),
            0.5,
            id="samples without a record left out",
        ),
    ],
)
def test_signals_say_what_was_seen(name, seen, expected):
    """The value of each signal is known by hand."""
    found = compute_signals(seen, [name])[name]

    assert found == (pytest.approx(expected) if expected is not None else None)


def test_an_unknown_signal_is_named_with_the_known_ones():
    """The message lists what there is."""
    with pytest.raises(SettingError, match="unknown signal 'entropy'; there are agreement"):
        compute_signals(Observed(), ["entropy"])
