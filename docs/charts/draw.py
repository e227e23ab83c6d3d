"""The pictures of docs/charts.md, from the demo's twelve speeches; no key, no network.

python docs/charts/draw.py [FOLDER]

Claims and stance are a language model's recorded answers, names those of the baseline, which finds what is written with a
capital: they show what a chart looks like, not how good a model is.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import cupel
from cupel.project import Project

HERE = Path(__file__).resolve().parent
SPEECHES = HERE.parents[1] / "evals" / "datasets" / "speeches-demo.jsonl"

PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "counts": ("arguments", {"kind": "counts"}),
    "counts-by": ("arguments", {"kind": "counts", "by": "group"}),
    "items": ("arguments", {"kind": "counts", "field": "list", "by": "group"}),
    "shares": ("arguments", {"kind": "shares", "field": "list", "by": "group"}),
    "time": ("arguments", {"kind": "time"}),
    "most": ("arguments", {"kind": "most"}),
    "names": ("entities", {"kind": "most"}),
    "links": ("arguments", {"kind": "links", "doc": 10}),
    "together": ("entities", {"kind": "together"}),
    "speakers": ("entities", {"kind": "speakers", "by": "speaker"}),
    "evidence": ("arguments", {"kind": "evidence", "doc": 4}),
}
"""File → task, and what `cupel.chart` is told."""


def draw(folder: Path) -> list[Path]:
    """Draw every picture into a folder."""
    import pandas as pd

    speeches = pd.read_json(SPEECHES, lines=True, dtype=False)
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = Project(HERE.parents[1], state=Path(place))
        done = {
            "arguments": cupel.enrich(speeches, "arguments", profile="demo", doc_id="id", project=own),
            "entities": cupel.enrich(speeches, "entities", profile="offline", doc_id="id", project=own),
        }
        return [
            cupel.chart(done[task], task=task, project=own, **told).save(folder / f"{name}.svg")
            for name, (task, told) in PICTURES.items()
        ]


if __name__ == "__main__":
    for path in draw(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE):
        print(path)
