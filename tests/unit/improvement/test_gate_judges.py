"""Who may decide at the gate where there is no gold."""

import pytest

from cupel.errors import SettingError
from cupel.improvement.gate_judges import check_judges
from cupel.models.profiles import TierModels

ENV = {"GROQ_API_KEY": "x", "OPENROUTER_API_KEY": "x"}


def models(**roles):
    """Who writes, who answers in doubt, who tunes."""
    return TierModels(
        **{"cheap": "groq:llama-small", "strong": "", "judge": "groq:qwen-judge", "refiner": ""} | roles
    )


@pytest.mark.parametrize(
    ("roles", "gate", "jury", "why"),
    [
        pytest.param({"judge": ""}, "groq:gemma", (), "neither the documents' gold nor a judge", id="no judge at all"),
        pytest.param({}, "", (), "another judge must decide", id="none at the gate"),
        pytest.param({}, "groq:qwen-judge", (), "another judge must decide", id="the one who tunes"),
        pytest.param({}, "groq:llama-small", (), "would judge its own records at the gate: it is the cheap model", id="the writer"),
        pytest.param({"strong": "groq:gemma"}, "groq:gemma", (), "it is the strong model", id="the one who answers in doubt"),
        pytest.param({}, "groq:gemma", ("groq:llama-small",), "it is the cheap model", id="the writer in the jury"),
        pytest.param({}, "groq:gemma", ("openrouter:google/gemma-2",), "both of the gemini family", id="kin in the jury"),
        pytest.param({}, "openai:gpt", (), "OPENAI_API_KEY", id="no key"),
    ],
)  # fmt: skip
def test_a_judge_that_could_not_be_trusted_or_asked_is_refused(roles, gate, jury, why):
    """Before anything is paid, with what to name instead."""
    with pytest.raises(SettingError, match=why):
        check_judges(models(**roles), gate, jury, ENV)


def test_a_judge_of_the_writer_s_family_is_allowed_and_said():
    """It may share its mistakes; a judge of a family of its own needs no word."""
    (said,) = check_judges(models(), "openrouter:meta/llama-4", (), ENV)

    assert "is of the llama family, like groq:llama-small, which writes the records" in said
    assert check_judges(models(), "groq:gemma", (), ENV) == ()
