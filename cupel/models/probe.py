"""What a server of one's own really does, found out with three tiny calls: some ignore in silence what they are asked.

Seen: `transformers serve` ignores a schema and log-probabilities without a word; llama-cpp-python's server refuses a schema and
knows one spelling of the output limit only. A reply of a word nobody would say shows whether a schema was obeyed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from langchain_core.messages import AIMessage, HumanMessage

from cupel.models.capabilities import learn
from cupel.models.completion import open_connection
from cupel.models.errors import ProviderCallError, ProviderTimeoutError
from cupel.models.settings import CallSettings

_WORD = "zinnober"
_SCHEMA = {
    "type": "object", "properties": {"answer": {"type": "string", "enum": [_WORD]}}, "required": ["answer"],
    "additionalProperties": False,
}  # fmt: skip
_FORM = {"type": "json_schema", "json_schema": {"name": "probe", "strict": True, "schema": _SCHEMA}}
_ASKED = CallSettings(max_output_tokens=64, timeout_s=60.0)
_BRIEF = CallSettings(max_output_tokens=8, timeout_s=60.0)
_LONGEST = 16 * _BRIEF.max_output_tokens
"""Characters that eight tokens never are."""

_REFUSED = range(400, 502)
_NOT_OURS = frozenset({401, 403, 404, 408, 429})
"""No word about what was asked, but about who asks, or when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What an endpoint was found to do."""

    schema: bool
    """It obeyed a JSON Schema."""

    logprobs: bool
    alternatives: bool
    """The likeliest tokens in the place of each come too."""

    output_limit: bool
    usage: bool
    """It says how many tokens a call took."""

    def to_json(self) -> str:
        """As the run log keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self | None:
        """What `to_json` wrote; None for what it did not."""
        try:
            data = json.loads(text)
            return cls(**{name: bool(data[name]) for name in cls.__dataclass_fields__})
        except (ValueError, TypeError, KeyError):
            return None

    def apply(self, model_id: str) -> None:
        """Have every further request to this model fit what was found."""
        learn(model_id, structured="json_schema" if self.schema else "text", logprobs=self.logprobs)

    def sentence(self) -> str:
        """For a person.

        >>> Findings(schema=False, logprobs=True, alternatives=True, output_limit=True, usage=False).sentence()
        'ignores a schema (it is stated in the prompt instead), tells logprobs, keeps the output limit, tells no usage'
        """
        return ", ".join(
            (
                "obeys a schema" if self.schema else "ignores a schema (it is stated in the prompt instead)",
                "tells logprobs" if self.logprobs else "tells no logprobs",
                "keeps the output limit" if self.output_limit else "ignores the output limit",
                "tells usage" if self.usage else "tells no usage",
            )
        )


async def probe_endpoint(model_id: str) -> Findings:
    """Ask a model three small things, and see what it makes of them.

    Raises:
        ProviderCallError: It does not answer at all.
        SettingError: It cannot be reached as set up.
    """
    both = await _ask(model_id, response_format=_FORM, logprobs=True, top_logprobs=2)
    formed = both or await _ask(model_id, response_format=_FORM)
    plain = both or await _ask(model_id, logprobs=True, top_logprobs=2)
    brief = await _brief(model_id)
    tokens = _tokens(plain)
    return Findings(
        schema=formed is not None and _obeys(str(formed.content)),
        logprobs=bool(tokens),
        alternatives=any(len(token.get("top_logprobs") or ()) > 1 for token in tokens),
        output_limit=brief is not None and len(str(brief.content)) <= _LONGEST,
        usage=any(message is not None and message.usage_metadata for message in (formed, plain, brief)),
    )


async def _ask(model_id: str, **asked: Any) -> AIMessage | None:
    """Its answer; None where it refuses what was asked for."""
    form = {name: value for name, value in asked.items() if name == "response_format"}
    more = {name: value for name, value in asked.items() if name != "response_format"}
    chat = await open_connection(model_id, _ASKED)
    try:
        message = await chat.ainvoke(
            [HumanMessage("Reply with one word of JSON: yes.")], extra_body=more, **form
        )
    except ProviderCallError as error:
        if error.status_code in _REFUSED and error.status_code not in _NOT_OURS:
            return None
        raise
    assert isinstance(message, AIMessage)
    return message


async def _brief(model_id: str) -> AIMessage | None:
    chat = await open_connection(model_id, _BRIEF)
    try:
        message = await chat.ainvoke([HumanMessage("Count from 1 to 300 in figures.")])
    except ProviderTimeoutError:
        return None  # it is still counting
    assert isinstance(message, AIMessage)
    return message


def _obeys(content: str) -> bool:
    try:
        return bool(json.loads(content) == {"answer": _WORD})
    except (ValueError, RecursionError):
        return False


def _tokens(message: AIMessage | None) -> list[dict[str, Any]]:
    told = message.response_metadata.get("logprobs") if message is not None else None
    listed = told.get("content") if isinstance(told, dict) else None
    return [token for token in listed or () if isinstance(token, dict) and "logprob" in token]
