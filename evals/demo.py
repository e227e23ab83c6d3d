"""What `make demo` adds to the run's own summary: each document in a line, and the paths that occurred.

python evals/demo.py .cupel/demo/speeches.jsonl
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from cupel.project import find_project
from cupel.runlog.store import open_run_log

COLUMNS = ("speaker", "chars", "claims", "premises", "stance", "status", "by")
SHORT = {"extract": "cheap", "escalate": "strong"}


def documents_table(rows: list[dict[str, Any]]) -> Table:
    """One line per speech."""
    table = Table(title="Twelve speeches, 10–12 March 2025 · source: European Parliament", box=SIMPLE)
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in ("chars", "claims", "premises") else "left")
    for row in rows:
        record = row["arguments"] or {}
        claims, premises = (str(len(record.get(field, []))) for field in ("claims", "premises"))
        cells = [row["meta"]["speaker"], len(row["text"]), claims, premises]
        by = str(row["arguments_model"]).rpartition(":")[2].removeprefix("demo-")
        table.add_row(
            *(str(cell) for cell in [*cells, record.get("stance", "–"), row["arguments_status"], by])
        )
    return table


def paths(ids: list[str]) -> Counter[str]:
    """How often each way through the graph occurred, from the run log."""
    project = find_project()
    log = open_run_log(project.state, {})
    try:
        newest = [json.loads(log.find_document(doc_id)[0][0]["outcome"])["path"] for doc_id in ids]
    finally:
        log.close()
    return Counter(" → ".join(SHORT.get(node, node) for node in path) for path in newest)


def main() -> None:
    """Print the table, the paths, and what answered."""
    console = Console()
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    console.print(documents_table(rows))
    console.print("\nPaths that occurred:")
    for path, count in paths([str(row["id"]) for row in rows]).most_common():
        console.print(f"{count:4} × {path}", highlight=False)
    console.print(
        "\nNo key was used. The cheap tier is offline:baseline, a smoke-test baseline run live; the strong, judge and "
        "refiner answers are a language model's, recorded for exactly these prompts (evals/recordings/README.md).\n"
        "With a key of your own: GROQ_API_KEY=… .venv/bin/cupel run FILE --task arguments",
        highlight=False,
    )


if __name__ == "__main__":
    main()
