"""Sets labelled by hand: which task each is gold for, the plain sentence that asks for the same, and how both are scored."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sets import answers

from cupel.files import read_text
from cupel.metrics import group_of
from cupel.task import object_schema

SEED = 20
"""Of the one order in which a set's documents are shown."""

READ_BY_AUTHORS = 30
"""Documents from the beginning of a set that whoever wrote a prompt may have read."""


BY_LABEL = answers.spans("label")
"""Of a list of quotes, each with a label in the words of the gold."""


@dataclass(frozen=True, kw_only=True)
class GoldSet:
    """A set of labelled documents, and how a task's records are scored on it.

    Attributes:
        task: The task it is gold for.
        kinds: What of its gold is compared (`cupel.metrics.evaluation.KINDS`).
        headline: The figure that is compared first.
        besides: Further figures.
        plain: The plain sentence.
        asked: Properties of the record the plain sentence asks for.
        answer: The task's record as an answer.
        plain_answer: The plain sentence's.
        unread: Debates or blocks nobody looked at while the prompts were written; where there are none, the first documents
            count as read.
        inputs: An input of the task → where it stands in `meta`.
        prepare: What is done to a document's gold before it is shown and scored.
        source: The folder its documents are in, where that is not its own name.
        make: Makes documents and their gold of those of the source, where nobody labelled them.
        floors: What asking nobody comes to, by name; those of labelled sets come from a file.
    """

    task: str
    kinds: tuple[str, ...] = ("spans",)
    headline: str
    besides: tuple[str, ...] = ()
    plain: str
    asked: Mapping[str, Any]
    answer: answers.Answerer
    plain_answer: answers.Answerer = BY_LABEL
    unread: frozenset[str] = frozenset()
    inputs: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[dict[str, Any]], dict[str, Any]] = dict
    source: str = ""
    make: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] | None = None
    floors: Mapping[str, Callable[[answers.Document], answers.Answer]] = field(default_factory=dict)

    def documents(self, path: Path, count: int, skip: int = 0) -> list[dict[str, Any]]:
        """Some of a set's unread documents, in an order that is drawn once for all."""
        lines = [json.loads(line) for line in read_text(path).splitlines()]
        if self.make:
            return self.make(lines)[skip : skip + count]
        unread = (
            [each for each in lines if group_of(each) in self.unread]
            if self.unread
            else lines[READ_BY_AUTHORS:]
        )
        random.Random(SEED).shuffle(unread)
        return [self.prepare(each) for each in unread[skip : skip + count]]


def ends_by_text(document: dict[str, Any]) -> dict[str, Any]:
    """A document whose relations hold between names, not between mentions: each span is its name's first in the text.

    A task that lists every name once cannot say which mention a relation is told of; neither can the plain sentence.
    """
    text, gold = document["text"], document["gold"]
    first = [text.find(text[span["start"] : span["end"]]) for span in gold["spans"]]
    moved = [
        {**span, "start": at, "end": at + span["end"] - span["start"]}
        for at, span in zip(first, gold["spans"], strict=True)
    ]
    return {**document, "gold": {**gold, "spans": moved}}


def _list(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"type": "array", "items": object_schema(properties)}}


def _one_of(*labels: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(labels)}


QUOTE = {"type": "string", "x-grounded": True}


def _quotes(*labels: str) -> dict[str, Any]:
    """One list of quotes with a label: the least that can be scored."""
    return _list("items", {"quote": QUOTE, "label": _one_of(*labels)})


EMOTIONS = ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")
TYPES = {"PER": "Peop", "ORG": "Org", "LOC": "Loc", "LAW": "Other", "MISC": "Other"}
RELATIONS = {
    "works_for": "Work_For",
    "lives_in": "Live_In",
    "based_in": "OrgBased_In",
    "located_in": "Located_In",
    "killed": "Kill",
}
FALLACIES = {
    "attack_on_person": "Ad Hominem",
    "appeal_to_authority": "Appeal to Authority",
    "appeal_to_emotion": "Appeal to Emotion",
    "loaded_words": "Appeal to Emotion",
    "false_cause": "False Cause",
    "slippery_slope": "Slippery Slope",
    "slogan": "Slogans",
}
COMPONENTS = {"claims": "Claim", "premises": "Premise"}
"""Our lists in the words of the argument sets."""

SETS: Mapping[str, GoldSet] = {
    "ner_europarl": GoldSet(
        task="entities",
        headline="spans.exact.micro_f1",
        besides=("spans.exact_nolabel.micro_f1",),
        plain="List every named entity of the text in order, with its type: PER, LOC, ORG or MISC (CoNLL-2003).",
        asked=_quotes("PER", "LOC", "ORG", "MISC"),
        answer=answers.spans("type", {"LAW": "MISC"}),
        unread=frozenset(["20", "30", "4", "16", "8", "15", "18", "19", "12", "33", "6", "28", "3", "36"]),
    ),
    "argument_components": GoldSet(
        task="arguments",
        headline="spans.iou50.micro_f1",
        besides=("spans.iou50_nolabel.micro_f1", "spans.exact.micro_f1"),
        plain="List every claim and every premise of the text, each quoted verbatim, with its type: Claim or Premise.",
        asked=_quotes("Claim", "Premise"),
        answer=answers.spans("", COMPONENTS),
        unread=frozenset(["33_2008", "27_2000", "6_1976", "30_2004", "21_1992", "7_1976", "12_1984"]),
    ),
    "argument_components_medical": GoldSet(
        task="arguments",
        headline="spans.iou50.micro_f1",
        besides=("spans.iou50_nolabel.micro_f1", "spans.exact.micro_f1"),
        plain="List every claim and every premise of the text, each quoted verbatim, with its type: Claim or Premise.",
        asked=_quotes("Claim", "Premise"),
        answer=answers.spans("", COMPONENTS),
    ),
    "entity_relations": GoldSet(
        task="relations",
        kinds=("relations",),
        headline="relations.micro_f1",
        besides=("relations.boundary_f1", "relations.micro_p", "relations.micro_r"),
        plain=(
            "List every relation between two named entities of the text: Work_For, Live_In, OrgBased_In, Located_In or Kill, from `head` to "
            "`tail`, with the type of each entity: Peop, Org, Loc or Other."
        ),
        asked=_list(
            "relations",
            {
                "head": QUOTE,
                "head_type": _one_of("Peop", "Org", "Loc", "Other"),
                "relation": _one_of(*RELATIONS.values()),
                "tail": QUOTE,
                "tail_type": _one_of("Peop", "Org", "Loc", "Other"),
            },
        ),
        answer=answers.listed_relations(TYPES, RELATIONS),
        prepare=ends_by_text,
        plain_answer=answers.flat_relations,
    ),
    "emotion": GoldSet(
        task="emotion",
        kinds=("ekman",),
        headline="ekman.macro_f1",
        besides=("ekman.micro_f1", "ekman.exact_match"),
        plain=(
            "Which emotions does the author of the text express: anger, disgust, fear, joy, sadness, surprise, or neutral where it is none of "
            "them?"
        ),
        asked={"emotions": {"type": "array", "items": _one_of(*EMOTIONS)}},
        answer=answers.each("signs", "emotion", "ekman", otherwise="neutral"),
        plain_answer=answers.field("emotions", "ekman"),
    ),
    "fallacies": GoldSet(
        task="rhetoric",
        headline="spans.iou50.micro_f1",
        besides=("spans.iou50_nolabel.micro_f1", "spans.token.micro_f1", "spans.token_nolabel.micro_f1"),
        plain=(
            "List every fallacious passage of the text, quoted verbatim, with its kind: Ad Hominem, Appeal to Authority, Appeal to Emotion, "
            "False Cause, Slippery Slope or Slogans."
        ),
        asked=_quotes(*sorted(set(FALLACIES.values()))),
        answer=answers.known_spans("device", FALLACIES, "quote"),
    ),
    "stance": GoldSet(
        task="stance",
        kinds=("label",),
        headline="label.favg",
        besides=("label.macro_f1", "label.accuracy"),
        plain="What is the author's stance on the topic: favor, against, or none?\nTopic: {{topic}}",
        asked={"stance": _one_of("favor", "against", "none")},
        answer=answers.field("stance", "label"),
        plain_answer=answers.field("stance", "label"),
        inputs={"topic": "target"},
    ),
    "checkworthy": GoldSet(
        task="checkworthy",
        kinds=("sentences",),
        headline="sentences.pos_f1",
        besides=("sentences.pos_p", "sentences.pos_r"),
        plain="List every sentence of the text that is worth a fact-check, quoted verbatim.",
        asked=_list("sentences", {"quote": QUOTE}),
        answer=answers.marked("check-worthy"),
        plain_answer=answers.marked("check-worthy"),
    ),
    "keyphrases": GoldSet(
        task="glossary",
        kinds=("keyphrases",),
        headline="keyphrases.f1",
        besides=("keyphrases.micro_p", "keyphrases.micro_r"),
        plain="List the keyphrases of the text, as they stand in it.",
        asked={"keyphrases": {"type": "array", "items": {"type": "string"}}},
        answer=answers.each("terms", "term", "keyphrases"),
        plain_answer=answers.field("keyphrases", "keyphrases"),
    ),
    "claim_evidence": GoldSet(
        task="contradictions",
        kinds=("evidence_labels",),
        headline="evidence_labels.macro_f1",
        besides=("evidence_labels.accuracy",),
        plain="Does each piece of evidence support the claim, refute it, or say not enough to tell?",
        asked=_list(
            "evidence",
            {"number": {"type": "integer"}, "label": _one_of("supports", "refutes", "not_enough_info")},
        ),
        answer=answers.held_against_claim,
        plain_answer=answers.numbered("evidence", "label", "evidence_labels", 5, "not_enough_info"),
    ),
}
