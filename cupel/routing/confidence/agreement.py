"""How far two records say the same: field by field, list items matched one to one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rapidfuzz import fuzz

from cupel.metrics import best_pairs

OFFSETS: frozenset[str] = frozenset({"start", "end"})
"""Fields that say where and not what; two models may quote the same words at other places."""


def record_agreement(
    first: Mapping[str, Any] | None, second: Mapping[str, Any] | None, *, ignore: Collection[str] = OFFSETS
) -> float | None:
    """Similarity of two records in [0, 1]; 1 when they say the same in any order of list items.

    Args:
        first: A JSON object, or None where there is no record.
        second: The other one.
        ignore: Field names left out at every level.

    Returns:
        The mean over the union of their fields, or None where either record is missing.

    >>> record_agreement({"stance": "for", "claims": ["a b", "c d"]}, {"stance": "for", "claims": ["c d", "a b"]})
    1.0
    >>> record_agreement({"stance": "for"}, {"stance": "against"})
    0.0
    """
    if first is None or second is None:
        return None
    return _objects(first, second, ignore)


def _values(first: Any, second: Any, ignore: Collection[str]) -> float:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return _objects(first, second, ignore)
    if isinstance(first, list) and isinstance(second, list):
        return _lists(first, second, ignore)
    if isinstance(first, str) and isinstance(second, str):
        return text_agreement(first, second)
    if isinstance(first, bool) or isinstance(second, bool):
        return float(first is second)
    return float(first == second)


def text_agreement(first: str, second: str) -> float:
    """Token ratio of two texts in [0, 1], case and word order aside; single words agree wholly or not at all.

    "supports" and "opposes" share letters, not meaning, so labels are never half right.

    >>> text_agreement("Supports", "supports"), text_agreement("supports", "opposes")
    (1.0, 0.0)
    """
    left, right = first.casefold().split(), second.casefold().split()
    if left == right:
        return 1.0
    if len(left) < 2 and len(right) < 2:
        return 0.0
    return fuzz.token_sort_ratio(" ".join(left), " ".join(right)) / 100


def _objects(first: Mapping[str, Any], second: Mapping[str, Any], ignore: Collection[str]) -> float:
    fields = [key for key in {**first, **second} if key not in ignore]
    if not fields:
        return 1.0
    return sum(_values(first.get(key), second.get(key), ignore) for key in fields) / len(fields)


def _lists(first: Sequence[Any], second: Sequence[Any], ignore: Collection[str]) -> float:
    if not first and not second:
        return 1.0
    if not first or not second:
        return 0.0
    similarity = [[_values(a, b, ignore) for b in second] for a in first]
    return best_total(similarity) / max(len(first), len(second))


def best_total(similarity: Sequence[Sequence[float]]) -> float:
    """Largest sum over one-to-one pairs of rows and columns; the rest stay alone, none is used twice.

    >>> best_total([[0.9, 0.8], [0.8, 0.0]])
    1.6
    """
    # added up along the shorter side: the last digit of a float depends on the order
    lengthwise = len(similarity) > len(similarity[0])
    rows = list(zip(*similarity, strict=True)) if lengthwise else similarity
    return float(sum(rows[row][column] for row, column in best_pairs(rows)))
