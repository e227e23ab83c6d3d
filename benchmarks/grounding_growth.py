"""Time per quote on adversarial text, 1 kB to 1 MB: it has to grow no faster than the text.

    python benchmarks/grounding_growth.py [--largest 1000000]

Each case is a text and a quote made to be slow: everything alike, nothing ending, marks that are never closed. The
growth is the slope of log time over log size. Exits with 1 where a document takes over 1 s of CPU or grows faster.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Callable

from cupel.text.grounding import Grounder

Pair = tuple[str, str]
_WORDS = ["rules", "and", "practices", "have", "pushed", "the", "prices", "up", "not", "so", "of", "it"]


def _fill(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def _words(size: int, seed: int = 7) -> str:
    return " ".join(random.Random(seed).choices(_WORDS, k=size // 5))


CASES: dict[str, Callable[[int], Pair]] = {
    "one word": lambda size: (_fill("ab ", size), "ab " * 300 + "c" + " ab" * 300),
    "one letter": lambda size: ("a" * size, "a" * (size // 2)),
    "few words": lambda size: (_words(size), _words(3_000, seed=8)),
    "few words, short": lambda size: (_words(size), _words(150, seed=8)),
    "quote as long": lambda size: (_words(size), _words(size, seed=8)),
    "two parts": lambda size: (_fill("ab ", size), "ab " * 1_000 + "… " + "ab " * 1_000),
    "many parts": lambda size: (_words(size), " … ".join(["rules and practices"] * (size // 24))),
    "thirty parts": lambda size: (_fill("ab cd ef ", size), " … ".join(["ab cd ef"] * 30)),
    "ellipses": lambda size: (_fill("so it is … ", size), _fill("so it is … ", size // 2) + "not here"),
    "dots": lambda size: (_fill(". ", size), _fill(".. ", size) + "a"),
    "dashes": lambda size: ("-" * size + "5", "-" * size + "6"),
    "groups of digits": lambda size: (_fill("000 ", size), "000 000 001"),
    "accents": lambda size: ("a" + _fill("\u0301\u0327", size), "a" + _fill("\u0327\u0301", size)),
    "joiners": lambda size: ("a" + "\u200d" * size, "a" + "\u200d" * size + "b"),
    "vowel signs": lambda size: (_fill("قَتَلَ ", size), "قُتِلَ قُتِلَ قُتِلَ"),
    "broken words": lambda size: (_fill("prac-\ntices and ", size), "practices and prac-tices or"),
    "lost breaks": lambda size: (_fill("prac- tices and ", size), "practices and prac-tices or"),
    "tags never closed": lambda size: (_fill("<a href='x' ", size), "rules and practices"),
    "tags": lambda size: (_fill("<b>ab</b> ", size), "ab ab ac ab ab"),
    "openers": lambda size: (_fill("*a _b **c [d ", size), "a b c d e f"),
    "brackets": lambda size: (_fill("[](", size), "[" * 1_000),
    "links": lambda size: (_fill("[a](http://b/(c", size), "a b c d e f"),
    "struck": lambda size: (_fill("~~a ", size), "a a a b a a"),
    "quote marks": lambda size: (_fill(">\n> 5\n", size), "5 5 6 5 5"),
    "entities": lambda size: (_fill("&amp;", size), "& & and & &"),
    "blank lines": lambda size: (_fill("\n ", size), "a b c"),
}


def measure(case: Callable[[int], Pair], size: int) -> float:
    """CPU seconds for one quote in a text of that many characters, prepared from nothing."""
    text, quote = case(size)
    begun = time.process_time()
    Grounder(text).ground(quote)
    return time.process_time() - begun


def slope(sizes: list[int], times: list[float]) -> float:
    """The exponent of growth, from the sizes whose time can be measured."""
    points = [
        (math.log(size), math.log(took)) for size, took in zip(sizes, times, strict=True) if took > 0.002
    ]
    if len(points) < 2:
        return 0.0
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=1_000_000, help="characters of the longest text")
    options = parser.parse_args()
    sizes = [size for size in (1_000, 10_000, 100_000, 300_000, 1_000_000) if size <= options.largest]
    missed = []
    print(f"{'case':20}{''.join(f'{size:>12,}' for size in sizes)}{'growth':>9}")
    for name, case in CASES.items():
        times = [measure(case, size) for size in sizes]
        growth = slope(sizes, times)
        print(f"{name:20}{''.join(f'{took * 1e3:10.1f}ms' for took in times)}{growth:9.2f}", flush=True)
        if max(times) > 1 or growth > 1.25:
            missed.append(name)
    print("\nevery bar met" if not missed else f"\nover 1 s, or faster than the text: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
