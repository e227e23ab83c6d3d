"""What of a request is not for callers: asked of every field, by what it may name."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from cupel.cascade import CompareSettings, EnrichSettings, ImproveSettings
from cupel.context import RunContext, ServedContext
from cupel.engine import DEFAULT_TASK
from cupel.errors import SettingError
from cupel.models import ModelId, resolve_models
from cupel.serve.policy import Policy
from cupel.state import CompareInput, DocumentInput, ImproveInput, Mention, Side, mentions_of

FORMS: Mapping[str, tuple[type[Any], type[ServedContext]]] = {
    "enrich": (DocumentInput, EnrichSettings),
    "compare": (CompareInput, CompareSettings),
    "improve": (ImproveInput, ImproveSettings),
}
"""Input and settings of our graphs; one of a project's own has the settings of all, and an input only it knows."""

_LANGUAGE = re.compile(r"[^\W\d_]{1,30}([ -][^\W\d_]{1,30}){0,2}")
_DETACHED = ("", "none")
_SHOWN_CHARS = 60
_LONGEST_ADDRESS = 2_000
_POLICIES = ("policy", "prerouter")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not taken, and as which HTTP status."""

    status: int
    why: str

    @property
    def headers(self) -> dict[str, str] | None:
        """What goes with it: of a day's cap, the seconds till the counts begin anew, at midnight UTC."""
        if self.status != 429:
            return None
        now = datetime.now(UTC)
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return {"retry-after": str(math.ceil((midnight - now).total_seconds()))}


Look = Callable[[str, Any, Policy], Refusal | None]


def refuse(policy: Policy, graph: str, given: Any, settings: Mapping[str, Any]) -> Refusal | None:
    """The first thing a request asks for that is not the caller's to have; None where all of it is.

    Args:
        policy: The owner's.
        graph: The graph it is for.
        given: The input; None where a thread goes on.
        settings: Those the request brings.
    """
    if graph not in policy.graphs or (graph == "improve" and not policy.requests.improve):
        return _no(
            "the graph",
            graph,
            [name for name in policy.graphs if name != "improve" or policy.requests.improve],
        )
    said = sum(len(text) for text in texts_in([given, settings]))
    if said > policy.longest_text:
        return Refusal(413, f"the request says {said} characters; at most {policy.longest_text} are taken")
    form, settings_form = FORMS.get(graph, (None, RunContext))
    fields = list(_fields(settings_form, settings))
    if isinstance(given, Mapping):
        fields += _fields(form, given) if form is not None else ()
        if graph in FORMS and not given.get("output_schema"):
            task = given.get("task") or settings.get("task") or DEFAULT_TASK
            fields.append(("task", task, Mention.TASK))
    return next(filter(None, (_LOOKS[mention](name, value, policy) for name, value, mention in fields)), None)


def check_models_of(context: RunContext, policy: Policy, env: Mapping[str, str] = os.environ) -> None:
    """See that every model these settings come to, by whichever way, is one that callers may have asked.

    Raises:
        SettingError: Naming the role, the model and those that may be asked.
    """
    allowed = policy.models_allowed(env)
    for role, model in resolve_models(context, env).all().items():
        if model not in allowed:
            raise SettingError(
                f"the {role} model would be {model}, which is not for callers; there are {_list(sorted(allowed))}"
            )


def is_told(webhook: Any, beginnings: Sequence[str]) -> bool:
    """Whether the server may be sent to an address at the end of a run: one the owner named, and no way out of it.

    >>> is_told("https://hooks.example.org/cupel/x", ["https://hooks.example.org/cupel/"])
    True
    >>> is_told("https://hooks.example.org/cupel/../admin", ["https://hooks.example.org/cupel/"])
    False
    """
    if (
        not isinstance(webhook, str)
        or not webhook.isascii()
        or not webhook.isprintable()
        or len(webhook) > _LONGEST_ADDRESS
    ):
        return False
    beginning = next((each for each in beginnings if webhook.startswith(each)), None)
    path = unquote(unquote(webhook.removeprefix(beginning or ""))).partition("?")[0]
    return beginning is not None and not any(sign in path for sign in ("..", "\\", "#", " "))


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a JSON value, the names of fields too; however deep, nothing is called by itself."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, Mapping):
            waiting += [*found, *found.values()]
        elif isinstance(found, list | tuple):
            waiting += found


def _fields(form: type[Any], given: Mapping[str, Any]) -> Iterator[tuple[str, Any, Mention]]:
    """Each field that says something, with what it may name; those of an inner object in its place."""
    for name, mention in mentions_of(form).items():
        value = given.get(name)
        if mention is Mention.SIDE and isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", said, kind) for inner, said, kind in _fields(Side, value))
        elif mention is not None and value not in (None, "", [], {}, ()):
            yield name, value, mention


def _plain(_name: str, _value: Any, _policy: Policy) -> None:
    return None


def _look_at_task(_name: str, value: Any, policy: Policy) -> Refusal | None:
    return None if value in policy.tasks else _no("the task", value, policy.tasks)


def _look_at_models(name: str, value: Any, policy: Policy) -> Refusal | None:
    allowed = policy.models_allowed()
    for model in (part.strip() for text in texts_in(value) for part in text.split(",")):
        if model.lower() in _DETACHED:
            continue
        try:
            known = str(ModelId.parse(model)) in allowed
        except SettingError:
            known = False
        if not known:
            return _no(f"{name}:", model, sorted(allowed))
    return None if isinstance(value, str | list | tuple) else _no(f"{name}:", value, sorted(allowed))


def _look_at_profile(name: str, value: Any, policy: Policy) -> Refusal | None:
    known = ("auto", *policy.profiles)
    return None if value in known else _no(f"{name}:", value, known)


def _look_at_language(name: str, value: Any, _policy: Policy) -> Refusal | None:
    if isinstance(value, str) and _LANGUAGE.fullmatch(value):
        return None
    return Refusal(422, f"{name} is {_show(value)}; give the name of a language, such as English")


def _look_at_file(name: str, value: Any, policy: Policy) -> Refusal | None:
    of_policy = name in _POLICIES
    if name == "policy" and value in ("auto", "none"):
        return None
    known = list(policy.files) if (policy.requests.policies if of_policy else policy.requests.improve) else []
    if isinstance(value, str) and value in known:
        return None
    return Refusal(403, f"{name} is {_show(value)}: no request names a file; leave it out{_or_names(known)}")


def _or_names(known: list[str]) -> str:
    return f", or give one of {_list(known)}" if known else ""


def _look_at_prompt(name: str, _value: Any, policy: Policy) -> Refusal | None:
    if policy.requests.prompts:
        return None
    return Refusal(403, f"{name}: prompts are not taken from requests here; leave it out")


def _look_at_schema(name: str, value: Any, policy: Policy) -> Refusal | None:
    if not policy.requests.schemas:
        return Refusal(
            403,
            f"{name}: schemas are not taken from requests here; name one of the tasks {_list(policy.tasks)}",
        )
    remote = next((ref for ref in _references(value) if not ref.startswith("#")), None)
    if remote is not None:
        return Refusal(
            422,
            f"{name} refers to {_show(remote)}: only what stands in the schema itself is referred to, as #/$defs/NAME",
        )
    return None


def _references(schema: Any) -> Iterator[str]:
    waiting = [schema]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str) and found.lstrip()[:1] == "{":  # a side's schema is a file's text
            try:
                found = json.loads(found)
            except (ValueError, RecursionError):
                continue
        if isinstance(found, Mapping):
            yield from (
                str(found[word])
                for word in ("$ref", "$dynamicRef", "$recursiveRef")
                if isinstance(found.get(word), str)
            )
            waiting += found.values()
        elif isinstance(found, list | tuple):
            waiting += found


_LOOKS: Mapping[Mention, Look] = {
    Mention.WORDS: _plain,
    Mention.NAME: _plain,
    Mention.SIDE: lambda name, value, _: Refusal(
        422, f"{name} is {_show(value)}; give an object with a name"
    ),
    Mention.TASK: _look_at_task,
    Mention.MODEL: _look_at_models,
    Mention.PROFILE: _look_at_profile,
    Mention.LANGUAGE: _look_at_language,
    Mention.FILE: _look_at_file,
    Mention.PROMPT: _look_at_prompt,
    Mention.SCHEMA: _look_at_schema,
}


def _no(what: str, value: Any, known: Any) -> Refusal:
    return Refusal(403, f"{what} {_show(value)} is not for callers; there are {_list(known)}")


def _list(known: Any) -> str:
    return ", ".join(known) or "none"


def _show(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):  # nested deeper than anything that is meant
        text = type(value).__name__
    return f"{text[:_SHOWN_CHARS]}…" if len(text) > _SHOWN_CHARS else text
