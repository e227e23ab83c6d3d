"""A mask replaces, in its time."""

from __future__ import annotations

import re
import time

import pytest

from cupel.tracing.mask import MAX_S, TOO_SLOW, Mask
from cupel.tracing.tracer import masking_rules


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Write to jo.doe+x@mail.example.org, please.", "Write to <email>, please."),
        ("a@b.co+c@d.eu", "<email><email>"),
        ("IBAN DE89 3704 0044 0532 0130 00.", "IBAN <iban>."),
        ("Call +32 2 284 21 11 now.", "Call <phone> now."),
        ("Nothing of a person, 12 % of it.", "Nothing of a person, 12 % of it."),
    ],
)
def test_personal_data_is_replaced(text, shown):
    """Mail, accounts and telephones."""
    assert Mask(masking_rules("personal"))(text) == shown


def test_a_pattern_of_ones_own_is_stopped_and_its_text_masked_whole(capsys):
    """Nothing leaves that was not looked at, and a run goes on; it is said once."""
    mask = Mask([{"pattern": re.compile(r"(a|aa)+$"), "replace": "<a>"}])
    begun = time.process_time()
    shown = [mask("a" * 60 + "!") for _ in range(4)]

    assert shown == [TOO_SLOW] * 4
    assert time.process_time() - begun < 10 * MAX_S
    assert capsys.readouterr().err.count("CUPEL_TRACE_MASK") == 1
    assert mask("xaa") == "x<a>"


def test_the_flags_of_a_pattern_hold():
    """They may stand inside it too."""
    assert Mask(masking_rules("(?i)secret"))("A SECRET") == "A <masked>"
    assert Mask([{"pattern": re.compile("^x", re.MULTILINE), "replace": "-"}])("x\nx") == "-\n-"
