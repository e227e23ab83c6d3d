"""Which model does what: profiles, the variables that override them, and a check before anything is paid."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from cupel.context import Profile, RunContext
from cupel.errors import SettingError, SetupError
from cupel.models.endpoints import SITES, endpoint, has_key, needed_variable
from cupel.models.factory import is_attached, name_at_address, place_of
from cupel.models.families import family
from cupel.models.ids import ModelId
from cupel.models.recordings import recordings_folder

_BY_KEY: tuple[Profile, ...] = ("groq", "openai", "openrouter", "local")
"""The order in which `auto` looks for a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TierModels:
    """The model of every role; an empty string means none is attached."""

    cheap: str = ""
    strong: str = ""
    judge: str = ""
    refiner: str = ""
    agreement: str = ""
    fallback: str = ""
    jury: tuple[str, ...] = ()
    """Further judges, of families of their own."""

    profile: Profile = "auto"
    """The profile these came from; never `auto` once resolved."""

    def all(self) -> dict[str, str]:
        """Role to model, of the roles that have one."""
        models = {role: getattr(self, role) for role in ROLES}
        jurors = {f"juror {number}": model for number, model in enumerate(self.jury, 1)}
        return {role: model for role, model in models.items() if model} | jurors

    def at_addresses(self, env: Mapping[str, str]) -> dict[str, str]:
        """The same, each with its address where that is not the provider's own: what results depend on.

        Raises:
            SettingError: For `CUPEL_ENDPOINT_NAME` that cannot be read.
        """
        return {role: name_at_address(model, env) for role, model in self.all().items()}

    def places(self, env: Mapping[str, str]) -> dict[str, str]:
        """Model to the name of its address, of those that are not asked at their provider's own."""
        placed = {model: place_of(model, env) for model in self.all().values()}
        return {model: place for model, place in placed.items() if place}


ROLES = ("cheap", "strong", "judge", "refiner", "agreement", "fallback")

# The judge is of another family than the models it judges; the list and its prices: November 2026.
_PROFILES: Mapping[Profile, Mapping[str, str]] = {
    "groq": {
        "cheap": "groq:openai/gpt-oss-20b",
        "strong": "groq:openai/gpt-oss-120b",
        "judge": "groq:qwen/qwen3.8-27b",
        "refiner": "groq:openai/gpt-oss-120b",
    },
    "openai": {
        "cheap": "openai:gpt-4o-mini",
        "strong": "openai:gpt-6.1-sol",
        "judge": "openai:gpt-5.4-mini",
        "refiner": "openai:gpt-6.1-sol",
    },
    "openrouter": {
        "cheap": "openrouter:openai/gpt-oss-20b",
        "strong": "openrouter:openai/gpt-oss-120b",
        "judge": "openrouter:google/gemini-3.1-flash-lite",
        "refiner": "openrouter:openai/gpt-oss-120b",
    },
    "local": {},
    "offline": {"cheap": "offline:baseline"},
    "demo": {
        "cheap": "recorded:demo-cheap",
        "strong": "recorded:demo-strong",
        "judge": "recorded:demo-judge",
    },
}


def usable_profiles(env: Mapping[str, str]) -> list[str]:
    """The profiles whose provider's key is set; `offline` where none is.

    >>> usable_profiles({"GROQ_API_KEY": "k"}), usable_profiles({})
    (['groq'], ['offline'])
    """
    return [profile for profile in _BY_KEY if has_key(profile, env)] or ["offline"]


def resolve_models(context: RunContext, env: Mapping[str, str] = os.environ) -> TierModels:
    """The model of every role, strongest first: the context's field, `CUPEL_<ROLE>_MODEL`, the profile.

    `none` detaches a role. Where the context says `auto`, `CUPEL_PROFILE` decides; else the first provider
    whose key is set; else `offline`, which has a cheap model only. Nothing is judged with `judge="never"`.

    Raises:
        SettingError: For an unknown profile or provider.
    """
    profile = _profile(context, env)
    chosen = {role: _model(role, context, env, _PROFILES[profile].get(role, "")) for role in ROLES}
    jury = tuple(str(ModelId.parse(model)) for model in context.jury_models)
    if context.judge == "never":
        chosen["judge"], jury = "", ()
    return TierModels(**chosen, jury=jury, profile=profile)


OFFLINE = (
    "no language model was asked: offline:baseline fills records by rules, to try things out. Set a key such as "
    "GROQ_API_KEY or OPENAI_API_KEY, or name a model with --cheap-model (cheap_model=)"
)
"""What is said of records no language model had a part in."""


def is_offline(models: TierModels) -> bool:
    """Whether no language model has any part in a run."""
    return all(ModelId.parse(model).provider == "offline" for model in models.all().values())


def check_models(models: TierModels, env: Mapping[str, str] = os.environ) -> None:
    """Refuse what would fail at the first document: a missing key or recording, a judge that judges itself.

    Raises:
        SettingError: Naming the variable to set, or the setting to change, and the alternatives.
    """
    if not models.cheap:
        raise SettingError(_no_cheap_model(models.profile))
    for role, model in models.all().items():
        _check_reachable(role, ModelId.parse(model), env)
    for role in ("cheap", "strong"):
        if models.judge and models.judge == getattr(models, role):
            raise SettingError(
                f"{models.judge} would judge its own records: it is both the judge and the {role} model; "
                "name another with --judge-model (or CUPEL_JUDGE_MODEL), or switch judging off with --judge never"
            )
    _check_jury(models)


def _check_jury(models: TierModels) -> None:
    """A second voice of one family adds little but its price."""
    seen = {family(models.judge): models.judge} if models.judge else {}
    for juror in models.jury:
        if other := seen.get(family(juror)):
            raise SettingError(
                f"{juror} and {other} are both of the {family(juror)} family; a jury is of other families than the "
                "judge and each other: name another with --jury (or CUPEL_JURY_MODELS)"
            )
        seen[family(juror)] = juror


def check_model(role: str, model: str, env: Mapping[str, str] = os.environ) -> None:
    """Refuse a single model that could not be asked.

    Raises:
        SettingError: Naming the variable to set, or what else is usable.
    """
    _check_reachable(role, ModelId.parse(model), env)


def _profile(context: RunContext, env: Mapping[str, str]) -> Profile:
    named = context.profile if context.profile != "auto" else env.get("CUPEL_PROFILE", "").strip() or "auto"
    if named == "auto":
        return next((provider for provider in _BY_KEY if has_key(provider, env)), "offline")
    for valid in get_args(Profile):
        if named == valid:
            return valid  # type: ignore[no-any-return]  # get_args is untyped
    raise SettingError(
        f"CUPEL_PROFILE: unknown profile {named!r}; choose one of {', '.join(get_args(Profile))}"
    )


def _model(role: str, context: RunContext, env: Mapping[str, str], default: str) -> str:
    own = getattr(context, f"{role}_model").strip() or env.get(f"CUPEL_{role.upper()}_MODEL", "").strip()
    if own.lower() == "none":
        return ""
    return str(ModelId.parse(own)) if own else default


def _no_cheap_model(profile: Profile) -> str:
    where = "--cheap-model or CUPEL_CHEAP_MODEL"
    if profile == "local":
        return f"no cheap model: name one your local server has, as `local:NAME`, with {where}"
    return f"no cheap model: name one with {where}, such as groq:openai/gpt-oss-20b"


def _check_reachable(role: str, model: ModelId, env: Mapping[str, str]) -> None:
    if is_attached(str(model)):
        return
    if model.provider in SITES:
        try:
            endpoint(model, env)
        except SetupError as error:
            raise SetupError(f"{role} model {error}") from None
        except SettingError as error:
            raise SettingError(f"{role} model {error}. {_alternatives(model.provider, env)}") from None
    elif model.provider == "gguf":
        from cupel.models.gguf import check_file

        check_file(model.name)
    elif model.provider == "recorded":
        _check_recording(role, model, env)
    elif model.provider == "scripted":
        raise SettingError(
            f"{role} model {model}: scripted models exist only inside `cupel.testing.scripted`"
        )
    elif model.provider == "offline" and model.name != "baseline":
        raise SettingError(f"{role} model {model}: the only offline model is offline:baseline")


def _check_recording(role: str, model: ModelId, env: Mapping[str, str]) -> None:
    path = recordings_folder() / f"{model.name}.jsonl"
    if not path.is_file() and not env.get("CUPEL_RECORD_BASE_URL", "").strip():
        raise SettingError(
            f"{role} model {model}: {path} does not exist; run this where the recordings are, or set "
            "CUPEL_RECORD_BASE_URL to an OpenAI-compatible address to record it"
        )


def _alternatives(provider: str, env: Mapping[str, str]) -> str:
    others = [other for other in _BY_KEY if other != provider and has_key(other, env)]
    usable = [f"`--profile {other}` ({needed_variable(other)} is set)" for other in others]
    usable += [
        "`--profile offline` (no key; a smoke-test baseline)",
        "`--profile demo` (no key; replayed answers)",
    ]
    return f"Set it, or use {', or '.join(usable)}; in Python `profile=`, or another model for this role"
