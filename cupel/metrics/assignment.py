"""The best one-to-one pairing of two lists."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf


def best_pairs(worth: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pair rows with columns, each at most once, so that the pairs' worth adds up to the most.

    Args:
        worth: What pairing row i with column j is worth, 0 or more; shape (rows, columns).

    Returns:
        `min(rows, columns)` pairs (row, column), by row. Cost grows as rows² × columns.

    Source: Kuhn 1955 and Munkres 1957, with the potentials of Jonker & Volgenant 1987.

    >>> best_pairs([[0.9, 0.8], [0.8, 0.1]])
    [(0, 1), (1, 0)]
    """
    if not worth or not worth[0]:
        return []
    if len(worth) > len(worth[0]):
        turned = [list(column) for column in zip(*worth, strict=True)]
        return sorted((row, column) for column, row in best_pairs(turned))
    owner = _Assignment([[-value for value in row] for row in worth]).solve()
    return sorted((row - 1, column - 1) for column, row in enumerate(owner) if column and row)


class _Assignment:
    """Rows are added one by one; each time the cheapest chain of exchanges makes room. Indices start at 1."""

    def __init__(self, cost: Sequence[Sequence[float]]) -> None:
        self.cost = cost
        self.rows, self.columns = len(cost), len(cost[0])
        self.row_price = [0.0] * (self.rows + 1)
        self.column_price = [0.0] * (self.columns + 1)
        self.owner = [0] * (self.columns + 1)

    def solve(self) -> list[int]:
        for row in range(1, self.rows + 1):
            self._add(row)
        return self.owner

    def _add(self, row: int) -> None:
        self.owner[0] = row
        self.slack = [inf] * (self.columns + 1)
        self.came_from = [0] * (self.columns + 1)
        visited = [False] * (self.columns + 1)
        column = 0
        while self.owner[column]:
            visited[column] = True
            column = self._advance(column, visited)
        while column:
            before = self.came_from[column]
            self.owner[column] = self.owner[before]
            column = before

    def _advance(self, column: int, visited: list[bool]) -> int:
        """Look at the row that owns `column`; adjust the prices and return the cheapest column to go on to."""
        row, step, cheapest = self.owner[column], inf, 0
        for other in range(1, self.columns + 1):
            if visited[other]:
                continue
            reduced = self.cost[row - 1][other - 1] - self.row_price[row] - self.column_price[other]
            if reduced < self.slack[other]:
                self.slack[other], self.came_from[other] = reduced, column
            if self.slack[other] < step:
                step, cheapest = self.slack[other], other
        for other in range(self.columns + 1):
            if visited[other]:
                self.row_price[self.owner[other]] += step
                self.column_price[other] -= step
            else:
                self.slack[other] -= step
        return cheapest
