"""Records of one schema, drawn by chance from one document, and the truth about how they were spoiled."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

SENTENCES = (
    "We must act now", "waiting costs more every year", "The ice melts in the north", "nobody here can stop it alone",
    "our partners asked for money twice", "the fund was empty in spring", "I will vote against the budget",
    "prices rose by eight percent", "farmers cannot sell their milk", "the Council broke its promise",
)  # fmt: skip
TEXT = ". ".join(SENTENCES) + ". The ice is thin."
QUOTE = {"type": "string", "x-grounded": True}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "matter": {"type": "string"},
        "claims": {
            "type": "array",
            "items": {"type": "object", "properties": {"id": {"type": "integer", "x-id": True}, "quote": QUOTE}, "required": ["id", "quote"]},
        },
        "premises": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"quote": QUOTE, "supports": {"type": ["integer", "null"], "x-refers-to": "claims/id"}},
                "required": ["quote", "supports"],
            },
        },
        "stance": {"enum": ["support", "oppose", "none"]},
    },
    "required": ["matter", "claims", "premises", "stance"],
}  # fmt: skip


def draw_record(drawing):
    """A record of the schema, its quotes distinct sentences of the text in their order."""
    chosen = sorted(drawing.sample(range(len(SENTENCES)), drawing.randrange(len(SENTENCES))))
    claims = [at for at in chosen if drawing.random() < 0.5]
    ids = {at: number for number, at in enumerate(claims, start=1)}
    return {
        "matter": "acting on the climate",
        "claims": [{"id": ids[at], "quote": SENTENCES[at]} for at in claims],
        "premises": [
            {"quote": SENTENCES[at], "supports": drawing.choice([None, *ids.values()])}
            for at in chosen
            if at not in ids
        ],
        "stance": drawing.choice(["support", "oppose", "none"]),
    }


@dataclass
class Spoiled:
    """A record made of a right one, and what a judge who sees everything would say of it."""

    record: dict[str, Any]
    wrong: list[dict[str, Any]] = field(default_factory=list)
    """By path: field, and what it should be."""

    missing: list[dict[str, str]] = field(default_factory=list)


def spoil(right, drawing):
    """Drop premises, flip the stance, move statements to the other list, add what nobody said: each noted."""
    made = Spoiled(copy.deepcopy(right))
    record = made.record
    for at in reversed(range(len(record["premises"]))):
        if drawing.random() < 0.25:
            made.missing.append({"quote": record["premises"][at]["quote"], "list": "premises"})
            del record["premises"][at]
    if drawing.random() < 0.5:
        wanted = record["stance"]
        record["stance"] = drawing.choice(
            [label for label in ("support", "oppose", "none") if label != wanted]
        )
        made.wrong.append({"path": "/stance", "field": "stance", "should_be": wanted})
    moved = [at for at in range(len(record["premises"])) if drawing.random() < 0.25]
    for at in reversed(moved):
        quote = record["premises"].pop(at)["quote"]
        record["claims"].append({"id": 100 + at, "quote": quote})
        made.wrong.append(
            {"path": f"/claims/{len(record['claims']) - 1}", "field": "wrong list", "should_be": "premises"}
        )
    if drawing.random() < 0.5:
        record["claims"].append({"id": 200, "quote": "The ice is thin"})
        made.wrong.append(
            {"path": f"/claims/{len(record['claims']) - 1}", "field": "should not be here", "should_be": None}
        )
    return made


def truthful_reply(made, items):
    """The reply of a judge who sees everything."""
    wrong = {one["path"]: one for one in made.wrong}
    return {
        "items": [
            {"item": item.number, "why": "See the text.", "finding": "wrong", "field": wrong[item.path]["field"], "should_be": wrong[item.path]["should_be"]}
            if item.path in wrong
            else {"item": item.number, "finding": "right"}
            for item in items
        ],
        "missing": made.missing,
    }  # fmt: skip
