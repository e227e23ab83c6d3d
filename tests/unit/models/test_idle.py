"""Settings without effect are refused where somebody gave them, and only there."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from cupel.context import RunContext
from cupel.errors import SettingError
from cupel.models import resolve_models, settle_settings

MODELS = ("", "none", "scripted:a", "scripted:b", "scripted:c")
SPACE = {
    **dict.fromkeys(("cheap_model", "strong_model", "judge_model", "refiner_model", "agreement_model", "fallback_model"), MODELS),
    "profile": ("auto", "offline", "demo", "groq"),
    "judge": ("auto", "always", "never"),
    "jury_models": ((), ("scripted:d",)),
    "jury": ("doubt", "always"),
    "advisory_judge": (False, True, None),
    "audit_share": (0.0, 0.5),
    "max_refinements": (0, 1),
    "judge_way": ("criteria", "items", "adjudicate"),
    "judge_items_prompt": ("", "# user\n{{document}}"),
    "judge_prompt": ("", "# user\n{{document}}"),
    "refine_prompt": ("", "# user\n{{document}}"),
    "prerouter": ("", "router.json"),
}  # fmt: skip
settings = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in SPACE.items()}
)


@given(settings)
def test_what_is_refused_names_a_setting_and_leaving_that_out_leads_to_a_run(told):
    """Every refusal is of a setting that was given; one after another left out, the rest is taken."""
    left = dict(told)
    for _ in range(len(told) + 1):
        try:
            context = settle_settings(left, {})
        except SettingError as error:
            del left[str(error).partition("=")[0]]
        else:
            assert context == RunContext(**left)
            return
    pytest.fail("nothing was left to leave out")


@given(settings)
def test_what_the_environment_says_is_never_refused_for_being_idle(told):
    """Variables hold for many runs; one of them may not use them all."""
    env = {
        f"CUPEL_{name.upper()}": ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in told.items()
        if value is not None
    }

    assert settle_settings({}, env).judge == told.get("judge", "auto")


@given(settings)
def test_a_model_that_is_taken_has_somebody_who_asks_it(told):
    """Of a run that is allowed, no model given for it is one that no step would ask."""
    try:
        context = settle_settings(told, {})
    except SettingError:
        return
    models = resolve_models(context, {})
    for role in ("strong", "judge", "refiner", "agreement"):
        if told.get(f"{role}_model", "") in ("", "none"):
            continue
        assert getattr(models, role)
        assert role in ("judge", "refiner") or getattr(models, role) != models.cheap
        assert role in ("strong", "agreement") or context.judge != "never"


def test_a_server_that_has_people_does_not_keep_a_file_from_being_run():
    """`human_review` of the environment is for Studio; given for a run over a file it is refused."""
    assert not settle_settings({}, {"CUPEL_HUMAN_REVIEW": "1"}).human_review
    with pytest.raises(SettingError, match="nobody to ask"):
        settle_settings({"human_review": True}, {})
