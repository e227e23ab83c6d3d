"""What a server's owner lets callers do: `serve.toml`, read and checked; what it does not say is not allowed."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cupel.context import Profile, RunContext
from cupel.errors import CupelError, SettingError
from cupel.files import read_text
from cupel.models import ModelId, price, resolve_models
from cupel.project import Project, graph_entries
from cupel.task import task_names

FILE = "serve.toml"
_SHOWN_CHARS = 60


class Requests(BaseModel):
    """What may come from a request, beside a document and the name of a task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompts: bool = Field(
        default=False, description="Prompts in place of the task's files, and versions to compare."
    )
    schemas: bool = Field(default=False, description="A schema with instructions, for a one-off task.")
    policies: bool = Field(
        default=False, description="A calibrated policy or pre-router, by its name in `[files]`."
    )
    improve: bool = Field(
        default=False,
        description="Campaigns, on documents by their name in `[files]`; what one promotes, all callers get.",
    )
    forks: bool = Field(default=False, description="Writing a thread's state, and going on from there.")
    assistants: bool = Field(default=False, description="Assistants of their own.")
    webhooks: tuple[str, ...] = Field(
        default=(),
        description="Beginnings of addresses that may be told of a run's end, `https://`, host and a slash.",
    )


class Caps(BaseModel):
    """How much: 0 is nothing. A day is one of UTC; all processes on the run log keep one count."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd_per_request: float = Field(default=0.0, ge=0, le=1e6, description="US dollars one request may cost.")
    usd_per_key: float = Field(default=0.0, ge=0, le=1e6, description="US dollars a day, of one key.")
    usd_per_day: float = Field(default=0.0, ge=0, le=1e6, description="US dollars a day, of all together.")
    documents_per_request: int = Field(
        default=1, ge=1, le=10_000, description="Documents of one request: of `/runs/batch` more than one."
    )
    documents_per_key: int = Field(default=0, ge=0, le=10**9, description="Documents a day, of one key.")
    documents_per_day: int = Field(default=0, ge=0, le=10**9, description="Documents a day, of all together.")


class Policy(BaseModel):
    """What callers may do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    graphs: tuple[str, ...] = Field(default=(), description="Graphs of langgraph.json.")
    tasks: tuple[str, ...] = Field(default=(), description="Folders of `prompts/`.")
    profiles: tuple[str, ...] = Field(
        default=(), description="Profiles; the first one's models are asked where a request names none."
    )
    models: tuple[str, ...] = Field(
        default=(), description="Models a request may name beside those of the profiles, `provider:model`."
    )
    longest_text: int = Field(
        default=100_000,
        ge=1,
        le=10_000_000,
        description="Characters of a request's text and all else it says.",
    )
    requests: Requests = Field(default_factory=Requests, description="What may come from a request.")
    files: Mapping[str, str] = Field(
        default_factory=dict, description="Names a request may use for files of the project."
    )
    caps: Caps = Field(default_factory=Caps, description="How much a request, a key and a day may come to.")

    def models_allowed(self, env: Mapping[str, str] = os.environ) -> frozenset[str]:
        """Every model a caller may have asked: those named, and those of the profiles."""
        named = {str(ModelId.parse(model)) for model in self.models}
        for profile in self.profiles:
            named |= set(resolve_models(RunContext(profile=profile), env).all().values())  # type: ignore[arg-type]  # checked
        return frozenset(named)


CLOSED = Policy()
"""Of a server that can be reached from elsewhere and has no file: nothing."""


def read_policy(project: Project, env: Mapping[str, str] = os.environ) -> Policy | None:
    """The project's `serve.toml`; None where it has none.

    Raises:
        SettingError: Naming the file, the entry, what stands there and what may.
    """
    path = project.folder / FILE
    if not path.exists() and not path.is_symlink():
        return None
    try:
        policy = Policy.model_validate(tomllib.loads(read_text(path)))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except ValidationError as error:
        raise SettingError(f"{path}: {_explain(error)}") from error
    try:
        _check_names(policy, project, env)
    except CupelError as error:
        raise SettingError(f"{path}: {error}") from error
    return policy


def weak_points(policy: Policy, env: Mapping[str, str] = os.environ) -> list[str]:
    """What an owner should know of a policy: what leaves callers with nothing, and what would cost without end."""
    caps, said = policy.caps, []
    empty = [name for name in ("graphs", "tasks") if not getattr(policy, name)]
    said += [f"{name} is empty: no request is taken" for name in empty]
    if not policy.models_allowed(env):
        said.append("neither profiles nor models names a model: no request is taken")
    said += [
        f"caps.{name} is 0: no document is taken"
        for name in ("documents_per_key", "documents_per_day")
        if not getattr(caps, name)
    ]
    free = [name for name in ("usd_per_request", "usd_per_key", "usd_per_day") if not getattr(caps, name)]
    said += [f"caps.{name} is 0: only what costs nothing is asked" for name in free]
    unknown = sorted(model for model in policy.models_allowed(env) if price(model, env) is None)
    said += [
        f'the price of {model} is unknown, so it is asked nothing under a cap; set CUPEL_PRICES="{model}=IN/OUT"'
        for model in unknown
    ]
    if policy.requests.improve:
        said.append(
            "requests.improve: a caller may start campaigns, and approve what changes the prompts of all"
        )
    return said


def _check_names(policy: Policy, project: Project, env: Mapping[str, str]) -> None:
    _check("graphs", policy.graphs, list(graph_entries(project)))
    _check("tasks", policy.tasks, task_names(project.prompts))
    _check("profiles", policy.profiles, [name for name in get_args(Profile) if name != "auto"])
    for model in policy.models:
        ModelId.parse(model)
    for beginning in policy.requests.webhooks:
        if not beginning.startswith("https://") or beginning.count("/") < 3:
            raise SettingError(
                f"requests.webhooks: {beginning!r} is no beginning of an address; give https://, the host and a slash, "
                "such as https://hooks.example.org/"
            )
    for name, place in policy.files.items():
        _check_file(name, place, project)
    policy.models_allowed(env)


def _check(entry: str, given: Sequence[str], valid: Sequence[str]) -> None:
    for name in given:
        if name not in valid:
            raise SettingError(f"{entry}: there is no {name!r}; there are {', '.join(valid) or 'none'}")


def _check_file(name: str, place: str, project: Project) -> None:
    folder = project.folder.resolve()
    full = (folder / place).resolve()
    if not name.replace("-", "").replace("_", "").isalnum() or len(name) > _SHOWN_CHARS:
        raise SettingError(f"files: {name!r} is no name; use letters, digits, - and _")
    if not full.is_relative_to(folder) or not full.is_file():
        raise SettingError(f"files.{name}: {place!r} is no file of the project; give its path from {folder}")


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    form = _form_at(place[:-1])
    if first["type"] == "extra_forbidden" and form is not None:
        return f"{'.'.join(place)}: there is no such entry; there are {', '.join(form.model_fields)}"
    field = form.model_fields.get(place[-1]) if form is not None and place else None
    meant = f". {field.description}" if field is not None and field.description else ""
    given = repr(first.get("input"))[:_SHOWN_CHARS]
    return f"{'.'.join(place)} is {given}: {first['msg'].removeprefix('Input ')}{meant}"


def _form_at(place: Sequence[str]) -> type[BaseModel] | None:
    form: type[BaseModel] = Policy
    for name in place:
        field = form.model_fields.get(name)
        inner: Any = field.annotation if field is not None else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return None
        form = inner
    return form
