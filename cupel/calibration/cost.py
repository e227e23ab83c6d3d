"""What a calibration may cost, before anything is asked: from the sample's texts and the models' prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cupel.cascade import SAMPLES, VERIFICATIONS, read_signals
from cupel.context import RunContext
from cupel.engine import PackTerms
from cupel.models import capabilities, estimate_tokens, price, resolve_models
from cupel.tables import Row
from cupel.task import TaskSpec, compact, messages, stable_values, template_of, wire_schema

EXPECTED_OUTPUT = 0.4
"""Output tokens for each token of text, before anything is known; stated with the plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCost:
    """What one model will be asked, and what that may cost."""

    model: str
    calls: int
    input_tokens: float
    usd: float | None
    """None where its price is unknown."""


def sample_cost(
    rows: Sequence[Row], task: TaskSpec, context: RunContext, env: Mapping[str, str]
) -> dict[str, CallCost]:
    """By tier what labelling a sample may cost: every document is asked of both, and of the costly signals."""
    models = resolve_models(context, env)
    signal_calls = {"agreement": 1, "self_consistency": SAMPLES, "self_verified": VERIFICATIONS}
    verifying = sum(signal_calls[name] for name in read_signals(context))
    costs = {}
    for tier, model, calls in (("cheap", models.cheap, 1 + verifying), ("strong", models.strong, 1)):
        tokens_in, tokens_out = _tokens(rows, task, model)
        rate = price(model, env)
        usd = None if rate is None else calls * (tokens_in * rate.input + tokens_out * rate.output)
        costs[tier] = CallCost(model=model, calls=calls * len(rows), input_tokens=calls * tokens_in, usd=usd)
    return costs


def packing_cost(
    rows: Sequence[Row], task: TaskSpec, context: RunContext, terms: PackTerms, env: Mapping[str, str]
) -> CallCost:
    """What asking the cheap model about a sample alone and in packs may cost."""
    model = resolve_models(context, env).cheap
    sent, said = _tokens(rows, task, model)
    text = sum(estimate_tokens(str(row.text)) for row in rows)
    sent += text + (sent - text) / terms.size
    rate = price(model, env)
    usd = None if rate is None else sent * rate.input + 2 * said * rate.output
    return CallCost(model=model, calls=len(rows) + len(rows) // terms.size, input_tokens=sent, usd=usd)


def bundle_cost(
    rows: Sequence[Row], tasks: Sequence[TaskSpec], context: RunContext, env: Mapping[str, str]
) -> CallCost:
    """What asking the cheap model about a sample for each task alone, and for all at once, may cost."""
    model = resolve_models(context, env).cheap
    each = [_tokens(rows, task, model) for task in tasks]
    text = sum(estimate_tokens(str(row.text)) for row in rows)
    alone, said = sum(sent for sent, _ in each), sum(reply for _, reply in each)
    sent = 2 * alone - (len(tasks) - 1) * text
    rate = price(model, env)
    usd = None if rate is None else sent * rate.input + 2 * said * rate.output
    return CallCost(model=model, calls=len(rows) * (len(tasks) + 1), input_tokens=sent, usd=usd)


def _tokens(rows: Sequence[Row], task: TaskSpec, model: str) -> tuple[float, float]:
    in_text = bool(model) and capabilities(model).structured != "json_schema"
    stable = stable_values(task, schema=task.asked if in_text else None)
    prompt = messages(template_of(task, "extract"), stable, {"document": ""})
    fixed = sum(estimate_tokens(message["content"]) for message in prompt)
    fixed += 0 if in_text else estimate_tokens(compact(wire_schema(task.asked)), json=True)
    text = sum(estimate_tokens(str(row.text)) for row in rows)
    return fixed * len(rows) + text, EXPECTED_OUTPUT * text
