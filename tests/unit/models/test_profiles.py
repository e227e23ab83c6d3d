"""Which model does what, and what is checked before anything is paid."""

import pytest

from cupel.context import RunContext
from cupel.errors import SettingError
from cupel.models.ids import ModelId
from cupel.models.profiles import _PROFILES, TierModels, check_models, resolve_models
from cupel.testing.models import scripted


@pytest.mark.parametrize(
    ("env", "profile"),
    [
        pytest.param({}, "offline", id="no key at all"),
        pytest.param({"GROQ_API_KEY": "k"}, "groq", id="groq"),
        pytest.param({"OPENAI_API_KEY": "k"}, "openai", id="openai"),
        pytest.param({"OPENROUTER_API_KEY": "k"}, "openrouter", id="openrouter"),
        pytest.param({"OPENAI_API_KEY": "k", "GROQ_API_KEY": "k"}, "groq", id="two keys: the first in order"),
        pytest.param({"GROQ_API_KEY": " "}, "offline", id="an empty key is none"),
        pytest.param({"LOCAL_BASE_URL": "http://x/v1"}, "local", id="a local server's address"),
        pytest.param({"CUPEL_LOCAL_BASE_URL": "http://x/v1"}, "local", id="the same under our own name"),
        pytest.param({"LOCAL_API_KEY": "k"}, "offline", id="a local key without an address"),
        pytest.param({"GROQ_API_KEY": "k", "CUPEL_PROFILE": "openai"}, "openai", id="the variable decides"),
    ],
)
def test_auto_takes_the_first_provider_whose_key_is_set(env, profile):
    """`auto` means: not decided by the context."""
    assert resolve_models(RunContext(), env).profile == profile


def test_the_context_beats_the_variable_and_the_variable_the_profile():
    """Each role here is named by another of the three."""
    context = RunContext(profile="groq", cheap_model="openai:gpt-4o-mini")
    env = {"CUPEL_PROFILE": "openai", "CUPEL_CHEAP_MODEL": "local:a", "CUPEL_STRONG_MODEL": "local:b"}

    models = resolve_models(context, env)

    assert models.profile == "groq"
    assert (models.cheap, models.strong) == ("openai:gpt-4o-mini", "local:b")
    assert models.judge == _PROFILES["groq"]["judge"]


def test_without_a_key_only_the_baseline_runs():
    """No strong model is attached, so doubtful rows end with a person."""
    models = resolve_models(RunContext(), {})

    assert models.all() == {"cheap": "offline:baseline"}


def test_the_demo_replays_every_tier_and_judges_by_items():
    """What is found of items is told by code, so nobody writes instructions; another way can be asked for."""
    demo = RunContext(profile="demo")

    assert resolve_models(demo, {}).all() == {
        "cheap": "recorded:demo-cheap",
        "strong": "recorded:demo-strong",
        "judge": "recorded:demo-judge",
    }
    assert demo.judge_way == "items"
    assert RunContext(profile="demo", judge_way="criteria").judge_way == "criteria"
    assert RunContext(profile="offline").judge_way == "criteria"


def test_none_detaches_a_role_and_never_detaches_the_judge():
    """`none` is the way to say that a profile's model is not wanted."""
    models = resolve_models(RunContext(profile="groq", strong_model="none", judge="never"), {})

    assert (models.strong, models.judge) == ("", "")


def test_an_unknown_profile_in_the_variable_lists_the_profiles():
    """The context is checked by pydantic, the variable here."""
    with pytest.raises(SettingError, match=r"'fast'.*auto, groq, openai"):
        resolve_models(RunContext(), {"CUPEL_PROFILE": "fast"})


def test_a_misspelt_model_fails_when_models_are_chosen():
    """A misspelt model is found long before the first document."""
    with pytest.raises(SettingError, match="did you mean 'groq:x'"):
        resolve_models(RunContext(cheap_model="grok:x"), {})


@pytest.mark.parametrize("profile", [name for name, roles in _PROFILES.items() if "judge" in roles])
def test_no_profile_lets_a_model_judge_itself(profile):
    """The judge is no tier's model, and every id of a profile is one."""
    roles = _PROFILES[profile]

    assert all(str(ModelId.parse(model)) == model for model in roles.values())
    assert roles.get("judge") not in {roles["cheap"], roles["strong"]}


def test_a_missing_key_names_the_variable_and_what_would_work():
    """It is said before the first document, with the providers whose key is there."""
    models = resolve_models(RunContext(profile="groq"), {})

    with pytest.raises(SettingError) as error:
        check_models(models, {"OPENAI_API_KEY": "k"})

    said = str(error.value)
    assert "cheap model groq:openai/gpt-oss-20b: GROQ_API_KEY is not set" in said
    assert "--profile openai" in said
    assert "--profile openrouter" not in said
    assert "--profile offline" in said
    assert "--profile demo" in said
    assert "in Python `profile=`" in said


def test_a_judge_that_would_judge_itself_is_refused():
    """It says what to do."""
    models = TierModels(cheap="groq:a", strong="groq:b", judge="groq:b", profile="groq")

    with pytest.raises(SettingError, match=r"both the judge and the strong model.*--judge-model"):
        check_models(models, {"GROQ_API_KEY": "k"})


def test_a_local_profile_needs_the_name_of_a_model():
    """Only the server knows what it has."""
    with pytest.raises(SettingError, match="local:NAME"):
        check_models(resolve_models(RunContext(profile="local"), {}), {})


def test_a_local_model_needs_an_address():
    """The error gives the two addresses most people need."""
    with pytest.raises(SettingError, match=r"CUPEL_LOCAL_BASE_URL.*11434"):
        check_models(TierModels(cheap="local:llama"), {})


def test_an_address_must_be_one():
    """A host without a scheme would fail at the first document."""
    with pytest.raises(SettingError, match="must begin with http"):
        check_models(
            TierModels(cheap="openai:x"), {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "localhost:8000"}
        )


def test_a_recorded_model_needs_its_file_or_somewhere_to_record_from(recordings):
    """The message names the file."""
    models = TierModels(cheap="recorded:some")
    with pytest.raises(SettingError, match=r"some\.jsonl does not exist.*CUPEL_RECORD_BASE_URL"):
        check_models(models, {})

    check_models(models, {"CUPEL_RECORD_BASE_URL": "http://127.0.0.1:1/v1"})
    recordings.mkdir()
    (recordings / "some.jsonl").touch()
    check_models(models, {})


def test_a_scripted_model_exists_only_inside_its_script():
    """A model that is attached needs no key, whatever its provider."""
    models = TierModels(cheap="scripted:a", strong="groq:b")
    with pytest.raises(SettingError, match="scripted"):
        check_models(models, {"GROQ_API_KEY": "k"})

    with scripted({"scripted:a": "x", "groq:b": "y"}):
        check_models(models, {})


def test_there_is_one_offline_model():
    """Another one is refused."""
    check_models(TierModels(cheap="offline:baseline"), {})
    with pytest.raises(SettingError, match="offline:baseline"):
        check_models(TierModels(cheap="offline:other"), {})
