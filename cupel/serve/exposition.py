"""Metrics as text, in the exposition format of Prometheus, version 0.0.4.

Written here and not by a library: a client library keeps counts of its own in memory, and these are read from the
run log, so that all of a server's processes tell the same (docs/decisions/0049).
Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with all of its label values.

    Attributes:
        name: Of the metric; a counter's ends in `_total`.
        kind: Its type.
        about: What it counts, in a sentence.
        samples: Suffix of the name, labels and value of each.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    about: str
    samples: Sequence[tuple[str, Labels, float]] = field(default_factory=tuple)


def labels(**named: object) -> Labels:
    """Labels in the order they are given."""
    return tuple((name, str(value)) for name, value in named.items())


def histogram(
    own: Labels, bounds: Sequence[float], counts: Sequence[int], total: float
) -> list[tuple[str, Labels, float]]:
    """Samples of one histogram.

    Args:
        own: Labels.
        bounds: Upper bounds of the buckets, ascending, without infinity.
        counts: How many values are within each bound; then how many there are: one more than bounds.
        total: Sum of the values.

    >>> [value for _, _, value in histogram((), [1.0], [2, 3], 7.5)]
    [2, 3, 7.5, 3]
    """
    edges = [*bounds, math.inf]
    buckets = [
        ("_bucket", (*own, ("le", _number(edge))), count) for edge, count in zip(edges, counts, strict=True)
    ]
    return [*buckets, ("_sum", own, total), ("_count", own, counts[-1])]


def expose(families: Iterable[Family]) -> str:
    r"""The text of a scrape.

    >>> print(expose([Family("a_total", "counter", "One.", [("", labels(b='x"'), 2)])]), end="")
    # HELP a_total One.
    # TYPE a_total counter
    a_total{b="x\""} 2
    """
    lines: list[str] = []
    for family in families:
        about = family.about.replace("\\", "\\\\").replace("\n", "\\n")
        lines += [f"# HELP {family.name} {about}", f"# TYPE {family.name} {family.kind}"]
        lines += [
            f"{family.name}{suffix}{_labels(named)} {_number(value)}"
            for suffix, named, value in family.samples
        ]
    return "".join(f"{line}\n" for line in lines)


_ESCAPES: Mapping[str, str] = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}


def _labels(named: Labels) -> str:
    shown = ",".join(f'{name}="{"".join(_ESCAPES.get(c, c) for c in value)}"' for name, value in named)
    return f"{{{shown}}}" if shown else ""


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
