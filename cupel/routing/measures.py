"""Figures of one cost-quality curve, as RouteLLM, AutoMix and RouterBench define them.

Each function that divides by the gap between the models returns None where the strong model is not better:
print it as "no gap", never as a number.
"""

from __future__ import annotations

import numpy as np

from cupel.routing.curves import Curve
from cupel.routing.rows import FloatArray

_EPS = 1e-12


def gap_recovered(curve: Curve) -> FloatArray | None:
    """PGR at each point: (Q − Q_weak) / (Q_strong − Q_weak).

    Source: Ong et al., "RouteLLM", arXiv 2406.18665.
    """
    if not curve.has_gap:
        return None
    return (curve.quality - curve.weak_quality) / (curve.strong_quality - curve.weak_quality)


def average_gap_recovered(curve: Curve) -> float | None:
    """APGR: the area under PGR over the share of strong calls; random mixing has 0.5, above 1 is possible."""
    recovered = gap_recovered(curve)
    return None if recovered is None else float(np.trapezoid(recovered, curve.share))


def call_share_for(curve: Curve, recovered: float) -> float | None:
    """CPT: the least share of strong calls that recovers this part of the gap (0.5 and 0.8 are usual)."""
    values = gap_recovered(curve)
    if values is None:
        return None
    # the first point seen to reach it: along a curve that falls too, interpolation would read off a place
    # where nothing was measured
    reached = np.flatnonzero(values >= recovered - _EPS)
    return float(curve.share[reached[0]]) if len(reached) else None


def saving_at(curve: Curve, level: float = 0.95) -> float | None:
    """What is saved against always-strong while keeping `level` of its quality; negative where it costs more.

    None where the level is never reached or the strong model costs nothing.
    """
    reached = curve.quality >= level * curve.strong_quality - _EPS
    if not reached.any() or curve.strong_cost <= 0:
        return None
    return float(1 - curve.cost[reached].min() / curve.strong_cost)


def improvement_in_quality(curve: Curve) -> float | None:
    """AIQ: mean height of the upper convex hull of (cost, quality), always-weak and always-strong included.

    Source: Hu et al., "RouterBench", arXiv 2403.12031. None where both models cost the same.
    """
    low, high = curve.weak_cost, curve.strong_cost
    if high <= low:
        return None
    points = np.column_stack(
        [
            np.append(curve.cost, [low, high]),
            np.append(curve.quality, [curve.weak_quality, curve.strong_quality]),
        ]
    )
    hull = _upper_hull(points)
    # whoever may spend more may still take the cheaper mix: the hull never falls
    costs, heights = hull[:, 0], np.maximum.accumulate(hull[:, 1])
    inside = (costs > low) & (costs < high)
    grid = np.concatenate([[low], costs[inside], [high]])
    return float(np.trapezoid(np.interp(grid, costs, heights), grid) / (high - low))


def incremental_benefit(quality: float, cost: float, curve: Curve) -> float | None:
    """IBC: quality gained per unit of extra cost over always-weak.

    Source: Aggarwal et al., "AutoMix", arXiv 2310.12963. None where nothing extra was spent.
    """
    extra = cost - curve.weak_cost
    return None if extra <= _EPS else (quality - curve.weak_quality) / extra


def benefit_lift(quality: float, cost: float, curve: Curve) -> float | None:
    """ΔIBC as a ratio: IBC against that of sending everything to the strong model; 0 is no better.

    It explodes at small shares: show it with share and quality, do not optimise it alone.
    """
    mine = incremental_benefit(quality, cost, curve)
    base = incremental_benefit(curve.strong_quality, curve.strong_cost, curve)
    if mine is None or base is None or not curve.has_gap:
        return None
    return (mine - base) / base


def decile_gap_recovered(curve: Curve, scores: FloatArray) -> float | None:
    """APGR as RouteLLM's own script computes it, from at most nine inner deciles of the score.

    Tied scores collapse it towards 0.5, so it is shown for comparison with published tables only. None where all
    scores are equal.
    """
    values = gap_recovered(curve)
    # RouteLLM cuts at quantiles: equal scores give equal edges, of which one is left
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, 11)))
    if values is None or len(edges) < 2:
        return None
    shares = np.array([(scores >= edge).mean() for edge in edges[1:-1]])
    points = np.unique(np.concatenate([[0.0, 1.0], shares]))
    return float(np.trapezoid(np.interp(points, curve.share, values), points))


def _upper_hull(points: FloatArray) -> FloatArray:
    hull: list[FloatArray] = []
    # Andrew's monotone chain: by cost, and at one cost the best comes last and replaces the others
    for point in points[np.lexsort((points[:, 1], points[:, 0]))]:
        while hull and hull[-1][0] == point[0]:
            hull.pop()
        while len(hull) > 1 and _turns_left(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return np.array(hull)


def _turns_left(a: FloatArray, b: FloatArray, c: FloatArray) -> bool:
    return bool((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) >= 0)
