"""A person asked at a step: what is kept before a run stops for the answer, and the answer in every shape people's tools give it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from langgraph.errors import GraphInterrupt
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from cupel.context import RunContext
from cupel.engine import current
from cupel.state import Asked
from cupel.task import schema_problem

NOBODY = "a person"
"""Who answered, where neither the server nor the answer says it."""

LOCAL = "local"
"""Whom a server calls whoever comes from its own machine and needs no key: nobody by name."""

_KINDS: Mapping[str, Literal["accept", "edit", "respond", "ignore"]] = {
    "accept": "accept", "approve": "accept", "edit": "edit", "response": "respond", "respond": "respond",
    "ignore": "ignore", "reject": "ignore",
}  # fmt: skip
_WORDS = {**_KINDS, "accepted": "accept", "approved": "accept", "ignored": "ignore", "rejected": "ignore"}
_FRAME = frozenset({"type", "args", "message", "edited_action", "by"})
"""What an answer has beside what a person says in it."""

_USABLE = (
    "answer with accept, edit, respond or ignore, with the record itself, or with an instruction in words"
)
_SHOWN_CHARS = 80


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a question stands: something to be kept before the run may stop for it, or the answer."""

    keep: Asked | None = None
    answer: Any = None
    settings: Mapping[str, Any] | None = None
    """Those of the run that asked: they hold for what follows the answer."""

    @property
    def context(self) -> RunContext:
        """The settings of the run that asked."""
        known = (self.settings or {}).items()
        return RunContext(**{name: value for name, value in known if name in RunContext.model_fields})


async def ask_person(
    state: Mapping[str, Any], runtime: Runtime[RunContext], question: Mapping[str, Any]
) -> Turn | None:
    """Stop and ask a person; None where none is attached.

    Whoever resumes a run may bring the answer and nothing else. So that a person is asked, and under which settings,
    is kept in the state first: the step comes twice, and stops the second time. A run that brings no answer, a fork
    or one that walks again from here, takes its own settings.
    """
    own, asked = RunContext.of(runtime), state.get("asked")
    if not own.human_review and asked is None:
        return None
    settings = await _pinned(own)
    fresh = Turn(keep=Asked(settings=settings, objection=""))
    if asked is None:
        return fresh
    try:
        answer = interrupt([question])
    except GraphInterrupt:
        if not own.human_review:
            return None
        if asked["settings"] == settings:
            raise
        return fresh
    return Turn(answer=answer, settings=asked["settings"])


async def _pinned(context: RunContext) -> dict[str, Any]:
    """The settings as they hold now: the models that a profile and the environment chose are named."""
    models = (await current()).models(context)
    named = {role: getattr(models, role) or "none" for role in ("cheap", "strong", "judge", "refiner")}
    pinned = context.model_copy(update={f"{role}_model": model for role, model in named.items()})
    return pinned.model_dump(mode="json", exclude_defaults=True)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a person answered, whichever tool it came through."""

    kind: Literal["accept", "edit", "respond", "ignore"]
    content: Any = None
    """Of an edit, and of an acceptance that brings it along: the fields as the person left them."""

    note: str = ""
    """What was said in words."""

    by: str = NOBODY


def read_reply(answer: Any, runtime: Runtime[RunContext], fields: Mapping[str, Any]) -> Reply | str:
    """A person's answer; in words, why it cannot be read.

    Taken are the Agent Inbox's list of one response, that response alone, LangChain's `decisions`, the fields
    themselves, an instruction in words, and all of these as JSON text.

    Args:
        answer: What the run was resumed with.
        runtime: Whom the server knows as its user, where it knows one.
        fields: The fields a person may fill in, by name.
    """
    said = _only(_from_text(answer))
    if isinstance(said, _Unread):
        return said.reason
    reply = _read_text(said) if isinstance(said, str) else _read_object(said, fields)
    if isinstance(reply, str):
        return reply
    claimed = said.get("by") if isinstance(said, Mapping) else None
    by = _user_of(runtime) or (claimed.strip() if isinstance(claimed, str) else "") or NOBODY
    return Reply(reply.kind, reply.content, reply.note.strip(), by)


@dataclass(frozen=True, slots=True)
class _Unread:
    reason: str


def _from_text(answer: Any) -> Any:
    """What an answer typed as JSON stands for."""
    if not isinstance(answer, str) or answer.strip()[:1] not in ("{", "[", '"'):
        return answer
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return answer


def _only(answer: Any) -> Any:
    """The one answer to the one question."""
    several = answer.get("decisions") if isinstance(answer, Mapping) and "decisions" in answer else answer
    if isinstance(several, list | tuple):
        if len(several) != 1:
            return _Unread(f"one question was asked, and the answer holds {len(several)}; {_USABLE}")
        several = several[0]
    if isinstance(several, bool):
        return {"type": "accept" if several else "ignore"}
    if isinstance(several, str) and several.strip():
        return several.strip()
    if isinstance(several, Mapping) and several:
        return several
    return _Unread(f"it could not be read: {_show(several)}; {_USABLE}")


def _read_text(said: str) -> Reply | str:
    kind = _WORDS.get(said.casefold().rstrip(".!"))
    if kind in ("accept", "ignore"):
        return Reply(kind)
    if len(said.split()) < 2:  # one word is no instruction
        return f"{_show(said)} is no instruction; {_USABLE}"
    return Reply("respond", note=said)


def _read_object(said: Mapping[str, Any], fields: Mapping[str, Any]) -> Reply | str:
    kind = _KINDS.get(str(said.get("type")).casefold())
    if kind is None or not said.keys() <= _FRAME:
        if said.keys() <= fields.keys():
            return Reply("edit", content=said)
        if kind is None and "type" in said:
            return f"an answer of unknown type {_show(said['type'])}; {_USABLE}"
        if kind is None:
            strange = ", ".join(repr(name) for name in list(said)[:3] if name not in fields)
            return f"it has {strange}, which is no field here (fields: {', '.join(fields)}); {_USABLE}"
    edited = said.get("edited_action", said.get("args"))
    inner = edited.get("args", edited) if isinstance(edited, Mapping) else None
    words = said.get("message") or (edited if isinstance(edited, str) else "")
    if kind == "respond" and not str(words).strip():
        return "a response needs an instruction in words, as `args` or `message`"
    if kind == "edit" and not isinstance(inner, Mapping):
        return "an edit needs the edited fields, as `args`"
    return Reply(kind, content=inner if kind in ("edit", "accept") else None, note=str(words or ""))


def _user_of(runtime: Runtime[RunContext]) -> str:
    """Whom the server let in; nobody where it asks no one."""
    server = runtime.server_info
    name = str(server.user.identity) if server is not None and server.user is not None else ""
    return "" if name == LOCAL else name


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def read_fields(
    edited: Mapping[str, Any], shown: Mapping[str, Any], schema: Mapping[str, Any]
) -> dict[str, Any]:
    """The record an edit stands for: fields that a form returned as text are what their schema says they are.

    A field that still reads as it was shown is unchanged, and one that was left out stays.

    >>> properties = {"n": {"type": "integer"}, "s": {"type": "string"}}
    >>> schema = {"type": "object", "properties": properties, "required": ["n", "s"]}
    >>> read_fields({"n": "12"}, {"n": 3, "s": "12"}, schema)
    {'n': 12, 's': '12'}
    """
    properties = schema.get("properties", {})
    read = {
        name: _read_field(value, shown.get(name), properties.get(name), schema)
        for name, value in edited.items()
    }
    return read if schema_problem(read, schema) is None else {**shown, **read}


def _read_field(value: Any, before: Any, part: Any, schema: Mapping[str, Any]) -> Any:
    if not isinstance(value, str) or not isinstance(part, Mapping) or value == before:
        return value
    meant = _meanings(value)
    if any(text == before and type(text) is type(before) for text in meant):
        return before
    whole = {**part, **{name: schema[name] for name in ("$defs", "definitions") if name in schema}}
    likely = (None, value, *meant) if value == "null" else (value, *meant)
    return next((text for text in likely if schema_problem(text, whole) is None), value)


def _meanings(text: str) -> list[Any]:
    """What a text may stand for beside itself."""
    plain = text.strip()
    lowered = plain.lower()
    words = {"true": True, "yes": True, "false": False, "no": False, "null": None, "none": None, "": None}
    meant = [words[lowered]] if lowered in words else []
    try:
        return [json.loads(plain), *meant]
    except (ValueError, RecursionError):
        return meant
