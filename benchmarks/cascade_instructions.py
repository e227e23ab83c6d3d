"""Instructions a document takes of a whole cascade, beside another tree's: unlike time, a busy machine does not move them.

    CUPEL_BENCH_PROVIDER=fake_provider.py python benchmarks/cascade_instructions.py OTHER_TREE [--documents 100]

OTHER_TREE is a checkout of the commit to compare with, run by this Python. Both trees take the documents of
`cascade_speed.py` through their own cascade under valgrind, which counts instructions and is about fifty times slower: 40
documents, then 40 and those named, so that the start is left out. Prints instructions a document and the ratio. Takes a
quarter of an hour. Exits with 1 when the bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FEW = 40
MOST = 1.12
"""Of the other tree's instructions: what edges that a fork can go on from may cost."""

_COUNTED = re.compile(r"I +refs: +([0-9,]+)")


def walk(tree: Path, count: int) -> None:
    """Take documents through the cascade of a tree; it has to be the first thing a process imports of Cupel."""
    sys.path[:0] = [str(tree), str(tree / "benchmarks")]
    os.chdir(tree)
    import cascade_speed

    with (
        tempfile.TemporaryDirectory() as name,
        cascade_speed.provider(Path(name), 0, count) as url,
    ):
        os.environ.update(OPENAI_BASE_URL=f"{url}/v1", OPENAI_API_KEY="fake")
        asyncio.run(cascade_speed.cascade(Path(name), "openai", cascade_speed.documents(count), 32))


def instructions(tree: Path, count: int) -> int:
    """What a process takes that walks so many documents; the provider beside it is not counted."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    told = subprocess.run(
        [*command, sys.executable, __file__, str(tree), "--walk", str(count)],
        stderr=subprocess.PIPE, text=True, check=False, env={**os.environ, "PYTHONHASHSEED": "0"},
    )  # fmt: skip
    counted = _COUNTED.search(told.stderr)
    if told.returncode or counted is None:
        sys.exit(told.stderr)
    return int(counted[1].replace(",", ""))


def main() -> None:
    """Count both trees, and hold their ratio to the bar."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tree", type=Path)
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--walk", type=int, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.walk:
        walk(told.tree.resolve(), told.walk)
        return
    if not os.environ.get("CUPEL_BENCH_PROVIDER") or shutil.which("valgrind") is None:
        sys.exit("set CUPEL_BENCH_PROVIDER to the script of a fake provider, and have valgrind")
    ours = Path(__file__).parents[1]
    each = {}
    for tree in (told.tree.resolve(), ours):
        few, many = (instructions(tree, count) for count in (FEW, FEW + told.documents))
        each[tree] = (many - few) / told.documents / 1e6
        print(f"{each[tree]:.2f} million instructions a document in {tree.name}", flush=True)
    ratio = each[ours] / each[told.tree.resolve()]
    print(f"{'ok  ' if ratio <= MOST else 'MISS'} CPU of a document: {ratio:.3f} × (bar: ≤ {MOST} ×)")
    sys.exit(ratio > MOST)


if __name__ == "__main__":
    main()
