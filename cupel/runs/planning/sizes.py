"""How large the requests of one document are, rendered with the task's real prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from cupel.cascade import ANSWERS, MAX_INSTRUCTIONS, SAMPLES, VERIFICATIONS, addendum_schema, read_signals
from cupel.context import RunContext
from cupel.engine import Request
from cupel.judging import adjudication_schema, items_schema, judge_schema
from cupel.models import CallSettings, TierModels, capabilities, estimate_tokens
from cupel.task import (
    TaskSpec,
    compact,
    fill_instructions,
    judge_prompt_of,
    messages,
    object_schema,
    of_document,
    stable_values,
    template_of,
)
from cupel.text import document_id, split_windows, usable_text

Role = Literal["cheap", "verify", "sample", "answer", "strong", "judge", "refine"]
ROLES: tuple[Role, ...] = get_args(Role)

TOKENS_PER_FINDING = 80
"""Guess for a judge's reply: one to three sentences, the finding and a short quote for each criterion."""

TOKENS_OF_ITEM = 25
"""Guess for an item of a record: a quote and a label."""

TOKENS_PER_ITEM = 22
"""Guess for what a judge says of one: a few words where it is right, a reason where it is not, and what is missing."""

TOKENS_OF_ASKED = 60
"""Guess for an item with a question: the question, its answer, and the quote."""

TOKENS_PER_QUESTION = 20
TOKENS_PER_ANSWER = 35
"""Guess for what comes back for a question that is asked back: its number and a sentence."""

TOKENS_PER_DECISION = 45
DISPUTED = 0.4
"""Guess for the share of items on which two readings differ."""

TOKENS_PER_INSTRUCTION = 40
TOKENS_PER_OBJECTION = 60
"""Guess for what a refiner is told about each failed criterion."""

UNKNOWN_RECORD_TOKENS = 256
"""Guess for a record of a task without examples."""

THINKING_TOKENS = 400
"""Guess for what a reasoning model thinks before it answers; billed as output."""


@dataclass(frozen=True, slots=True)
class Size:
    """One step of one role on one document: its calls (a long text takes several) and their tokens."""

    calls: int
    input_tokens: float
    output_tokens: float


@dataclass(frozen=True, slots=True)
class SizedDocument:
    """What a request is made of."""

    text: str
    doc_id: str
    inputs: Mapping[str, str]

    @classmethod
    def of(cls, cell: object, doc_id: str | None, inputs: Mapping[str, str]) -> SizedDocument | None:
        """A row's document; None when its text cannot be used, so that nothing is asked about it."""
        text, problem = usable_text(cell)
        return cls(text, doc_id or document_id(text), inputs) if problem is None else None


@dataclass(frozen=True)
class Sizer:
    """Renders the requests of a task as the nodes do, and counts their tokens."""

    task: TaskSpec
    context: RunContext
    models: TierModels

    def model_of(self, role: Role) -> str:
        """The model that plays a role; empty when there is none. `sample` and `answer` are the cheap model, asked about records."""
        others = {
            "verify": self.models.agreement,
            "sample": self.models.cheap if self._samples or self._votes else "",
            "answer": self.models.cheap if self.task.asks_back is not None else "",
            "refine": self.models.refiner,
        }
        return others[role] if role in others else self.models.all().get(role, "")

    @cached_property
    def _samples(self) -> int:
        """Further records the cheap model is asked for."""
        return SAMPLES if "self_consistency" in read_signals(self.context) else 0

    @cached_property
    def _votes(self) -> int:
        """How often it is asked whether its record is right."""
        return VERIFICATIONS if "self_verified" in read_signals(self.context) else 0

    def sizes(self, document: SizedDocument) -> dict[Role, Size]:
        """One step of every role that has a model, as it would be on this document."""
        spans = self.windows(document.text)
        record = self.record_tokens(document.text)
        models = {role: model for role in ROLES if (model := self.model_of(role))}
        return {role: self._size(role, model, document, spans, record) for role, model in models.items()}

    def windows(self, text: str) -> list[tuple[int, int]]:
        """`[start, end)` of each window an extraction asks about."""
        window = self.task.window
        return split_windows(text, window.max_chars, window.overlap_chars)

    def _size(
        self, role: Role, model: str, document: SizedDocument, spans: list[tuple[int, int]], record: float
    ) -> Size:
        thinking = THINKING_TOKENS if thinks(model) else 0
        if role == "judge":
            return self._judgement(model, document, spans, record, thinking)
        if role == "refine":
            asked = self._request("refine", model, document, self._refine_schema).input_tokens
            said = TOKENS_PER_INSTRUCTION * MAX_INSTRUCTIONS
            return Size(1, asked + record + 2 * TOKENS_PER_OBJECTION, said + thinking)
        if role == "answer":
            asked = self._request("answer", model, document, ANSWERS).input_tokens
            items = 1 + record / TOKENS_OF_ASKED
            return Size(1, asked + items * TOKENS_PER_QUESTION, items * TOKENS_PER_ANSWER + thinking)
        tokens = sum(request.input_tokens for request in self.extractions(model, document))
        once = Size(len(spans), tokens, record + thinking * len(spans))
        return self._sampled(once, model, document, record, thinking) if role == "sample" else once

    def _judgement(
        self,
        model: str,
        document: SizedDocument,
        spans: list[tuple[int, int]],
        record: float,
        thinking: float,
    ) -> Size:
        """One judgement the way the run judges; by adjudication with the second reading, priced as the judge's own."""
        way = self.context.judge_way
        asked = self._request("judge", model, document, self._judge_schema).input_tokens + record
        said = float(TOKENS_PER_FINDING * len(self.task.criteria_of(way)))
        if way == "criteria":
            return Size(1, asked, said + thinking)
        items = 1 + record / TOKENS_OF_ITEM
        said += items * (TOKENS_PER_ITEM if way == "items" else TOKENS_PER_DECISION * DISPUTED)
        if way == "items":
            calls = max(1, len(spans))
            return Size(calls, asked, said + thinking * calls)
        readings = sum(request.input_tokens for request in self.extractions(model, document))
        return Size(1 + len(spans), asked + readings, said + record + thinking * (1 + len(spans)))

    def _sampled(
        self, once: Size, model: str, document: SizedDocument, record: float, thinking: float
    ) -> Size:
        """All that is asked of the cheap model about one record of its own."""
        asked = record
        if self._votes:
            asked += self._request("verify", model, document, self._verify_schema).input_tokens
        return Size(
            self._samples * once.calls + self._votes,
            self._samples * once.input_tokens + self._votes * asked,
            self._samples * once.output_tokens + self._votes * (TOKENS_PER_FINDING + thinking),
        )

    def extractions(self, model: str, document: SizedDocument) -> list[Request]:
        """The requests of a first attempt, one for each window, as `extract` sends them."""
        return [
            self._request(
                "extract", model, SizedDocument(document.text[start:end], document.doc_id, document.inputs), self.task.asked
            )
            for start, end in self.windows(document.text)
        ]  # fmt: skip

    def _request(self, kind: str, model: str, document: SizedDocument, schema: Mapping[str, Any]) -> Request:
        context = self.context
        own = judge_prompt_of(context.judge_way) if kind == "judge" else kind
        override = getattr(context, f"{own}_prompt", "")  # the question of `verify` has none
        can = capabilities(model)
        stable = stable_values(
            self.task,
            schema=None if can.structured == "json_schema" else schema,
            output_language=context.output_language,
            way=context.judge_way,
        )
        template = template_of(self.task, own, override)
        shown = of_document(
            template, document.inputs, self.task.inputs, text=document.text, doc_id=document.doc_id
        )
        varying = {**shown, "addendum": ""}
        return Request(
            kind=kind,
            model=model,
            messages=messages(template, fill_instructions(stable, self.task.inputs), varying),
            schema=schema,
            schema_name="record",
            doc_id=document.doc_id,
            text=document.text,
            settings=CallSettings(
                timeout_s=context.timeout_s,
                max_output_tokens=context.max_output_tokens,
                temperature=context.temperature,
                logprobs=kind == "extract" and can.logprobs,
            ),
        )

    @cached_property
    def _verify_schema(self) -> dict[str, Any]:
        return object_schema({"reasoning": {"type": "string"}, "right": {"type": "boolean"}})

    @cached_property
    def _judge_schema(self) -> dict[str, Any]:
        criteria = self.task.criteria_of(self.context.judge_way)
        if self.context.judge_way == "items":
            return items_schema(self.task.asked, criteria)
        return judge_schema(criteria) if self.context.judge_way == "criteria" else adjudication_schema()

    @cached_property
    def _refine_schema(self) -> dict[str, Any]:
        return addendum_schema({criterion.id for criterion in self.task.criteria})

    def record_tokens(self, text: str) -> float:
        """Guess for the record of a text, from the task's own examples: lists grow with the text."""
        return self._per_record + self._per_text_token * estimate_tokens(text)

    @cached_property
    def _lists(self) -> bool:
        return any(field.kind == "array" for field in self.task.fields.values())

    @cached_property
    def _per_text_token(self) -> float:
        examples = self.task.examples
        if not (examples and self._lists):
            return 0.0
        records = sum(written_tokens(example.record) for example in examples)
        return records / sum(estimate_tokens(example.text) for example in examples)

    @cached_property
    def _per_record(self) -> float:
        examples = self.task.examples
        if self._lists and examples:
            return 0.0
        if not examples:
            return UNKNOWN_RECORD_TOKENS
        return sum(written_tokens(each.record) for each in examples) / len(examples)


def thinks(model: str) -> bool:
    """Whether a model is known to think before it answers.

    >>> thinks("openai:gpt-4o-mini"), thinks("groq:openai/gpt-oss-20b")
    (False, True)
    """
    return "gpt-oss" in model or not capabilities(model).temperature


def written_tokens(record: Any) -> float:
    """Tokens of a record as a model writes it: its strings as prose, what is around them as JSON.

    >>> written_tokens({"q": "twelve bytes"})
    6.0
    """
    prose = "".join(_strings(record))
    around = len(compact(record).encode()) - len(prose.encode())
    return float(estimate_tokens(prose) + estimate_tokens("." * around, json=True))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
