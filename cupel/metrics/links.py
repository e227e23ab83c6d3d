"""Links: relations between spans, and arguments matched to key points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cupel.metrics.counts import Answer, Counts, Document, Figures, Unlabelled, compare_sets, quality_of
from cupel.metrics.spans import Span, read_spans

Relation = tuple[Span, Span, Any]


class Relations(Unlabelled):
    """Relations between labelled spans; `boundary` compares the spans without their labels."""

    def count(self, document: Document, answer: Answer) -> Counts:
        """Count relations; one that refers to no span is a false alarm."""
        spans = {
            item["id"]: Span(item["start"], item["end"], item["label"]) for item in document["gold"]["spans"]
        }
        located = read_spans(answer, document["text"]).spans
        gold, _ = _resolve(document["gold"]["relations"], spans)
        given, dangling = _resolve(
            answer.get("relations") or [], {name: span for span, name in located if name is not None}
        )
        counts: Counts = Counter({"bad_ref": dangling})
        compare_sets(counts, gold, given, "full")
        compare_sets(counts, set(map(_boundaries, gold)), set(map(_boundaries, given)), "boundary")
        for name in ("full", "boundary"):
            counts[name, "extra"] += dangling
        return counts

    def totals(self, counts: Counts) -> Figures:
        """Return precision, recall and F1 over all relations."""
        return {
            **quality_of(counts, "full").micro(),
            "boundary_f1": quality_of(counts, "boundary").f1,
            "bad_ref": counts["bad_ref"],
        }


def _resolve(relations: Sequence[Mapping[str, Any]], spans: Mapping[Any, Span]) -> tuple[set[Relation], int]:
    """Relations with the spans they refer to, and how many refer to none."""
    resolved: set[Relation] = set()
    dangling = 0
    for relation in relations:
        head, tail = spans.get(relation.get("head")), spans.get(relation.get("tail"))
        if head is None or tail is None:
            dangling += 1
        else:
            resolved.add((head, tail, relation.get("label")))
    return resolved, dangling


def _boundaries(relation: Relation) -> Any:
    head, tail, label = relation
    return head[:2], tail[:2], label


class Matches(Unlabelled):
    """Arguments matched to key points; pairs the annotators left undecided are not counted."""

    def count(self, document: Document, answer: Answer) -> Counts:
        """Count each decided pair of argument and key point; an unknown key point is a false alarm."""
        gold = document["gold"]
        undecided = {tuple(pair) for pair in gold["undecided"]}
        given = answer.get("matches") or {}
        points = [point["id"] for point in gold["key_points"]]
        counts: Counts = Counter()
        for argument in document["meta"]["arguments"]:
            name = argument["id"]
            decided = {point for point in points if (name, point) not in undecided}
            right, said = set(gold["matches"].get(name, [])), set(given.get(name) or [])
            compare_sets(counts, right & decided, said & decided, "pairs")
            counts["pairs"] += len(decided)
            counts["arguments"] += 1
            counts["agree_any"] += bool(right) == bool(said)
        counts["bad_ref"] = sum(point not in points for said in given.values() for point in said)
        counts["pairs", "extra"] += counts["bad_ref"]
        return counts

    def totals(self, counts: Counts) -> Figures:
        """Return precision, recall and F1 over all decided pairs."""
        return {
            **quality_of(counts, "pairs").micro(),
            "any_match_accuracy": counts["agree_any"] / max(1, counts["arguments"]),
            "bad_ref": counts["bad_ref"],
            "pairs": counts["pairs"],
        }
