"""The baseline as a LangChain chat model: free, deterministic, without a network."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult

from cupel.models.offline.examples import read_examples
from cupel.models.offline.records import Filler
from cupel.models.offline.sentences import sentence_spans
from cupel.models.prices import estimate_tokens

_DOCUMENT = re.compile(r'<document id="[^"]*">\n?(.*?)\n?</document>', re.DOTALL)


class OfflineBaseline(BaseChatModel):
    """The smoke-test baseline behind `offline:baseline`.

    The schema comes as the bound `response_format`, as a provider gets it; without one the reply is the
    document's first two sentences.
    """

    # LangChain calls it off the loop for who awaits: the first answer reads VADER's lexicon from disk
    def _generate(self, messages: list[BaseMessage], *_: Any, **kwargs: Any) -> ChatResult:
        return _answer(messages, kwargs)

    @property
    def _llm_type(self) -> str:
        return "offline-baseline"


def _answer(messages: Sequence[BaseMessage], kwargs: Mapping[str, Any]) -> ChatResult:
    schema = ((kwargs.get("response_format") or {}).get("json_schema") or {}).get("schema")
    before, document = _read_prompt(messages)
    if schema:
        teaching = read_examples(
            "\n".join(str(each.text) for each in messages if isinstance(each, SystemMessage))
        )
        record = Filler(teaching, schema, document, topic=before).record()
        text = json.dumps(record, ensure_ascii=False)
    else:
        text = " ".join(document[start:end] for start, end in sentence_spans(document)[:2])
    message = AIMessage(
        content=text,
        usage_metadata=_usage(messages, schema, text),
        response_metadata={"model_name": "baseline", "finish_reason": "stop"},
    )
    return ChatResult(generations=[ChatGeneration(message=message)])


def _read_prompt(messages: Sequence[BaseMessage]) -> tuple[str, str]:
    """What stands before the document (a topic, say), and the document.

    What follows it, instructions for this one document, is beyond a baseline and ignored.
    """
    for message in reversed(messages):
        text = str(message.text)
        if not isinstance(message, SystemMessage) and (match := _DOCUMENT.search(text)):
            return text[: match.start()], match[1]
    return "", str(messages[-1].text) if messages else ""


def _usage(messages: Sequence[BaseMessage], schema: Any, text: str) -> UsageMetadata:
    asked = sum(estimate_tokens(str(each.text)) for each in messages)
    asked += estimate_tokens(json.dumps(schema), json=True) if schema else 0
    reply = estimate_tokens(text, json=bool(schema))
    return UsageMetadata(input_tokens=asked, output_tokens=reply, total_tokens=asked + reply)
