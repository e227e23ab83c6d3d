"""What `cupel plan` does: read the table and the run log, estimate, and tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cupel._format import seconds, usd
from cupel.api import FileRun, plan
from cupel.cli._console import open_console, print_json, table
from cupel.report import safe
from cupel.runs import Estimate, Plan, Terms

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, kw_only=True, eq=False)
class FilePlan(FileRun):
    """Everything `cupel plan` was told."""

    sample: int
    seed: int
    as_json: bool = False


def plan_file(told: FilePlan) -> None:
    """Plan a run over a file and print what it will take."""
    planned = plan(
        told.file, tasks=told.tasks, text=told.text_column, doc_id=told.id_column, inputs=told.inputs,
        schema=told.schema, limit=told.limit, packing=told.packing, bundle=told.bundle, limits=told.limits, batch=told.batch,
        sample=told.sample, seed=told.seed, **Terms.shared(told, without=("retry_failed",)), **told.settings,
    )  # fmt: skip
    if told.as_json:
        print_json(planned.to_json())
        return
    tell_plan(planned.plan, planned.max_usd, planned.warnings, planned.tasks)


def tell_plan(plan: Plan, max_usd: float | None, warnings: Sequence[str], tasks: Sequence[Plan] = ()) -> None:
    """Print a plan for a person; of several tasks each, then their sum."""
    console = open_console()
    named = f"tasks {', '.join(each.task for each in tasks)}" if tasks else f"task {plan.task}"
    console.print(f"{safe(plan.input_name)} · {named} · nothing was asked, nothing was paid")
    console.print(_documents(plan))
    if tasks:
        console.print(_by_task(tasks, plan))
    console.print(_tiers(plan))
    console.print(_cheap_only(plan))
    console.print(f"time: {_time(plan)}")
    for each in tasks or (plan,):
        console.print(f"shares of documents{f' ({each.task})' if tasks else ''}: {_shares(each)}")
    _tell_cap(console, plan, max_usd)
    console.print("\nWhat this rests on (intervals: 95 %)")
    for line in plan.assumptions:
        console.print(f"  · {line}", soft_wrap=True)
    for warning in warnings:
        console.print(f"note: {warning}", style="yellow", soft_wrap=True)


def _documents(plan: Plan) -> str:
    windows = f" in {_whole(plan.windows)} windows" if plan.windows.expected > plan.documents else ""
    unusable = f", {plan.unusable:,} without a usable text" if plan.unusable else ""
    unusable += f", {plan.repeats:,} repeating an earlier one" if plan.repeats else ""
    answered = ""
    if plan.answered:
        answered = (
            f"\n{plan.answered} of {plan.sampled} looked at have their first answer in the run log already: "
            "what is there will not be paid again"
        )
    return f"{plan.documents:,} documents{windows}, {_whole(plan.document_tokens)} tokens of text{unusable}{answered}"


def _tiers(plan: Plan) -> object:
    shown = table("tier", "model", ">calls", ">tokens in", ">tokens out", ">cost", ">waiting")
    for tier in plan.tiers:
        shown.add_row(
            tier.tier,
            tier.model,
            _range(tier.calls),
            _range(tier.input_tokens),
            _range(tier.output_tokens),
            "price unknown" if tier.cost_usd is None else _money(tier.cost_usd),
            "unknown" if tier.seconds is None else seconds(tier.seconds.expected),
        )
    shown.add_section()
    shown.add_row(
        "all",
        "",
        _range(plan.calls),
        _range(plan.input_tokens),
        _range(plan.output_tokens),
        _money(plan.cost_usd) + (" + unknown" if plan.unpriced else ""),
        "unknown" if plan.seconds is None else seconds(plan.seconds.expected),
        style="bold",
    )
    return shown


def _by_task(tasks: Sequence[Plan], whole: Plan) -> object:
    shown = table("task", ">calls", ">tokens in", ">tokens out", ">cost", ">waiting")
    for each in (*tasks, whole):
        if each is whole:
            shown.add_section()
        shown.add_row(
            "all" if each is whole else each.task,
            _range(each.calls),
            _range(each.input_tokens),
            _range(each.output_tokens),
            _money(each.cost_usd) + (" + unknown" if each.unpriced else ""),
            "unknown" if each.seconds is None else seconds(each.seconds.expected),
            style="bold" if each is whole else None,
        )
    return shown


def _cheap_only(plan: Plan) -> str:
    """What it would be without a strong model and a judge, and how to ask for that."""
    alone = plan.cheap_only
    cost = "price unknown" if alone.cost_usd is None else _money(alone.cost_usd)
    return f"the cheap model alone: {_range(alone.calls)} calls, {cost} (--strong-model none --judge never)"


def _time(plan: Plan) -> str:
    if plan.seconds is None:
        return "unknown, see below"
    low, high = seconds(plan.seconds.low), seconds(plan.seconds.high)
    return (
        f"about {seconds(plan.seconds.expected)} ({low} to {high}) with {plan.concurrency} documents at once"
    )


def _shares(plan: Plan) -> str:
    shares = [
        f"{share.expected:.0%} {name} ({share.low:.0%}–{share.high:.0%})"
        for name, share in plan.shares.items()
    ]
    return ", ".join(shares)


def _tell_cap(console: Console, plan: Plan, max_usd: float | None) -> None:
    for model in plan.unpriced:
        console.print(
            f'price of {model}: unknown; set CUPEL_PRICES="{model}=IN/OUT" (USD per million tokens), '
            "without which --max-usd is refused",
            style="yellow",
            soft_wrap=True,
        )
    if max_usd is None or plan.unpriced:
        return
    high, expected = plan.cost_usd.high, plan.cost_usd.expected
    if high <= max_usd:
        said = "will do"
    elif expected <= max_usd:
        said = "will probably do"
    else:
        said = f"will be reached after about {plan.documents * max_usd / expected:,.0f} documents"
    console.print(f"a cap of {usd(max_usd)} {said}")


def _range(estimate: Estimate) -> str:
    return f"{_number(estimate.expected)} ({_number(estimate.low)}–{_number(estimate.high)})"


def _whole(estimate: Estimate) -> str:
    if estimate.low == estimate.high:
        return f"{estimate.expected:,.0f}"
    return f"about {_number(estimate.expected)}"


def _money(estimate: Estimate) -> str:
    if estimate.high == 0:
        return "$0"
    return f"{usd(estimate.expected)} ({usd(estimate.low)}–{usd(estimate.high)})"


def _number(value: float) -> str:
    """Three digits are all an estimate has.

    >>> _number(12.4), _number(20_480), _number(1_234_567)
    ('12', '20.5k', '1.23M')
    """
    if value >= 1e6:
        return f"{value / 1e6:,.3g}M"
    if value >= 1e4:
        return f"{value / 1e3:.3g}k"
    return f"{value:,.0f}"
