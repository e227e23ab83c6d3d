"""Lines of each room that its unit tests run, without the enrich graph, the command line or a server.

    python benchmarks/unit_coverage.py

Runs the unit tests of the five rooms where what happens is decided, and of the nodes. Exits with 1 where a room is below
the bar.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("cascade", "improvement", "calibration", "evaluation", "runs")
BAR = 0.85


def main() -> int:
    """Print the share of lines covered, by room."""
    with tempfile.TemporaryDirectory() as folder:
        data, report = f"{folder}/data", f"{folder}/report.json"
        tests = [f"tests/unit/{room}" for room in (*ROOMS, "nodes")]
        source = "--source=" + ",".join(f"cupel/{room}" for room in ROOMS)
        coverage = [sys.executable, "-m", "coverage"]
        pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
        subprocess.run([*coverage, "run", f"--data-file={data}", source, *pytest], cwd=ROOT, check=True)
        subprocess.run([*coverage, "json", "-q", f"--data-file={data}", "-o", report], cwd=ROOT, check=True)
        files = json.loads(Path(report).read_text(encoding="utf-8"))["files"]
    lines: Counter[str] = Counter()
    covered: Counter[str] = Counter()
    for path, file in files.items():
        room = Path(path).parts[1]
        lines[room] += file["summary"]["num_statements"]
        covered[room] += file["summary"]["covered_lines"]
    missed = False
    for room in ROOMS:
        share = covered[room] / lines[room]
        missed |= share < BAR
        print(
            f"{'ok  ' if share >= BAR else 'MISS'} {room}: {share:.1%} of {lines[room]} lines (bar: ≥ {BAR:.0%})"
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
