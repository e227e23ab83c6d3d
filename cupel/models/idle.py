"""Settings that would have no effect: refused, since whoever gave one believes that it has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from cupel.context import RunContext, run_context
from cupel.errors import SettingError
from cupel.models.profiles import TierModels, resolve_models
from cupel.task import TaskSpec, asks_for

_JUDGING = (
    "judge_model", "judge_way", "judge_prompt", "judge_items_prompt", "jury_models", "jury", "advisory_judge", "audit_share",
)  # fmt: skip
_REFINING = ("refiner_model", "refine_prompt", "max_refinements")
_NO_JUDGE = "no judge is attached. Name one with judge_model (--judge-model)"
_MODELS = ("cheap_model", "strong_model", "judge_model", "refiner_model")


class Situation(NamedTuple):
    """What a run would be."""

    given: Mapping[str, Any]
    """What somebody set for this very run; what the environment says holds for many, and may be idle in one."""

    context: RunContext
    models: TierModels
    task: TaskSpec | None


def settle_settings(
    options: Mapping[str, Any],
    env: Mapping[str, str],
    *,
    task: TaskSpec | None = None,
    used: Collection[str] = (),
) -> RunContext:
    """The context of a run, as `run_context` makes it, in which every option that was given has an effect.

    Args:
        options: What was set for this run; None counts as not given.
        env: Environment variables; their settings are never refused for being idle.
        task: The run's task, where it is known.
        used: Settings that have an effect whatever the others say, such as the model that rewrites prompts.

    Raises:
        SettingError: For an unknown or impossible setting, or one without effect beside the others.
    """
    context = run_context(options, env)
    given = {name: value for name, value in options.items() if value not in (None, (), [])}
    situation = Situation(given, context, resolve_models(context, env), task)
    for name, why in _idle(situation):
        if name in used:
            continue
        raise SettingError(f"{name}={given[name]!r} would have no effect: {why}")
    if context.human_review and "human_review" not in given:  # a variable of a server that has people
        return context.model_copy(update={"human_review": False})
    return context


def _idle(at: Situation) -> Iterator[tuple[str, str]]:
    """Each given setting that no step would look at, and why."""
    for names, reason in _REASONS:
        why = reason(at)
        yield from ((name, why) for name in names if why and _means_something(name, at.given.get(name)))


def _means_something(name: str, value: Any) -> bool:
    """Whether a setting is given and asks for anything: `none` and 0 switch off what is off already."""
    if name in ("audit_share", "max_refinements", "advisory_judge"):
        return bool(value)
    if name == "judge_way":  # the way all records are judged unless another is named
        return value not in (None, "", "criteria")
    return value not in (None, "", (), []) and str(value).lower() != "none"


def _unjudged(at: Situation) -> str:
    if at.context.judge == "never":
        return "with judge='never' nothing is judged. Leave one of the two out"
    return "" if at.models.judge or at.models.jury else _NO_JUDGE


def _unrefined(at: Situation) -> str:
    if "max_refinements" in at.given and at.context.max_refinements == 0:
        return "with max_refinements=0 nothing is refined. Leave one of the two out"
    if at.context.judge == "never":
        return "with judge='never' nothing is found that could be refined. Leave one of the two out"
    return ""


def _nothing_refines(at: Situation) -> str:
    if at.models.refiner or at.context.judge_way != "criteria":  # what is found of items is told by code
        return ""
    return "no refiner is attached. Name one with refiner_model (--refiner-model)"


def _other_way(own: str) -> Callable[[Situation], str]:
    def reason(at: Situation) -> str:
        way = at.context.judge_way
        return "" if way == own else f"with judge_way={way!r} another prompt is asked. Set judge_way={own!r}"

    return reason


def _unaudited(at: Situation) -> str:
    if at.context.judge != "always" or at.models.jury:
        return ""
    return (
        "everything is judged, and there is no jury to look again. Name its models with jury_models (--jury)"
    )


def _no_jury(at: Situation) -> str:
    return "" if at.context.jury_models else "there is no jury. Name its models with jury_models (--jury)"


def _no_strong(at: Situation) -> str:
    if at.models.strong:
        return ""
    return "there is no strong model to send a document to. Name one with strong_model (--strong-model)"


def _same_as_cheap(role: str) -> Callable[[Situation], str]:
    def reason(at: Situation) -> str:
        same = getattr(at.models, role) == at.models.cheap
        return (
            f"{at.models.cheap} is the cheap model, and would only say the same again. Name another"
            if same
            else ""
        )

    return reason


def _only_fallback(at: Situation) -> str:
    others = {model for role, model in at.models.all().items() if role != "fallback"}
    return (
        "it would stand in for itself. Name a model of another provider"
        if others == {at.models.fallback}
        else ""
    )


def _no_judge_to_ask(at: Situation) -> str:
    return _NO_JUDGE if at.context.judge == "always" and not at.models.judge else ""


def _all_named(at: Situation) -> str:
    """A profile says which models are used; where each of them is named beside it, it says nothing."""
    missing = [name for name in _MODELS if not at.given.get(name)]
    if at.context.judge == "never":
        missing = [name for name in missing if name not in ("judge_model", "refiner_model")]
    return "" if missing else "every model of it is named beside it. Leave it out"


def _nobody_there(at: Situation) -> str:
    if not at.context.human_review:
        return ""
    return "a run over a file or a frame has nobody to ask. Leave it out, or use Studio or a server"


def _no_language(at: Situation) -> str:
    if at.task is None or at.context.extract_prompt or asks_for(at.task, "output_language"):
        return ""
    return f"no prompt of task {at.task.name!r} asks for a language ({{{{output_language}}}})"


_REASONS: tuple[tuple[tuple[str, ...], Callable[[Situation], str]], ...] = (
    (_JUDGING, _unjudged),
    (("judge_prompt",), _other_way("criteria")),
    (("judge_items_prompt",), _other_way("items")),
    (("judge",), _no_judge_to_ask),
    (("audit_share",), _unaudited),
    (_REFINING, _unrefined),
    (("max_refinements", "refine_prompt"), _nothing_refines),
    (("jury",), _no_jury),
    (("prerouter",), _no_strong),
    (("strong_model",), _same_as_cheap("strong")),
    (("agreement_model",), _same_as_cheap("agreement")),
    (("fallback_model",), _only_fallback),
    (("profile",), _all_named),
    (("human_review",), _nobody_there),
    (("output_language",), _no_language),
)
"""Settings, and what says why they would have no effect; nothing where they have one."""
