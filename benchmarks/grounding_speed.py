"""Grounding's CPU time a quote beside another tree's, such as a checkout of an older commit.

    CUPEL_BENCH_DATA=… python benchmarks/grounding_speed.py OTHER_TREE [--rounds 7]

The quotes of `grounding.py`, each kind in one document of 10,000 tokens, English and other languages, and whole speeches
prepared anew. The trees take turns, each in a process of its own, and the quickest turn of each counts. Exits with 1
where this tree takes more than a tenth longer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
EACH = 60
MAX_RATIO = 1.1


def cases_of(seed: int) -> dict[str, list[tuple[str, list[str]]]]:
    """Texts and the quotes looked up in each, by kind."""
    sys.path.insert(0, str(HERE))
    import grounding

    data = Path(os.environ["CUPEL_BENCH_DATA"]) / "eu_debates_2025"
    made: dict[str, list[tuple[str, list[str]]]] = {}
    for name, file in (("English", "dev.jsonl"), ("others", "other_languages.jsonl")):
        speeches = [json.loads(line) for line in (data / file).read_text(encoding="utf-8").splitlines()]
        text = grounding.document(speeches)
        whole = [{"text": text, "meta": speeches[0]["meta"]}]
        for kind in ("short", "verbatim", "normalised", "elided", "not left out"):
            quotes = [case.quote for case in grounding.cases(kind, whole, (), EACH, seed)]
            made[f"{kind}, {name}"] = [(text, quotes)]
        verbatim = grounding.cases("verbatim", speeches, (), EACH, seed)
        made[f"anew, {name}"] = [
            (case.text, [case.quote, "no such words anywhere in here"]) for case in verbatim
        ]
    return made


def time_tree() -> None:
    """In a process of a tree: CPU ms a kind, as JSON on standard output, of cases from standard input."""
    from cupel.text.grounding.grounder import Grounder

    taken: dict[str, float] = {}
    for kind, texts in json.load(sys.stdin).items():
        anew = kind.startswith("anew")
        grounders = [Grounder(text) for text, _ in texts]
        if not anew:
            for grounder in grounders:
                grounder.ground("no such words anywhere … in here at all")
        begun = time.process_time()
        for grounder, (_, quotes) in zip(grounders, texts, strict=True):
            for quote in quotes:
                grounder.ground(quote)
        taken[kind] = (time.process_time() - begun) * 1e3 / sum(len(quotes) for _, quotes in texts)
    json.dump(taken, sys.stdout)


def turn(tree: Path, cases: str) -> Mapping[str, float]:
    """One turn of a tree."""
    command = [sys.executable, str(Path(__file__).resolve()), "--time"]
    environment = {**os.environ, "PYTHONPATH": str(tree.resolve())}
    done = subprocess.run(
        command, input=cases, env=environment, capture_output=True, text=True, check=True, cwd=tree
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def main() -> int:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description="Grounding's CPU time a quote beside another tree's.")
    parser.add_argument("other", type=Path, nargs="?", help="The tree to be compared with.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--time", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.time:
        time_tree()
        return 0
    if args.other is None:
        parser.error("which tree to compare with?")
    cases = json.dumps(cases_of(args.seed))
    best: dict[str, dict[str, float]] = {}
    for _ in range(args.rounds):
        for tree in (args.other, HERE.parent):
            for kind, ms in turn(tree, cases).items():
                times = best.setdefault(kind, {})
                times[str(tree)] = min(ms, times.get(str(tree), ms))
    print(f"{'ms a quote':24}{'other':>9}{'this':>9}{'ratio':>8}")
    missed = []
    for kind, times in best.items():
        other, this = times[str(args.other)], times[str(HERE.parent)]
        print(f"{kind:24}{other:9.3f}{this:9.3f}{this / other:8.2f}")
        if this > MAX_RATIO * other:
            missed.append(f"MISSED {kind}: at most {MAX_RATIO:g} times the other tree's")
    print("\n".join(missed) or "every bar is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
