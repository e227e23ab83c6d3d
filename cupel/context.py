"""What a person may set per run: a form in Studio, options of the command line, `CUPEL_*` variables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from cupel.errors import SettingError
from cupel.state import JudgeWay, Mention

_SHOWN_CHARS = 80
_ADDED: Mapping[str, Any] = {"judge_way": "criteria", "judge_items_prompt": ""}
"""Settings that came later, as all was before them."""

_OF_PROFILE: Mapping[str, Mapping[str, Any]] = {"demo": {"judge_way": "items"}}
"""What a profile sets beside the models, where nothing else is said."""

Profile = Literal["auto", "groq", "openai", "openrouter", "local", "offline", "demo"]


def _prompt(node: str) -> dict[str, Any]:
    """Studio shows a field with this beside its node, as a prompt."""
    return {"langgraph_nodes": [node], "langgraph_type": "prompt"}


def _for_node(*nodes: str) -> dict[str, Any]:
    return {"langgraph_nodes": list(nodes)}


class RunContext(BaseModel):
    """Settings of one run. An empty model name means the profile's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: Annotated[Profile, Mention.PROFILE] = Field(
        default="auto",
        description="Which models to use: `auto` takes the first provider whose key is set, else `offline`.",
    )
    cheap_model: Annotated[str, Mention.MODEL] = Field(
        default="",
        description="Tried first, on every document. Form: `provider:model`.",
        json_schema_extra=_for_node("extract"),
    )
    strong_model: Annotated[str, Mention.MODEL] = Field(
        default="",
        description="Asked when the cheap record is in doubt. Form: `provider:model`.",
        json_schema_extra=_for_node("escalate"),
    )
    judge_model: Annotated[str, Mention.MODEL] = Field(
        default="",
        description="Judges records; never the model it judges. Form: `provider:model`.",
        json_schema_extra=_for_node("judge"),
    )
    refiner_model: Annotated[str, Mention.MODEL] = Field(
        default="",
        description="Turns a critique into instructions for one document. Form: `provider:model`.",
        json_schema_extra=_for_node("refine"),
    )
    agreement_model: Annotated[str, Mention.MODEL] = Field(
        default="",
        description="A second cheap model whose agreement is used as a signal; empty for none.",
        json_schema_extra=_for_node("verify"),
    )
    fallback_model: Annotated[str, Mention.MODEL] = Field(
        default="",
        description="Stands in for a model whose provider is down (an outage, not a doubt); empty for none.",
    )
    judge: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="What is judged: `auto` is every escalated and every uncalibrated record and a sample of the rest.",
        json_schema_extra=_for_node("judge", "verify"),
    )
    jury_models: Annotated[tuple[str, ...], Mention.MODEL] = Field(
        default=(),
        description="Judges of other families, asked where the judge is in doubt and to audit what it accepts. "
        "Form: `provider:model`, several.",
        json_schema_extra=_for_node("judge"),
    )
    jury: Literal["doubt", "always"] = Field(
        default="doubt",
        description="When a jury decides by majority: `doubt` is where the judge is unknown or misquotes, or `always`.",
        json_schema_extra=_for_node("judge"),
    )
    judge_way: JudgeWay = Field(
        default="criteria",
        description="How records are judged: `criteria` by a task's questions, `items` one item after the other and what is "
        "missing, `adjudicate` where two independent readings of the document differ. The profile `demo` takes `items`.",
        json_schema_extra=_for_node("judge"),
    )
    advisory_judge: bool | None = Field(
        default=None,
        description="Show what the judge finds, but let it refine or reject nothing; empty for as `cupel judge-check` "
        "measured it, and a judge that was not measured decides.",
    )
    audit_share: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Share of acceptances looked at again: calibrated ones by the judge, the judge's by a juror.",
    )
    max_refinements: int = Field(
        default=1, ge=0, le=5, description="Refinement rounds per tier before the next step is taken."
    )
    human_review: bool = Field(
        default=False,
        description="Stop and ask a person (Studio, Agent Inbox) instead of ending as needs_review.",
    )
    policy: Annotated[str, Mention.FILE] = Field(
        default="auto",
        description="Calibrated policy that decides on doubt: `auto` is the newest for this task, `none` the plain rule, or a file.",
        json_schema_extra=_for_node("verify"),
    )
    signals: Annotated[str, Mention.NAME] = Field(
        default="",
        description="Further signals that cost calls, by name and comma: `agreement` (needs an agreement model), "
        "`self_verified`, `self_consistency`; or that have alternatives of each token told: `token_certainty`, `token_margin`.",
        json_schema_extra=_for_node("verify"),
    )
    prerouter: Annotated[str, Mention.FILE] = Field(
        default="",
        description="File of a learnt text router that may send a document straight to the strong model; empty for none.",
        json_schema_extra=_for_node("route"),
    )
    max_usd_per_document: float | None = Field(
        default=None, gt=0, description="Stop spending on one document at this many US dollars."
    )
    output_language: Annotated[str, Mention.LANGUAGE] = Field(
        default="", description="Language of free-text fields, e.g. `English`; empty for the task's own."
    )
    temperature: float = Field(default=0.0, ge=0, le=2, description="Sampling temperature of every call.")
    max_output_tokens: int = Field(
        default=4096, ge=16, le=131_072, description="Longest reply of one call, in tokens."
    )
    timeout_s: float = Field(default=120.0, gt=0, le=3600, description="Give up on one call after this long.")
    max_retries: int = Field(
        default=6, ge=0, le=50, description="How often a call is repeated after a passing failure."
    )
    extract_prompt: Annotated[str, Mention.PROMPT] = Field(
        default="",
        description="Replaces the task's extract.md for this run (same placeholders); empty keeps the file.",
        json_schema_extra=_prompt("extract"),
    )
    judge_prompt: Annotated[str, Mention.PROMPT] = Field(
        default="",
        description="Replaces the task's judge.md for this run; empty keeps the file.",
        json_schema_extra=_prompt("judge"),
    )
    judge_items_prompt: Annotated[str, Mention.PROMPT] = Field(
        default="",
        description="Replaces the task's judge_items.md for this run, which judges item by item; empty keeps the file.",
        json_schema_extra=_prompt("judge"),
    )
    refine_prompt: Annotated[str, Mention.PROMPT] = Field(
        default="",
        description="Replaces the task's refine.md for this run; empty keeps the file.",
        json_schema_extra=_prompt("refine"),
    )

    def deciding(self, exclude: Iterable[str] = ()) -> dict[str, Any]:
        """The settings for an identity: what was added since is named only where it is set, so that older ones stay theirs.

        >>> "judge_way" in RunContext().deciding(), "judge_way" in RunContext(judge_way="items").deciding()
        (False, True)
        """
        told = self.model_dump(mode="json", exclude={*exclude})
        if "advisory_judge" in told:
            told["advisory_judge"] = told["advisory_judge"] if self.advisory_judge else False
        return {name: value for name, value in told.items() if name not in _ADDED or value != _ADDED[name]}

    @model_validator(mode="before")
    @classmethod
    def _as_its_profile(cls, given: Any) -> Any:
        """What is said beats what the profile sets."""
        if not isinstance(given, dict):
            return given
        return {**_OF_PROFILE.get(str(given.get("profile")), {}), **given}

    @field_validator("jury_models", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        """A variable holds several models with commas between them."""
        models = given.split(",") if isinstance(given, str) else given
        if not isinstance(models, list | tuple):
            return models
        return tuple(text for text in (str(model).strip() for model in models) if text)

    @classmethod
    def of(cls, runtime: Any) -> RunContext:
        """The context of a LangGraph runtime; the defaults when a caller passed none.

        Raises:
            SettingError: For settings of a server's client that cannot be read.
        """
        context: RunContext = runtime.context or cls()
        if isinstance(context, ServedContext) and context.fault:
            raise SettingError(context.fault)
        return context


class _EveryName(dict[str, Any]):
    """The settings by name, as a form shows them, to whom any other name is theirs as well."""

    def __contains__(self, name: object) -> bool:
        return True


class ServedContext(RunContext):
    """Settings of one run, as a server's client sends them. An empty model name means the profile's.

    What cannot be read is no exception here, where a server would hide its words, but told by the first step.
    """

    model_config = ConfigDict(title="RunContext")
    own: ClassVar[frozenset[str] | None] = None
    """The settings that have an effect on this graph; None for all."""

    _fault: str = PrivateAttr("")

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            super().__init__()
            self._fault = _tell_fault(error, type(self).names())
            return
        others = [name for name in given if name not in type(self).names()]
        idle = next((n for n in others if getattr(self, n) != type(self).model_fields[n].default), None)
        if idle is not None:
            self._fault = (
                f"{idle} has no effect here; leave it out (settings: {', '.join(type(self).names())})"
            )

    @classmethod
    def names(cls) -> list[str]:
        """The settings that have an effect."""
        return [name for name in cls.model_fields if cls.own is None or name in cls.own]

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The form. A LangGraph server drops each setting whose name is not in it, and says nothing: here none is."""
        schema = super().model_json_schema(*args, **kwargs)
        fields = {name: schema["properties"][name] for name in cls.names()}
        return {**schema, "properties": _EveryName(fields)}

    @property
    def fault(self) -> str:
        """What is wrong with the settings, in words; empty where nothing is."""
        return self._fault


def run_context(options: Mapping[str, Any], env: Mapping[str, str]) -> RunContext:
    """The context of a run: an option beats its `CUPEL_…` variable, which beats the default.

    Options that are None count as not given.

    Raises:
        SettingError: For an unknown or impossible setting, naming where it came from and what is valid.

    >>> run_context({"judge": None, "max_refinements": 1}, {"CUPEL_JUDGE": "never"}).judge
    'never'
    """
    fields = RunContext.model_fields
    unknown = [name for name in options if name not in fields]
    if unknown:
        raise SettingError(_tell_unknown(unknown[0]))
    given = {name: value for name, value in options.items() if value is not None}
    from_env = {name: env[_variable(name)] for name in fields if env.get(_variable(name), "").strip()}
    try:
        return RunContext(**{**from_env, **given})
    except ValidationError as error:
        raise SettingError(_explain(error, given)) from error


def _tell_unknown(name: str, known: Iterable[str] = ()) -> str:
    fields = list(known or RunContext.model_fields)
    near = get_close_matches(name, fields, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown setting {name!r}{hint} (settings: {', '.join(fields)})"


def _tell_fault(error: ValidationError, known: Iterable[str]) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "settings"
    if first["type"] == "extra_forbidden":
        return _tell_unknown(name, known)
    given = json.dumps(first.get("input"), ensure_ascii=False, default=str)[:_SHOWN_CHARS]
    return f"{name} is {given}: {first['msg'].removeprefix('Input ')}. {_description(name)}"


def _variable(name: str) -> str:
    return f"CUPEL_{name.upper()}"


def _explain(error: ValidationError, given: Mapping[str, Any]) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "settings"
    source = name if name in given else _variable(name)
    return f"{source}={first.get('input')!r}: {first['msg']}. {_description(name)}"


def _description(name: str) -> str:
    field = RunContext.model_fields.get(name)
    return (field.description or "") if field else ""
