"""One call to one model: what decides the reply, and the reply as it was stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cupel._memo import Kept
from cupel.engine.run import Asking
from cupel.models import CallSettings, Completion, cost, estimate_tokens, place_of, price
from cupel.runlog import BatchRequest, StoredResponse
from cupel.state import Call
from cupel.task import Message, sent_schema

CALL_EVENT = "cupel.call"
"""What the graphs tell in the stream mode `custom` of a call that was answered, or not."""

STEP_EVENT = "cupel.step"
"""And of a step that begins."""

DOCUMENT_MARK = "⟦document⟧"
"""Stands for the document's text in what the run log keeps of a request: the text is stored once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """One call to one model."""

    kind: str
    model: str
    messages: list[Message]
    schema: Mapping[str, Any] | None
    schema_name: str
    doc_id: str
    text: str
    """The document's text as it stands in the messages, cut out of what is logged."""

    settings: CallSettings
    max_retries: int = 6
    asking: Asking = field(default_factory=Asking)
    usd_left: float | None = None
    """What this document may still cost; None for no limit of its own."""

    prompt_version: str = ""
    """Of the prompt that asks, for whoever looks on; the messages decide."""

    has_fallback: bool = False
    """Another model stands by: do not wait for this one's provider to come back."""

    @cached_property
    def key(self) -> str:
        """Hash of all that decides the reply: the response's name in the run log."""
        settings = self.settings
        opening = json.dumps([self.asked_of, self.messages], sort_keys=True)
        sampled = [
            settings.temperature,
            settings.max_output_tokens,
            settings.logprobs,
            self.asking.sample,
            self.asking.retry,
            # left out where there are none: keys of older replies stay theirs
            *([settings.alternatives] if settings.alternatives else []),
        ]
        # spelt as one JSON list: a key stands for what was paid for under it, for ever
        decides = f"{opening[:-1]}, {_sorted_json(self.wire)}, {json.dumps(sampled)[1:]}"
        return hashlib.sha256(decides.encode()).hexdigest()

    @cached_property
    def place(self) -> str:
        """The name of the address the model is asked at; empty for the provider's own, which old keys stand for."""
        return place_of(self.model)

    @property
    def asked_of(self) -> str:
        """The model, with its address where that is not the provider's own: another address is another model."""
        return f"{self.model}@{self.place}" if self.place else self.model

    @cached_property
    def wire(self) -> dict[str, Any] | None:
        """The schema as sent, the same object for the same schema."""
        return None if self.schema is None else sent_schema(self.schema)[0]

    @property
    def asked(self) -> str:
        """The messages for the run log, the document's text replaced by a mark."""
        if not self.text:
            return json.dumps(self.messages, ensure_ascii=False)
        marked = [
            {**message, "content": message["content"].replace(self.text, DOCUMENT_MARK)}
            for message in self.messages
        ]
        return json.dumps(marked, ensure_ascii=False)

    def event(self, response: Response | None = None, *, error: str = "") -> dict[str, Any]:
        """The call as whoever debugs a document sees it: what was sent, and what came back or why nothing did."""
        said: dict[str, Any] = {
            "event": CALL_EVENT, "key": self.key, "kind": self.kind, "model": self.model, "doc_id": self.doc_id,
            "prompt_version": self.prompt_version, "messages": self.messages,
        }  # fmt: skip
        if response is None:
            return {**said, "error": error}
        stored = response.stored
        return {
            **said, "reply": stored.text, "refusal": stored.refusal, "finish_reason": stored.finish_reason,
            "cached": response.cached, "input_tokens": stored.input_tokens, "output_tokens": stored.output_tokens,
            "cost_usd": stored.cost_usd, "latency_s": stored.latency_s,
        }  # fmt: skip

    @cached_property
    def input_tokens(self) -> int:
        """Upper estimate of the tokens sent, for limits and reservations."""
        prose = sum(estimate_tokens(message["content"]) + 8 for message in self.messages)
        return prose + (estimate_tokens(sent_schema(self.schema)[1], json=True) if self.schema else 0)


_sorted = Kept[str]()


def _sorted_json(wire: Mapping[str, Any] | None) -> str:
    return "null" if wire is None else _sorted.of((wire,), make=lambda: json.dumps(wire, sort_keys=True))


@dataclass(frozen=True, slots=True)
class Response:
    """A stored response, and whether it was paid for just now."""

    stored: StoredResponse
    cached: bool
    elsewhere: bool = False
    """Paid by another run, or for another row of this one."""

    def call(self) -> Call:
        """As an attempt or verdict lists it."""
        stored = self.stored
        call = Call(
            key=stored.key,
            kind=stored.kind,  # type: ignore[typeddict-item]  # the run log keeps it as text
            model=stored.model,
            input_tokens=stored.input_tokens,
            cached_tokens=stored.cached_tokens,
            output_tokens=stored.output_tokens,
            cost_usd=stored.cost_usd,
            latency_s=stored.latency_s,
            cached=self.cached,
        )
        if self.elsewhere:
            call["elsewhere"] = True
        return call


def paid_for(
    request: Request | BatchRequest,
    completion: Completion,
    *,
    run_id: str,
    env: Mapping[str, str],
    share: float = 1.0,
) -> StoredResponse:
    """A reply as the run log keeps it, at what it cost.

    Args:
        request: What was asked.
        completion: The reply.
        run_id: Whose money it was.
        env: Where prices of one's own are looked up.
        share: Share of the full price that was paid; an unknown price stays unknown.
    """
    usd = completion.cost_usd
    if usd is None:
        usd = cost(price(request.model, env), completion)
    return StoredResponse(
        key=request.key, kind=request.kind, model=request.model, asked=request.asked, text=completion.text,
        refusal=completion.refusal, finish_reason=completion.finish_reason,
        input_tokens=completion.input_tokens, cached_tokens=completion.cached_tokens,
        output_tokens=completion.output_tokens, cost_usd=None if usd is None else usd * share,
        latency_s=round(completion.latency_s, 4),
        tokens=None if completion.tokens is None else tuple(completion.tokens), run_id=run_id,
        doc_id=request.doc_id,
    )  # fmt: skip
