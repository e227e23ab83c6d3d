"""One attempt of one tier at one document: asked window by window, merged, and grounded in the text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cupel.cascade.prompt import prompt_for
from cupel.cascade.routes import usd_left
from cupel.cascade.work import Work, as_whole
from cupel.engine import Answer, Asking, Question, ask, ask_bundled, ask_packed
from cupel.models import capabilities
from cupel.routing import Observed, Token, compute_signals, value_tokens
from cupel.runlog import NOBODY
from cupel.state import AddendumRecord, Attempt, Call, Evidence, Record, RunState, Tier
from cupel.text import OF_LANGUAGE, WindowRecord, ground_record, language_of, merge_windows, shift

TOKEN_SIGNALS = ("mean_logprob", "min_logprob", "token_certainty", "token_margin")
WITH_ALTERNATIVES = frozenset({"token_certainty", "token_margin"})
"""Those that look at what else a token could have been."""

ALTERNATIVES = 5
"""Asked for each token, where one of these signals is wanted; OpenAI gives up to 20."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One attempt about to be made: whose it is, with which instructions, and what is asked about each window."""

    number: int
    tier: Tier
    addenda: Sequence[AddendumRecord]
    version: str = ""
    questions: Sequence[Question] = ()
    """One a window; none where the tier has no model."""


@dataclass(frozen=True, slots=True)
class Replies:
    """What came back: an answer for each window, and the version of the prompt that got them."""

    answers: Sequence[Answer]
    version: str
    paid: Sequence[Call] = ()
    """Calls of a packed or bundled request that had no record for this attempt, which was then asked for alone."""


async def attempt_record(work: Work, asking: Asking, tier: Tier) -> Attempt:
    """One tier's attempt at the whole document, from its questions to its record."""
    draft = await draft_attempt(work, tier)
    return read_replies(work, draft, await ask_windows(work, draft, asking))


async def draft_attempt(work: Work, tier: Tier) -> Draft:
    """What one tier's model is asked about each window, with the latest instructions where it was refined."""
    state, task, models = work.state, work.task, work.runtime.models(work.context)
    number = max((attempt["number"] for attempt in state["attempts"]), default=0) + 1
    draft = Draft(number=number, tier=tier, addenda=current_addenda(state, tier))
    model = models.cheap if tier == "cheap" else models.strong
    if not model:
        return draft
    prompt = await prompt_for(task, "extract", model, work.context, task.asked)
    alternatives = await _alternatives(work) if capabilities(model).logprobs else 0
    left, windows = usd_left(state, work.context), state["windows"]
    lines = [line for addendum in draft.addenda for line in addendum["instructions"]]
    questions = [
        replace(
            prompt.about(
                state,
                text=state["text"][start:end],
                usd_left=None if left is None else left / len(windows),
                addendum="\n".join(f"- {line}" for line in lines),
            ),
            fallback_model=models.fallback,
            logprobs=capabilities(model).logprobs,
            alternatives=alternatives,
        )
        for start, end in windows
    ]
    return replace(draft, version=prompt.version, questions=questions)


def current_addenda(state: RunState, tier: Tier) -> list[AddendumRecord]:
    """What the next attempt of this tier is told: the refiner's latest words to it, then all that people said."""
    refined = [item for item in state["addenda"] if item["tier"] == tier and "by" not in item]
    return refined[-1:] + [item for item in state["addenda"] if "by" in item]


async def ask_windows(work: Work, draft: Draft, asking: Asking) -> Replies:
    """An answer for every window: a short document's first one with its pack, or for all tasks of a bundle at once."""
    if not draft.questions:
        error = f"no {draft.tier} model is attached; set one with --{draft.tier}-model, or a provider's key"
        return Replies([Answer(model=NOBODY, error=asking.tell(error), error_kind="provider")], "")
    packed = None
    if draft.tier == "cheap" and draft.number == 1 and len(draft.questions) == 1:
        inputs = work.state.get("meta") or {}
        packed = await ask_bundled(draft.questions[0], work.task, inputs, asking)
        packed = packed or await ask_packed(draft.questions[0], work.task, asking)
    if packed is not None and packed[0].record is not None:
        return Replies([packed[0]], packed[1])
    if len(draft.questions) > 1 and work.task.check is not None:
        # each window may have been of use, and their merged record not
        asking = replace(asking, recalls=False)
    answers = await asyncio.gather(*(ask(question, asking) for question in draft.questions))
    if work.task.computes(OF_LANGUAGE):
        await language_of(work.state["text"])  # what tells languages apart is loaded now, in a thread
    return Replies(answers, draft.version, packed[0].calls if packed else ())


def read_replies(work: Work, draft: Draft, replies: Replies) -> Attempt:
    """The attempt, its record merged of all windows and every quote looked for in the text.

    A failure of any window fails the attempt with that reason: half a document is not its record.
    """
    answers = replies.answers
    failed = next((answer for answer in answers if answer.record is None), None)
    record, evidence = _merge(work, answers) if failed is None else (None, [])
    if record is not None and len(answers) > 1 and work.task.check is not None:
        problem = work.task.check(record)
        if problem is not None:
            failed, record, evidence = replace(answers[0], error=problem, error_kind="schema"), None, []
    if record is not None:
        record = as_whole(record, evidence, work.task, work.state)
    rounds = (item["round"] for item in draft.addenda if item["tier"] == draft.tier)
    attempt = Attempt(
        number=draft.number, tier=draft.tier, round=max(rounds, default=0),
        model=answers[0].model,
        fallback_for=next((answer.fallback_for for answer in answers if answer.fallback_for), None),
        prompt_version=replies.version, record=record, error=failed.error if failed else None,
        error_kind=failed.error_kind if failed else None, evidence=evidence,
        calls=[*replies.paid, *(call for answer in answers for call in answer.calls)],
        signals=_token_signals(work, answers) if failed is None else {},
        score=None, confidence=None, calibrated=False, in_doubt=False, doubts=[],
    )  # fmt: skip
    if failed is not None and failed.provider_cause is not None:
        attempt["provider_cause"] = failed.provider_cause
    return attempt


def _token_signals(work: Work, answers: Sequence[Answer]) -> dict[str, float | None]:
    """What the probabilities of its values' tokens say of a record; they themselves stay with the reply, in the run log.

    Empty where no tokens came; None for each where they do not fit the record, as when it was brought back from another
    form.
    """
    if not any(answer.tokens for answer in answers):
        return {}
    fields: dict[str, list[Token]] = {}
    for (start, end), answer in zip(work.state["windows"], answers, strict=True):
        told = [
            Token(text, worth, tuple(other for _, other in others) if others else ())
            for text, worth, others in answer.tokens or ()
        ]
        placed = value_tokens(answer.reply, answer.wire or {}, told, document=work.state["text"][start:end])
        for name, tokens in placed.items():
            fields.setdefault(name, []).extend(tokens)
    has_alternatives = any(token.alternatives for tokens in fields.values() for token in tokens)
    names = [name for name in TOKEN_SIGNALS if has_alternatives or name not in WITH_ALTERNATIVES]
    return compute_signals(Observed(value_tokens=fields), names)


async def _alternatives(work: Work) -> int:
    """How many alternatives of each token are asked for: none, unless a signal that is wanted looks at them."""
    policy = await work.runtime.policies.of(work.task.name, work.context.policy)
    wanted = {name.strip() for name in work.context.signals.split(",")} | set(
        policy.signals if policy else ()
    )
    return ALTERNATIVES if wanted & WITH_ALTERNATIVES else 0


def _merge(work: Work, answers: Sequence[Answer]) -> tuple[Record, list[Evidence]]:
    text, parts = work.state["text"], []
    for (start, end), answer in zip(work.state["windows"], answers, strict=True):
        record = answer.record or {}
        grounded = ground_record(record, work.task.schema, text[start:end])
        parts.append(WindowRecord(record, shift(grounded, start)))
    return merge_windows(work.task, parts)
