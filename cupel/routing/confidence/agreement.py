"""How far two records say the same: field by field, list items matched one to one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rapidfuzz import fuzz

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
    """Largest sum over one-to-one pairs of rows and columns; the rest stay alone.

    The shortest-augmenting-path form of the Hungarian method, O(n²m); an item is never used twice.

    Source: Jonker & Volgenant, Computing 1987.

    >>> best_total([[0.9, 0.8], [0.8, 0.0]])
    1.6
    """
    rows: Sequence[Sequence[float]] = similarity
    if len(rows) > len(rows[0]):
        rows = list(zip(*similarity, strict=True))
    pairs = _assign([[-value for value in row] for row in rows])
    return float(sum(rows[row][column] for row, column in enumerate(pairs)))


def _assign(cost: Sequence[Sequence[float]]) -> list[int]:
    """The column of each row at least total cost; needs no more rows than columns."""
    width = len(cost[0])
    row_price, column_price = [0.0] * (len(cost) + 1), [0.0] * (width + 1)
    owner = [0] * (width + 1)  # 1-based row of each column; column 0 holds the row being placed
    for row in range(1, len(cost) + 1):
        owner[0] = row
        _augment(cost, row_price, column_price, owner)
    columns = [0] * len(cost)
    for column, row in enumerate(owner[1:]):
        if row:
            columns[row - 1] = column
    return columns


def _augment(
    cost: Sequence[Sequence[float]], row_price: list[float], column_price: list[float], owner: list[int]
) -> None:
    width = len(column_price) - 1
    slack, came_from, done = [float("inf")] * (width + 1), [0] * (width + 1), [False] * (width + 1)
    column = 0
    while owner[column]:
        done[column] = True
        row, delta, nearest = owner[column], float("inf"), 0
        for j in range(1, width + 1):
            if done[j]:
                continue
            reduced = cost[row - 1][j - 1] - row_price[row] - column_price[j]
            if reduced < slack[j]:
                slack[j], came_from[j] = reduced, column
            if slack[j] < delta:
                delta, nearest = slack[j], j
        for j in range(width + 1):
            if done[j]:
                row_price[owner[j]] += delta
                column_price[j] -= delta
            else:
                slack[j] -= delta
        column = nearest
    while column:
        owner[column] = owner[came_from[column]]
        column = came_from[column]
