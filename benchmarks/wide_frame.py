"""A large frame of which few rows are run: what `cupel.enrich(df, limit=10)` takes beside its ten answers.

    python benchmarks/wide_frame.py [--rows 200000] [--columns 30] [--limit 10]

The frame has floats, categories and texts; the offline baseline answers. Prints CPU seconds and memory of the first call, which
imports all there is, and of the second; exits with 1 where a row, a dtype or the order is not what it was. Linux only.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import cupel

TEXT = "We must act on matter {}, because prices rose by {} per cent last year. I ask you to vote for it."
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


def wide_frame(rows: int, columns: int) -> pd.DataFrame:
    """A frame of these many rows and columns, one of which is `text`."""
    draw = np.random.default_rng(0)
    kinds = (
        lambda: draw.normal(size=rows),
        lambda: pd.Categorical(draw.choice(list("abcdef"), rows)),
        lambda: [f"value {number}" for number in range(rows)],
    )
    cells = {f"column_{number}": kinds[number % 3]() for number in range(columns - 1)}
    return pd.DataFrame({**cells, "text": [TEXT.format(number, number) for number in range(rows)]})


def held_mb() -> float:
    """Megabytes this process holds now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE_MB


def call(frame: pd.DataFrame, limit: int) -> pd.DataFrame:
    """One call, with what it took."""
    began, cpu = time.perf_counter(), time.process_time()
    done: pd.DataFrame = cupel.enrich(
        frame, "arguments", profile="offline", judge="never", limit=limit, progress=False
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{time.process_time() - cpu:.1f} s CPU, {time.perf_counter() - began:.1f} s; "
        f"{held_mb():.0f} MB held, {peak:.0f} MB at most"
    )
    return done


def main() -> int:
    """Two calls on one frame."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, value in (("rows", 200_000), ("columns", 30), ("limit", 10)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    frame = wide_frame(asked.rows, asked.columns)
    own = frame.memory_usage(deep=True).sum() / 2**20
    print(f"{asked.rows:,} rows x {asked.columns} columns, {own:.0f} MB; {held_mb():.0f} MB held")
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        done = [call(frame, asked.limit) for _ in range(2)][-1]
    same = frame.equals(done[frame.columns]) and (done.dtypes[frame.columns] == frame.dtypes).all()
    return int(not same or int(done["arguments_status"].notna().sum()) != asked.limit)


if __name__ == "__main__":
    raise SystemExit(main())
