"""A nominee shown to a person: accepted, edited or left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.runtime import Runtime

from cupel._format import usd
from cupel.cascade import Reply, Turn, read_reply
from cupel.context import RunContext
from cupel.improvement.candidates import candidate_of
from cupel.improvement.versions import rules_of, rules_toml
from cupel.state import ApproveUpdate, Edited, ImproveState
from cupel.task import compact


class AnswerUpdate(ApproveUpdate, total=False):
    """What an answer comes to, and the settings that hold for the rest of the run that brought it."""

    held: dict[str, Any]


SHOWN_CHARS = 600
"""Of a record, in the description; the whole one stands beside it."""


def approval_request(state: ImproveState) -> dict[str, Any]:
    """The question to a person, in the Agent Inbox shape: what changes, what it gains and costs, what it breaks.

    `action_request.args` is what may be edited: the rules as rules.toml has them, and the contract. `evidence`
    has the figures and the records side by side, the worst regressions first.
    """
    candidate, decision = candidate_of(state), state.get("decision") or {}
    rules = rules_toml(rules_of(candidate["rules"]))
    args = {"version": candidate["version"], "rules": rules, "extract": candidate["extract"]}
    return {
        "action_request": {"action": f"promote_{state['task']}", "args": args},
        "config": {"allow_accept": True, "allow_edit": True, "allow_respond": False, "allow_ignore": True},
        "description": "\n".join(_describe(state, candidate, decision)),
        "evidence": {
            "diff": candidate["diff"],
            **{name: decision.get(name) for name in _FIGURES},
            "campaign_usd": state.get("cost_usd"),
            "side_by_side": decision.get("side_by_side", []),
        },
    }


_FIGURES = (
    "metric", "n", "before", "before_interval", "after", "after_interval", "gain", "interval", "p", "alpha", "look", "fixes",
    "breaks", "slices", "cost",
)  # fmt: skip


def _describe(state: ImproveState, candidate: Mapping[str, Any], decision: Mapping[str, Any]) -> list[str]:
    cost, objection = decision["cost"], state.get("objection")
    scores = f"{_tell_scores(decision, 'before')} → {_tell_scores(decision, 'after')}"
    allowed = f"look {decision['look']}, allowed {decision['alpha']:.3g}"
    now = f"{usd(cost['usd_after'])} and {cost['tokens_after']:.0f} tokens"
    was = f"{usd(cost['usd_before'])} and {cost['tokens_before']:.0f}"
    return [
        *([f"Your last answer changed nothing: {objection}", ""] if objection else []),
        f"Task {state['task']}: {candidate['version']} in place of {candidate['parent']}, by {candidate['author']}",
        f"{decision['fixes']} better, {decision['breaks']} worse of {decision['n']} held-out documents ({decision['metric']})",
        f"{scores}, gain {_points(decision['gain'], decision['interval'])}, p = {decision['p']:.3g} ({allowed})",
        f"a document costs {now}, was {was}; the campaign has cost {usd(state.get('cost_usd'))}",
        "",
        "```diff",
        candidate["diff"],
        "```",
        *(line for pair in decision.get("side_by_side", []) for line in _pair(pair)),
        "",
        "Edited rules or an edited contract are a new version of yours: it passes the guards and the gate, and you are asked again.",
    ]


def _tell_scores(decision: Mapping[str, Any], which: str) -> str:
    low, high = decision[f"{which}_interval"]
    return f"{100 * decision[which]:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _points(gain: float, interval: tuple[float, float]) -> str:
    return f"{100 * gain:+.1f} points [{100 * interval[0]:+.1f}, {100 * interval[1]:+.1f}]"


def _pair(pair: Mapping[str, Any]) -> list[str]:
    """One document under both prompts."""
    scores = f"{pair['before_score']:.2f} → {pair['after_score']:.2f}"
    return [
        "",
        f"{pair['change']}: {pair['doc_id']} ({scores})",
        f"  before: {compact(pair['before'])[:SHOWN_CHARS]}",
        f"  after:  {compact(pair['after'])[:SHOWN_CHARS]}",
    ]


def take_approval(turn: Turn, state: ImproveState, runtime: Runtime[RunContext]) -> AnswerUpdate:
    """A person's answer: only a plain acceptance of the version that was shown promotes.

    Takes every shape a person's tool may give it. What cannot be understood changes nothing, and the question is
    asked again with what was wrong about it.
    """
    reply = read_reply(turn.answer, runtime, dict.fromkeys(("version", "rules", "extract")))
    update = AnswerUpdate(
        approved_by=None,
        declined=False,
        edited=None,
        objection="",
        asked=None,
        held=dict(turn.settings or {}),
    )
    if isinstance(reply, str):
        return {**update, "objection": reply}
    match reply.kind:
        case "accept":
            return {**update, **_accept(reply, state)}
        case "ignore":
            return {**update, "declined": True}
        case "edit":
            edited = _edit(reply.content)
            return (
                {**update, "objection": edited} if isinstance(edited, str) else {**update, "edited": edited}
            )
    said = f"an instruction cannot be tried here ({reply.note[:80]!r}); use accept, edit or ignore"
    return {**update, "objection": said}


def _accept(reply: Reply, state: ImproveState) -> ApproveUpdate:
    shown, meant = candidate_of(state)["version"], (reply.content or {}).get("version")
    if meant in (None, shown):
        return {"approved_by": reply.by}
    return {"objection": f"it accepts {meant!r}, but {shown} was shown"}


def _edit(content: Any) -> Edited | str:
    """The rules and the contract of an edit, or what is wrong with it."""
    if not isinstance(content, Mapping):
        return "an edit needs args with rules (as in rules.toml) or extract (the contract)"
    texts = {name: content[name] for name in ("rules", "extract") if content.get(name) is not None}
    if not texts or not all(isinstance(text, str) for text in texts.values()):
        return "an edit needs the texts rules (as in rules.toml) or extract (the contract), and nothing else"
    return Edited(rules=texts.get("rules"), extract=texts.get("extract"))
